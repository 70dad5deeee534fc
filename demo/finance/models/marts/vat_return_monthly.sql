select
    date_trunc('month', revenue_date)::date as month_start,
    sum(gross_amount)::decimal(16, 2) as gross_amount,
    sum(net_amount)::decimal(16, 2) as net_amount,
    sum(gross_amount - net_amount)::decimal(16, 2) as vat_amount
from {{ ref('stg_sales') }}
group by month_start
