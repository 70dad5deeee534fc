with web_shop as (
    select
        'web-' || order_id as revenue_key,
        'web shop' as channel,
        order_date as revenue_date,
        order_amount - refund_amount as gross_amount
    from {{ ref('fct_orders') }}
    where order_status <> 'cancelled'
),

cafe as (
    select
        'cafe-' || ticket_id as revenue_key,
        'café' as channel,
        ticket_date as revenue_date,
        ticket_amount as gross_amount
    from {{ ref('fct_cafe_tickets') }}
),

wholesale as (
    select
        'wholesale-' || invoice_id as revenue_key,
        'wholesale' as channel,
        issued_on as revenue_date,
        invoice_amount as gross_amount
    from {{ ref('fct_wholesale_invoices') }}
),

unioned as (
    select * from web_shop
    union all
    select * from cafe
    union all
    select * from wholesale
)

select
    revenue_key,
    channel,
    revenue_date,
    gross_amount,
    {{ net_of_vat('gross_amount') }} as net_amount
from unioned
