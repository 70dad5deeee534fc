select
    id as subscription_event_id,
    subscription_id,
    event_type,
    occurred_at
from {{ source('shop', 'subscription_events') }}
