{{ config(materialized='ephemeral') }}

select
    ticket_id,
    count(*) as line_count,
    sum(line_amount) as items_amount,
    sum(line_amount) filter (item_type = 'drink') as drinks_amount
from {{ ref('stg_cafe__ticket_lines') }}
group by ticket_id
