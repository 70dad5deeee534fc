select
    date_trunc('week', shipped_at)::date as week_start,
    carrier,
    count(*) as shipment_count,
    {{ safe_ratio('count(*) filter (not is_late)', 'count(*)') }} as on_time_ratio,
    round(avg(hours_in_transit), 1) as average_hours_in_transit
from {{ ref('fct_shipments') }}
group by week_start, carrier
