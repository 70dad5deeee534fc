select
    products.product_id,
    products.sku,
    products.product_name,
    products.category,
    products.roast_level,
    products.origin_code,
    origins.origin_name,
    origins.process,
    products.list_price,
    products.is_active
from {{ ref('stg_shop__products') }} as products
left join {{ ref('coffee_origins') }} as origins on products.origin_code = origins.origin_code
