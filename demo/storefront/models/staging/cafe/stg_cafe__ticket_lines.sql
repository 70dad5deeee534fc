select
    id as ticket_line_id,
    ticket_id,
    item_name,
    item_type,
    quantity,
    {{ cents_to_euros('unit_price_cents') }} as unit_price,
    {{ cents_to_euros('quantity * unit_price_cents') }} as line_amount
from {{ source('cafe_pos', 'ticket_lines') }}
