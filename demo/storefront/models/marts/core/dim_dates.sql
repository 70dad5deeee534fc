with days as (
    select unnest(generate_series(
        date '{{ var("first_trading_day") }}',
        current_date + interval 365 day,
        interval 1 day
    ))::date as date_day
)

select
    date_day,
    date_trunc('week', date_day)::date as week_start,
    {{ month_of('date_day') }} as month_start,
    year(date_day) as calendar_year,
    isodow(date_day) as day_of_week,
    isodow(date_day) in (6, 7) as is_weekend
from days
