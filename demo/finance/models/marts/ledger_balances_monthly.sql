with movements as (
    select
        account_code,
        date_trunc('month', booked_on)::date as month_start,
        sum(case side when 'debit' then amount else -amount end) as movement
    from {{ ref('journal_entries') }}
    group by account_code, month_start
)

select
    movements.account_code,
    accounts.account_name,
    accounts.statement,
    movements.month_start,
    movements.movement,
    sum(movements.movement) over (
        partition by movements.account_code
        order by movements.month_start
    ) as closing_balance
from movements
inner join {{ ref('ledger_accounts') }} as accounts on movements.account_code = accounts.account_code
