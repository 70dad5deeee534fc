select
    id as machine_id,
    name as machine_name,
    model,
    drum_kg,
    site,
    commissioned_at
from {{ source('iot', 'machines') }}
