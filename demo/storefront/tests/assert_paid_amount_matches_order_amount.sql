{{ config(store_failures=true) }}

-- Every order that was paid was paid in full, to the cent.
select
    order_id,
    order_amount,
    paid_amount
from {{ ref('fct_orders') }}
where paid_amount > 0
    and abs(order_amount - paid_amount) > 0.01
