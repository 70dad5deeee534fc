select
    items.product_id,
    products.sku,
    {{ month_of('items.order_date') }} as month_start,
    sum(items.quantity) as units_sold,
    sum(items.line_amount)::decimal(16, 2) as revenue_amount,
    sum(items.gross_margin)::decimal(16, 2) as gross_margin,
    {{ safe_ratio('sum(items.gross_margin)', 'sum(items.line_amount)') }} as margin_ratio,
    {{ function('roast_grade') }}(sum(items.gross_margin) / nullif(sum(items.line_amount), 0)) as margin_grade
from {{ ref('fct_order_items') }} as items
inner join {{ ref('dim_products') }} as products on items.product_id = products.product_id
group by items.product_id, products.sku, month_start
