with items as (
    select * from {{ ref('stg_shop__order_items') }}
),

products as (
    select * from {{ ref('stg_shop__products') }}
),

costs as (
    select * from {{ ref('category_costs') }}
)

select
    items.order_item_id,
    items.order_id,
    items.product_id,
    products.sku,
    products.product_name,
    products.category,
    items.quantity,
    items.unit_price,
    items.line_amount,
    round(items.line_amount * costs.cost_share, 2)::decimal(16, 2) as cost_of_goods,
    (items.line_amount - round(items.line_amount * costs.cost_share, 2))::decimal(16, 2) as gross_margin
from items
inner join products on items.product_id = products.product_id
inner join costs on products.category = costs.category
