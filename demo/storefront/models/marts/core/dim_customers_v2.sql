with customers as (
    select * from {{ ref('stg_shop__customers') }}
),

orders as (
    select * from {{ ref('int_customer_orders') }}
),

support as (
    select * from {{ ref('int_support_by_customer') }}
)

select
    customers.customer_id,
    customers.customer_name,
    customers.email,
    customers.country_code,
    countries.region,
    customers.has_opted_in,
    customers.signed_up_at,
    coalesce(orders.order_count, 0) as order_count,
    coalesce(orders.lifetime_amount, 0) as lifetime_amount,
    orders.first_ordered_at,
    orders.last_ordered_at,
    coalesce(support.ticket_count, 0) as ticket_count
from customers
left join {{ ref('countries') }} as countries on customers.country_code = countries.country_code
left join orders on customers.customer_id = orders.customer_id
left join support on customers.customer_id = support.customer_id
