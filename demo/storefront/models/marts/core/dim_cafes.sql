select
    cafes.cafe_id,
    cafes.cafe_name,
    cafes.city,
    cafes.country_code,
    countries.country_name,
    cafes.opened_on,
    cafes.seats
from {{ ref('stg_cafe__cafes') }} as cafes
left join {{ ref('countries') }} as countries on cafes.country_code = countries.country_code
