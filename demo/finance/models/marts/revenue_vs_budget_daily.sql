with sales as (
    select
        revenue_date,
        channel,
        sum(gross_amount)::decimal(16, 2) as gross_amount
    from {{ ref('stg_sales') }}
    group by revenue_date, channel
)

select
    sales.revenue_date,
    sales.channel,
    sales.gross_amount,
    case when dates.is_weekend then budget.weekend_amount else budget.weekday_amount end as budget_amount,
    sales.gross_amount
        - case when dates.is_weekend then budget.weekend_amount else budget.weekday_amount end as variance_amount
from sales
inner join {{ ref('storefront', 'dim_dates') }} as dates on sales.revenue_date = dates.date_day
inner join {{ ref('revenue_budget') }} as budget on sales.channel = budget.channel
