{{ config(materialized='ephemeral') }}

select
    shipment_id,
    arg_max(shipment_status, occurred_at) as latest_status,
    arg_max(location, occurred_at) as latest_location,
    max(occurred_at) as scanned_at
from {{ ref('stg_logistics__shipment_events') }}
group by shipment_id
