select
    id as campaign_id,
    name as campaign_name,
    channel,
    started_on,
    ended_on,
    {{ cents_to_euros('budget_cents') }} as budget_amount
from {{ source('marketing', 'campaigns') }}
