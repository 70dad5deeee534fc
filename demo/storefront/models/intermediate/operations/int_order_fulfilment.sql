select
    shipments.order_id,
    shipments.shipment_id,
    shipments.carrier,
    shipments.service_level,
    scans.latest_status,
    orders.ordered_at,
    shipments.shipped_at,
    shipments.delivered_at,
    {{ hours_between('orders.ordered_at', 'shipments.shipped_at') }} as hours_to_ship,
    {{ hours_between('shipments.shipped_at', 'shipments.delivered_at') }} as hours_in_transit,
    coalesce(shipments.delivered_at, current_timestamp::timestamp) > shipments.promised_at as is_late
from {{ ref('stg_logistics__shipments') }} as shipments
inner join {{ ref('stg_shop__orders') }} as orders on shipments.order_id = orders.order_id
left join {{ ref('int_shipment_latest_scan') }} as scans on shipments.shipment_id = scans.shipment_id
