select
    month_start,
    -sum(movement) filter (account_code in ('4000', '4010', '4020')) as sales_amount,
    coalesce(sum(movement) filter (account_code = '4900'), 0) as refund_amount,
    coalesce(sum(movement) filter (account_code = '6300'), 0) as payment_fee_amount,
    -sum(movement) as operating_result
from {{ ref('ledger_balances_monthly') }}
where statement = 'profit and loss'
group by month_start
