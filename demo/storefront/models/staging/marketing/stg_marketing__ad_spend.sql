select
    campaign_id,
    spend_date,
    impressions,
    clicks,
    {{ cents_to_euros('spend_cents') }} as spend_amount
from {{ source('marketing', 'ad_spend') }}
