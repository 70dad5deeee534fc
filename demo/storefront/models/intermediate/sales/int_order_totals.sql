{{ config(materialized='ephemeral') }}

select
    order_id,
    count(*) as line_count,
    sum(quantity) as unit_count,
    sum(line_amount) as items_amount,
    sum(gross_margin) as gross_margin
from {{ ref('int_order_items_priced') }}
group by order_id
