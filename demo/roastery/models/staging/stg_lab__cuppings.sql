select
    id as cupping_id,
    batch_id,
    cupper,
    score,
    defects,
    occurred_at as cupped_at
from {{ source('lab', 'cuppings') }}
