with visits as (
    select
        campaign_id,
        session_date,
        count(*) as session_count,
        count(converted_order_id) as order_count
    from {{ ref('fct_sessions') }}
    where campaign_id is not null
    group by campaign_id, session_date
)

select
    spend.campaign_id,
    spend.channel,
    spend.spend_date,
    spend.impressions,
    spend.clicks,
    spend.spend_amount,
    coalesce(visits.session_count, 0) as session_count,
    coalesce(visits.order_count, 0) as order_count,
    {{ safe_ratio('spend.spend_amount', 'visits.order_count', 2) }} as cost_per_order
from {{ ref('int_campaign_spend_daily') }} as spend
left join visits
    on spend.campaign_id = visits.campaign_id
    and spend.spend_date = visits.session_date
