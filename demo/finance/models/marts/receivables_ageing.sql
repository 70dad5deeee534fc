select
    invoice_id,
    invoice_number,
    account_id,
    account_name,
    invoice_amount,
    due_on,
    case when due_on < current_date then date_diff('day', due_on, current_date) end as days_overdue,
    case
        when due_on >= current_date then 'not due'
        when due_on >= current_date - 30 then '1-30 days'
        when due_on >= current_date - 60 then '31-60 days'
        else 'over 60 days'
    end as ageing_bucket
from {{ ref('stg_invoices') }}
where invoice_status <> 'paid'
