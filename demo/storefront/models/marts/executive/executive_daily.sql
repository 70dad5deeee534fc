with revenue as (
    select
        revenue_date,
        sum(gross_amount)::decimal(16, 2) as gross_amount,
        sum(net_amount)::decimal(16, 2) as net_amount
    from {{ ref('revenue_daily') }}
    group by revenue_date
),

spend as (
    select spend_date, sum(spend_amount) as spend_amount
    from {{ ref('campaign_performance_daily') }}
    group by spend_date
),

parcels as (
    select shipped_at::date as shipped_on, count(*) as shipment_count
    from {{ ref('fct_shipments') }}
    group by shipped_on
)

select
    dates.date_day,
    revenue.gross_amount,
    revenue.net_amount,
    coalesce(spend.spend_amount, 0) as spend_amount,
    coalesce(parcels.shipment_count, 0) as shipment_count
from {{ ref('dim_dates') }} as dates
inner join revenue on dates.date_day = revenue.revenue_date
left join spend on dates.date_day = spend.spend_date
left join parcels on dates.date_day = parcels.shipped_on
