select
    id as shipment_event_id,
    shipment_id,
    status as shipment_status,
    location,
    occurred_at
from {{ source('logistics', 'shipment_events') }}
