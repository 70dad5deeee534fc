select
    id as support_ticket_id,
    customer_id,
    order_id,
    topic,
    priority,
    status as ticket_status,
    csat_score,
    opened_at,
    resolved_at,
    {{ hours_between('opened_at', 'resolved_at') }} as hours_to_resolve
from {{ source('support', 'tickets') }}
