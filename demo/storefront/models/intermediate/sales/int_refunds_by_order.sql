select
    payments.order_id,
    sum(refunds.refund_amount) as refund_amount,
    max(refunds.refunded_at) as last_refunded_at
from {{ ref('stg_payments__refunds') }} as refunds
inner join {{ ref('stg_payments__payments') }} as payments
    on refunds.payment_id = payments.payment_id
group by payments.order_id
