select
    batches.machine_id,
    machines.machine_name,
    batches.started_at::date as roast_date,
    sum(date_diff('minute', batches.started_at, batches.ended_at)) as roasting_minutes,
    round(avg(batches.charge_kg / machines.drum_kg), 3) as average_fill_ratio
from {{ ref('stg_iot__batches') }} as batches
inner join {{ ref('stg_iot__machines') }} as machines on batches.machine_id = machines.machine_id
group by batches.machine_id, machines.machine_name, roast_date
