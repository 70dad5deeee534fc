select
    month_start,
    plan,
    count(distinct subscription_id) as subscription_count,
    sum(monthly_amount)::decimal(16, 2) as mrr_amount
from {{ ref('int_subscription_months') }}
group by month_start, plan
