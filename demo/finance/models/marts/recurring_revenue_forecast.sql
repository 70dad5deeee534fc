select
    month_start,
    sum(subscription_count) as subscription_count,
    sum(mrr_amount) as recurring_amount
from {{ ref('storefront', 'subscription_mrr_monthly') }}
where month_start >= date_trunc('month', current_date)
group by month_start
