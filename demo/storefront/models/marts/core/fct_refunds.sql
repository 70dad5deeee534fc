select
    refunds.refund_id,
    refunds.payment_id,
    payments.order_id,
    refunds.refund_amount,
    refunds.refund_reason,
    refunds.refunded_at
from {{ ref('stg_payments__refunds') }} as refunds
inner join {{ ref('stg_payments__payments') }} as payments on refunds.payment_id = payments.payment_id
