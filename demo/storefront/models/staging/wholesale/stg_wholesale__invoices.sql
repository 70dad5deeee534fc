select
    id as invoice_id,
    account_id,
    invoice_number,
    status as invoice_status,
    issued_on,
    due_on,
    paid_on
from {{ source('wholesale', 'invoices') }}
