select
    id as refund_id,
    payment_id,
    {{ cents_to_euros('amount_cents') }} as refund_amount,
    reason as refund_reason,
    created_at as refunded_at
from {{ source('payments', 'refunds') }}
