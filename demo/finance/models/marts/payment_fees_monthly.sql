select
    date_trunc('month', paid_on)::date as month_start,
    payment_method,
    count(*) as payment_count,
    sum(fee_amount)::decimal(16, 2) as fee_amount,
    round(sum(fee_amount) / nullif(sum(amount), 0), 4) as fee_ratio
from {{ ref('stg_payment_fees') }}
group by month_start, payment_method
