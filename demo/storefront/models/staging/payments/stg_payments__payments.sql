with source as (
    select * from {{ source('payments', 'payments') }}
),

renamed as (
    select
        id as payment_id,
        order_id,
        method as payment_method,
        status as payment_status,
        {{ cents_to_euros('amount_cents') }} as amount,
        {{ cents_to_euros('fee_cents') }} as fee_amount,
        created_at as paid_at
    from source
)

select * from renamed
