select
    id as lot_id,
    origin_code,
    supplier,
    bags,
    bags * 60 as kilograms,
    price_per_kg_cents / 100.0 as price_per_kg,
    moisture_pct,
    arrived_at
from {{ source('erp', 'green_lots') }}
