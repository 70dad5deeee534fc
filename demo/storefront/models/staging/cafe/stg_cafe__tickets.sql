select
    id as ticket_id,
    cafe_id,
    opened_at,
    closed_at,
    payment_method,
    {{ cents_to_euros('tip_cents') }} as tip_amount
from {{ source('cafe_pos', 'tickets') }}
