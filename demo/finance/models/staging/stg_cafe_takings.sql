select
    revenue_key,
    revenue_date as taken_on,
    gross_amount
from {{ ref('stg_sales') }}
where channel = 'café'
