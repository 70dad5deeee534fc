select
    receivables.account_id,
    receivables.account_name,
    accounts.account_manager,
    sum(receivables.invoice_amount) as open_amount,
    max(receivables.days_overdue) as oldest_days_overdue,
    round(sum(receivables.invoice_amount) / nullif(max(accounts.credit_limit), 0), 4) as credit_used_ratio
from {{ ref('receivables_ageing') }} as receivables
inner join {{ ref('storefront', 'dim_wholesale_accounts') }} as accounts
    on receivables.account_id = accounts.account_id
group by receivables.account_id, receivables.account_name, accounts.account_manager
