{{ config(severity='warn') }}

-- The provider's contract says 1.4 % and 25 cents; more than a tenth of a month's payments is a mistake somewhere.
select month_start, payment_method, fee_ratio
from {{ ref('payment_fees_monthly') }}
where fee_ratio > 0.1
