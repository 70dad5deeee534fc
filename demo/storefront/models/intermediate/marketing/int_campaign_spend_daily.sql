select
    spend.campaign_id,
    campaigns.channel,
    spend.spend_date,
    sum(spend.impressions) as impressions,
    sum(spend.clicks) as clicks,
    sum(spend.spend_amount) as spend_amount
from {{ ref('stg_marketing__ad_spend') }} as spend
inner join {{ ref('stg_marketing__campaigns') }} as campaigns
    on spend.campaign_id = campaigns.campaign_id
group by spend.campaign_id, campaigns.channel, spend.spend_date
