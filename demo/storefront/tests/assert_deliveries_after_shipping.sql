-- No parcel arrives before it left.
select shipment_id, shipped_at, delivered_at
from {{ ref('fct_shipments') }}
where delivered_at < shipped_at
