select
    customer_id,
    count(*) as ticket_count,
    count(*) filter (ticket_status = 'open') as open_ticket_count,
    avg(csat_score) as average_csat,
    avg(hours_to_resolve) as average_hours_to_resolve
from {{ ref('stg_support__tickets') }}
group by customer_id
