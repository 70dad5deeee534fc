select
    channel,
    sum(gross_amount) filter (revenue_date > current_date - 7) as last_seven_days,
    sum(gross_amount) filter (revenue_date between current_date - 13 and current_date - 7) as seven_days_before,
    sum(variance_amount) filter (revenue_date > current_date - 7) as variance_to_budget
from {{ ref('revenue_vs_budget_daily') }}
group by channel
