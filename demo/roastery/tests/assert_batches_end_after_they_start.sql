-- No roast ends before it started.
select batch_id
from {{ ref('stg_iot__batches') }}
where ended_at <= started_at
