select
    id as payout_id,
    period_start,
    period_end,
    {{ cents_to_euros('gross_cents') }} as gross_amount,
    {{ cents_to_euros('fee_cents') }} as fee_amount,
    {{ cents_to_euros('net_cents') }} as net_amount,
    arrived_at
from {{ source('payments', 'payouts') }}
