select
    product_id,
    site_code,
    on_hand as units_on_hand,
    reserved as units_reserved,
    on_hand - reserved as units_available,
    counted_at
from {{ source('logistics', 'inventory_levels') }}
