select
    revenue_date,
    channel,
    count(*) as sale_count,
    sum(gross_amount)::decimal(16, 2) as gross_amount,
    sum(net_amount)::decimal(16, 2) as net_amount
from {{ ref('fct_revenue') }}
group by revenue_date, channel
