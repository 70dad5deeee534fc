select
    tickets.cafe_id,
    cafes.cafe_name,
    tickets.ticket_date,
    count(*) as ticket_count,
    sum(tickets.ticket_amount)::decimal(16, 2) as sales_amount,
    {{ safe_ratio('sum(tickets.drinks_amount)', 'sum(tickets.ticket_amount)') }} as drinks_share
from {{ ref('fct_cafe_tickets') }} as tickets
inner join {{ ref('dim_cafes') }} as cafes on tickets.cafe_id = cafes.cafe_id
group by tickets.cafe_id, cafes.cafe_name, tickets.ticket_date
