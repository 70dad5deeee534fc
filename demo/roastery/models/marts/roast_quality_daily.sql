select
    roast_date,
    count(*) as batch_count,
    round(avg(abs(deviation_celsius)), 2) as average_deviation_celsius,
    round(avg(cupping_score), 2) as average_score,
    count(*) filter (cupping_score < {{ var('minimum_cupping_score') }}) as rejected_count
from {{ ref('fct_batches') }}
group by roast_date
