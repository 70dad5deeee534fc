with ends as (
    select
        batch_id,
        max(celsius) filter (sensor = 'bean') as end_celsius,
        min(minute_of_roast) filter (sensor = 'bean' and celsius >= {{ var('first_crack_celsius') }}) as first_crack_minute
    from {{ ref('roast_curves') }}
    group by batch_id
)

select
    batches.batch_id,
    batches.machine_id,
    batches.lot_id,
    batches.profile,
    batches.started_at,
    batches.started_at::date as roast_date,
    batches.charge_kg,
    batches.yield_kg,
    round(1 - batches.yield_kg / batches.charge_kg, 4) as weight_loss_ratio,
    ends.end_celsius,
    ends.first_crack_minute,
    ends.end_celsius - profiles.target_end_celsius as deviation_celsius,
    cuppings.score as cupping_score
from {{ ref('stg_iot__batches') }} as batches
inner join ends on batches.batch_id = ends.batch_id
inner join {{ ref('roast_profiles') }} as profiles on batches.profile = profiles.profile
left join {{ ref('stg_lab__cuppings') }} as cuppings on batches.batch_id = cuppings.batch_id
