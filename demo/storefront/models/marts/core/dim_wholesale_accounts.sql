select
    accounts.account_id,
    accounts.account_name,
    accounts.account_type,
    countries.country_name,
    accounts.payment_terms_days,
    accounts.credit_limit,
    accounts.account_manager,
    accounts.is_active
from {{ ref('stg_wholesale__accounts') }} as accounts
left join {{ ref('countries') }} as countries on accounts.country_code = countries.country_code
