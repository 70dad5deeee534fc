select
    order_id,
    customer_id,
    order_date,
    order_amount,
    paid_amount
from {{ ref('storefront', 'fct_orders') }}
where order_status <> 'cancelled'
