with last_batches as (
    select machine_id, max(started_at) as last_roast_at, count(*) as batch_count
    from {{ ref('stg_iot__batches') }}
    group by machine_id
),

last_alarms as (
    select machine_id, max(occurred_at) as last_critical_at
    from {{ ref('stg_iot__alarms') }}
    where severity = 'critical'
    group by machine_id
)

select
    machines.machine_id,
    machines.machine_name,
    machines.site,
    last_batches.last_roast_at,
    coalesce(last_batches.batch_count, 0) as batch_count,
    last_alarms.last_critical_at,
    coalesce(last_alarms.last_critical_at > last_batches.last_roast_at, false) as needs_attention
from {{ ref('stg_iot__machines') }} as machines
left join last_batches on machines.machine_id = last_batches.machine_id
left join last_alarms on machines.machine_id = last_alarms.machine_id
