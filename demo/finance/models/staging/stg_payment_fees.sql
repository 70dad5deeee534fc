select
    payment_id,
    order_id,
    payment_method,
    amount,
    fee_amount,
    paid_at::date as paid_on
from {{ ref('storefront', 'fct_payments') }}
where payment_status = 'succeeded'
