select
    items.order_item_id,
    items.order_id,
    orders.customer_id,
    items.product_id,
    items.category,
    orders.order_date,
    items.quantity,
    items.unit_price,
    items.line_amount,
    items.cost_of_goods,
    items.gross_margin
from {{ ref('int_order_items_priced') }} as items
inner join {{ ref('fct_orders') }} as orders on items.order_id = orders.order_id
