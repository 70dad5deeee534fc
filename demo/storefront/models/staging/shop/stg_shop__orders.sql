with source as (
    select * from {{ source('shop', 'orders') }}
),

renamed as (
    select
        id as order_id,
        customer_id,
        order_channel,
        status as order_status,
        promo_code,
        {{ cents_to_euros('shipping_cents') }} as shipping_amount,
        {{ cents_to_euros('discount_cents') }} as discount_amount,
        ordered_at,
        updated_at
    from source
)

select * from renamed
