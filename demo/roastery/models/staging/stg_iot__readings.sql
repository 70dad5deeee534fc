select
    id as reading_id,
    batch_id,
    sensor,
    celsius,
    occurred_at
from {{ source('iot', 'readings') }}
