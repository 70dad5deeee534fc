select
    orders.maintenance_order_id,
    machines.machine_name,
    orders.maintenance_kind,
    orders.opened_at,
    count(alarms.alarm_id) as alarms_since
from {{ ref('stg_erp__maintenance_orders') }} as orders
inner join {{ ref('stg_iot__machines') }} as machines on orders.machine_id = machines.machine_id
left join {{ ref('stg_iot__alarms') }} as alarms
    on orders.machine_id = alarms.machine_id
    and alarms.occurred_at >= orders.opened_at
where orders.maintenance_status = 'open'
group by orders.maintenance_order_id, machines.machine_name, orders.maintenance_kind, orders.opened_at
