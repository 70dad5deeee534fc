-- Double entry: what is booked on one side is booked on the other.
select
    booked_on,
    sum(amount) filter (side = 'debit') as debit,
    sum(amount) filter (side = 'credit') as credit
from {{ ref('journal_entries') }}
group by booked_on
having sum(amount) filter (side = 'debit') <> sum(amount) filter (side = 'credit')
