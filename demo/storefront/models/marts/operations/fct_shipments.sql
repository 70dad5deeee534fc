select
    shipment_id,
    order_id,
    carrier,
    service_level,
    latest_status,
    shipped_at,
    delivered_at,
    hours_to_ship,
    hours_in_transit,
    is_late
from {{ ref('int_order_fulfilment') }}
