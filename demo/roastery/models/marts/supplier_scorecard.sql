select
    lots.supplier,
    count(distinct lots.lot_id) as lot_count,
    round(avg(lots.price_per_kg), 2) as average_price_per_kg,
    round(avg(batches.cupping_score), 2) as average_score
from {{ ref('stg_erp__green_lots') }} as lots
left join {{ ref('fct_batches') }} as batches on lots.lot_id = batches.lot_id
group by lots.supplier
