with used as (
    select lot_id, sum(charge_kg) as used_kg
    from {{ ref('fct_batches') }}
    group by lot_id
)

select
    lots.lot_id,
    lots.origin_code,
    lots.supplier,
    lots.kilograms - coalesce(used.used_kg, 0) as remaining_kg,
    round((lots.kilograms - coalesce(used.used_kg, 0)) * lots.price_per_kg, 2) as remaining_value
from {{ ref('stg_erp__green_lots') }} as lots
left join used on lots.lot_id = used.lot_id
