with subscriptions as (
    select * from {{ ref('stg_shop__subscriptions') }}
),

months as (
    select distinct month_start from {{ ref('dim_dates') }}
)

select
    subscriptions.subscription_id,
    subscriptions.customer_id,
    subscriptions.plan,
    months.month_start,
    (subscriptions.price_per_delivery * case subscriptions.plan
        when 'weekly' then 4.33
        when 'fortnightly' then 2.17
        else 1
    end)::decimal(16, 2) as monthly_amount
from subscriptions
inner join months
    on months.month_start >= {{ month_of('subscriptions.started_at') }}
    and months.month_start <= coalesce(subscriptions.cancelled_at, current_timestamp)
