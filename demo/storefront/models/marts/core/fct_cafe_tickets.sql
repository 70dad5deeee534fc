select
    tickets.ticket_id,
    tickets.cafe_id,
    tickets.opened_at,
    tickets.opened_at::date as ticket_date,
    tickets.payment_method,
    totals.line_count,
    totals.items_amount::decimal(16, 2) as ticket_amount,
    coalesce(totals.drinks_amount, 0)::decimal(16, 2) as drinks_amount,
    tickets.tip_amount
from {{ ref('stg_cafe__tickets') }} as tickets
inner join {{ ref('int_cafe_ticket_totals') }} as totals on tickets.ticket_id = totals.ticket_id
