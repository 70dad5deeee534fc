select
    {{ month_of('sent_at') }} as month_start,
    count(*) as email_count,
    {{ safe_ratio('count(*) filter (was_opened)', 'count(*)') }} as open_ratio,
    {{ safe_ratio('count(*) filter (was_clicked)', 'count(*)') }} as click_ratio,
    count(*) filter (led_to_unsubscribe) as unsubscribe_count
from {{ ref('int_email_engagement') }}
group by month_start
