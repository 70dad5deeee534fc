{{ config(severity='warn') }}

-- A refund above the payment is allowed by hand, but somebody should look.
select
    refunds.refund_id,
    refunds.refund_amount,
    payments.amount
from {{ ref('fct_refunds') }} as refunds
inner join {{ ref('fct_payments') }} as payments on refunds.payment_id = payments.payment_id
where refunds.refund_amount > payments.amount
