with orders as (
    select * from {{ ref('fct_orders') }}
    where order_status <> 'cancelled'
)

select
    customer_id,
    count(*) as order_count,
    sum(order_amount) as lifetime_amount,
    sum(gross_margin) as lifetime_margin,
    min(ordered_at) as first_ordered_at,
    max(ordered_at) as last_ordered_at
from orders
group by customer_id
