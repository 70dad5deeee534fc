{{ config(materialized='incremental', unique_key='reading_id') }}

select
    readings.reading_id,
    readings.batch_id,
    batches.machine_id,
    readings.sensor,
    date_diff('minute', batches.started_at, readings.occurred_at) as minute_of_roast,
    readings.celsius,
    readings.occurred_at
from {{ ref('stg_iot__readings') }} as readings
inner join {{ ref('stg_iot__batches') }} as batches on readings.batch_id = batches.batch_id
{% if is_incremental() %}
where readings.occurred_at > (select max(occurred_at) - interval 1 day from {{ this }})
{% endif %}
