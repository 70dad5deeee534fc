-- How late are the parcels that broke our promise? For the talk with the carriers.
select
    carrier,
    service_level,
    count(*) as late_parcel_count,
    round(avg(hours_in_transit), 1) as average_hours_in_transit
from {{ ref('fct_shipments') }}
where is_late
group by carrier, service_level
order by late_parcel_count desc
