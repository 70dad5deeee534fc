with this_month as (
    select
        sum(subscription_count) as subscription_count,
        sum(mrr_amount) as recurring_amount
    from {{ ref('storefront', 'subscription_mrr_monthly') }}
    where month_start = date_trunc('month', current_date)
),

months as (
    select distinct month_start
    from {{ ref('storefront', 'dim_dates') }}
    where date_day between current_date and current_date + interval 5 month
)

select
    months.month_start,
    this_month.subscription_count,
    this_month.recurring_amount
from months
cross join this_month
