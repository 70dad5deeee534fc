select
    subscription_event_id,
    subscription_id,
    event_type,
    occurred_at,
    row_number() over by_subscription as event_number,
    lag(event_type) over by_subscription as previous_event_type,
    {{ hours_between('lag(occurred_at) over by_subscription', 'occurred_at') }} as hours_since_previous
from {{ ref('stg_shop__subscription_events') }}
window by_subscription as (partition by subscription_id order by occurred_at, subscription_event_id)
