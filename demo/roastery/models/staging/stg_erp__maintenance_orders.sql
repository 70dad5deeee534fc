select
    id as maintenance_order_id,
    machine_id,
    kind as maintenance_kind,
    status as maintenance_status,
    opened_at,
    closed_at
from {{ source('erp', 'maintenance_orders') }}
