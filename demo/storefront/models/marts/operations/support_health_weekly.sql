select
    date_trunc('week', opened_at)::date as week_start,
    count(*) as ticket_count,
    count(*) filter (ticket_status = 'open') as open_ticket_count,
    round(avg(hours_to_resolve), 1) as average_hours_to_resolve,
    round(avg(csat_score), 2) as average_csat
from {{ ref('stg_support__tickets') }}
group by week_start
