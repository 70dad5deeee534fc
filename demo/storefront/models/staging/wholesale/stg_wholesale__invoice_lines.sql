select
    id as invoice_line_id,
    invoice_id,
    product_id,
    kilograms,
    {{ cents_to_euros('unit_price_cents') }} as price_per_kg,
    {{ cents_to_euros('kilograms * unit_price_cents') }} as line_amount
from {{ source('wholesale', 'invoice_lines') }}
