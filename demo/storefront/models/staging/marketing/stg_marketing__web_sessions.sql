select
    id as session_id,
    visitor_id,
    customer_id,
    campaign_id,
    landing_page,
    device,
    started_at,
    ended_at,
    page_views,
    order_id as converted_order_id
from {{ source('marketing', 'web_sessions') }}
