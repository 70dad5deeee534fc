select
    campaigns.campaign_id,
    campaigns.campaign_name,
    campaigns.channel,
    channels.is_paid,
    channels.channel_owner,
    campaigns.started_on,
    campaigns.ended_on,
    campaigns.budget_amount
from {{ ref('stg_marketing__campaigns') }} as campaigns
left join {{ ref('marketing_channels') }} as channels on campaigns.channel = channels.channel
