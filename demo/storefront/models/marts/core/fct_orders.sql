with orders as (
    select * from {{ ref('stg_shop__orders') }}
),

totals as (
    select * from {{ ref('int_order_totals') }}
),

payments as (
    select * from {{ ref('int_payments_by_order') }}
),

refunds as (
    select * from {{ ref('int_refunds_by_order') }}
)

select
    orders.order_id,
    orders.customer_id,
    orders.order_channel,
    orders.order_status,
    orders.ordered_at,
    orders.ordered_at::date as order_date,
    totals.line_count,
    totals.items_amount::decimal(16, 2) as items_amount,
    (totals.items_amount + orders.shipping_amount - orders.discount_amount)::decimal(16, 2) as order_amount,
    totals.gross_margin::decimal(16, 2) as gross_margin,
    coalesce(payments.paid_amount, 0)::decimal(16, 2) as paid_amount,
    coalesce(refunds.refund_amount, 0)::decimal(16, 2) as refund_amount,
    row_number() over (partition by orders.customer_id order by orders.ordered_at, orders.order_id) = 1 as is_first_order
from orders
inner join totals on orders.order_id = totals.order_id
left join payments on orders.order_id = payments.order_id
left join refunds on orders.order_id = refunds.order_id
