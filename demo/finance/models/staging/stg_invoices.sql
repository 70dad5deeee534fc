select
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.account_id,
    accounts.account_name,
    accounts.account_manager,
    accounts.credit_limit,
    invoices.invoice_status,
    invoices.issued_on,
    invoices.due_on,
    invoices.invoice_amount
from {{ ref('storefront', 'fct_wholesale_invoices') }} as invoices
inner join {{ ref('storefront', 'dim_wholesale_accounts') }} as accounts
    on invoices.account_id = accounts.account_id
