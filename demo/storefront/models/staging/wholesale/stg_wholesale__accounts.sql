select
    id as account_id,
    name as account_name,
    account_type,
    country_code,
    payment_terms_days,
    {{ cents_to_euros('credit_limit_cents') }} as credit_limit,
    account_manager,
    is_active,
    updated_at
from {{ source('wholesale', 'accounts') }}
