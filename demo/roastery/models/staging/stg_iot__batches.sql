select
    id as batch_id,
    machine_id,
    lot_id,
    profile,
    charge_kg,
    yield_kg,
    started_at,
    ended_at
from {{ source('iot', 'batches') }}
