select
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.account_id,
    invoices.invoice_status,
    invoices.issued_on,
    invoices.due_on,
    invoices.paid_on,
    totals.kilograms,
    totals.invoice_amount::decimal(16, 2) as invoice_amount
from {{ ref('stg_wholesale__invoices') }} as invoices
inner join {{ ref('int_wholesale_invoice_totals') }} as totals on invoices.invoice_id = totals.invoice_id
