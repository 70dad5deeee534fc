select
    id as alarm_id,
    machine_id,
    code as alarm_code,
    severity,
    occurred_at
from {{ source('iot', 'alarms') }}
