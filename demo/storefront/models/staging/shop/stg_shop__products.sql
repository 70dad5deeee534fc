with source as (
    select * from {{ source('shop', 'products') }}
),

renamed as (
    select
        id as product_id,
        sku,
        name as product_name,
        category,
        roast_level,
        origin_code,
        {{ cents_to_euros('price_cents') }} as list_price,
        is_active,
        updated_at
    from source
)

select * from renamed
