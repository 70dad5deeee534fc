with stock as (
    select
        product_id,
        sum(units_on_hand) as units_on_hand,
        sum(units_available) as units_available,
        max(counted_at) as counted_at
    from {{ ref('int_inventory_latest') }}
    group by product_id
),

demand as (
    select
        product_id,
        sum(quantity) / 28.0 as units_sold_per_day
    from {{ ref('fct_order_items') }}
    where order_date >= current_date - 28
    group by product_id
)

select
    stock.product_id,
    products.sku,
    stock.units_on_hand,
    stock.units_available,
    round(demand.units_sold_per_day, 2) as units_sold_per_day,
    {{ safe_ratio('stock.units_available', 'demand.units_sold_per_day', 1) }} as days_of_cover,
    stock.counted_at
from stock
inner join {{ ref('dim_products') }} as products on stock.product_id = products.product_id
left join demand on stock.product_id = demand.product_id
