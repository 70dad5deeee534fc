-- The days of revenue_daily hold all of fct_revenue, nothing twice.
with daily as (
    select sum(gross_amount) as amount from {{ ref('revenue_daily') }}
),

sales as (
    select sum(gross_amount) as amount from {{ ref('fct_revenue') }}
)

select daily.amount as daily_amount, sales.amount as sales_amount
from daily
cross join sales
where daily.amount <> sales.amount
