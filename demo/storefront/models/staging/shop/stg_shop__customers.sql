with source as (
    select * from {{ source('shop', 'customers') }}
),

renamed as (
    select
        id as customer_id,
        first_name || ' ' || last_name as customer_name,
        lower(email) as email,
        country_code,
        marketing_opt_in as has_opted_in,
        created_at as signed_up_at,
        updated_at
    from source
)

select * from renamed
