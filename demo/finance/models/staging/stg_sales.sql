select
    revenue_key,
    channel,
    revenue_date,
    gross_amount,
    net_amount
from {{ ref('storefront', 'fct_revenue') }}
