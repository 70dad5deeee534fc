select
    id as shipment_id,
    order_id,
    carrier,
    service as service_level,
    weight_g / 1000.0 as weight_kg,
    shipped_at,
    delivered_at,
    promised_at
from {{ source('logistics', 'shipments') }}
