{{ config(materialized='ephemeral') }}

select
    customer_id,
    campaign_id,
    min(occurred_at) filter (event_type = 'sent') as sent_at,
    bool_or(event_type = 'opened') as was_opened,
    bool_or(event_type = 'clicked') as was_clicked,
    bool_or(event_type = 'unsubscribed') as led_to_unsubscribe
from {{ ref('stg_marketing__email_events') }}
group by customer_id, campaign_id
