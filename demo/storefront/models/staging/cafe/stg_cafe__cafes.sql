select
    id as cafe_id,
    name as cafe_name,
    city,
    country_code,
    opened_on,
    seats
from {{ source('cafe_pos', 'cafes') }}
