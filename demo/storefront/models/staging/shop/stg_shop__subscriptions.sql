with source as (
    select * from {{ source('shop', 'subscriptions') }}
),

renamed as (
    select
        id as subscription_id,
        customer_id,
        product_id,
        plan,
        status as subscription_status,
        bags_per_delivery,
        {{ cents_to_euros('price_cents') }} as price_per_delivery,
        started_at,
        cancelled_at,
        updated_at
    from source
)

select * from renamed
