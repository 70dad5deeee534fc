select
    order_id,
    sum(amount) filter (payment_status = 'succeeded') as paid_amount,
    sum(fee_amount) as fee_amount,
    count(*) filter (payment_status = 'failed') as failed_tries,
    max(payment_method) filter (payment_status = 'succeeded') as payment_method,
    min(paid_at) filter (payment_status = 'succeeded') as first_paid_at
from {{ ref('stg_payments__payments') }}
group by order_id
