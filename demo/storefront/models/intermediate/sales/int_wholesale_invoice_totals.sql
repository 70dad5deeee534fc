select
    invoice_id,
    sum(kilograms) as kilograms,
    sum(line_amount) as invoice_amount
from {{ ref('stg_wholesale__invoice_lines') }}
group by invoice_id
