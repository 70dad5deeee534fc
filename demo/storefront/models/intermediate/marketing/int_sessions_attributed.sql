select
    sessions.session_id,
    sessions.visitor_id,
    sessions.customer_id,
    sessions.campaign_id,
    coalesce(campaigns.channel, 'direct') as channel,
    sessions.landing_page,
    sessions.device,
    sessions.started_at,
    date_diff('second', sessions.started_at, sessions.ended_at) as duration_seconds,
    sessions.page_views,
    sessions.converted_order_id
from {{ ref('stg_marketing__web_sessions') }} as sessions
left join {{ ref('stg_marketing__campaigns') }} as campaigns
    on sessions.campaign_id = campaigns.campaign_id
