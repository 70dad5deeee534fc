select *
from {{ ref('stg_logistics__inventory_levels') }}
qualify row_number() over (partition by product_id, site_code order by counted_at desc) = 1
