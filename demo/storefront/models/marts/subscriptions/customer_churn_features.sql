with subscribers as (
    select
        customer_id,
        count(*) as subscription_count,
        bool_or(subscription_status = 'active') as has_active_subscription,
        min(started_at) as subscriber_since
    from {{ ref('dim_subscriptions') }}
    group by customer_id
),

emails as (
    select
        customer_id,
        {{ safe_ratio('count(*) filter (was_opened)', 'count(*)') }} as email_open_ratio
    from {{ ref('int_email_engagement') }}
    group by customer_id
)

select
    subscribers.customer_id,
    subscribers.subscription_count,
    subscribers.has_active_subscription,
    date_diff('day', subscribers.subscriber_since, current_timestamp::timestamp) as days_subscribed,
    customers.order_count,
    customers.lifetime_amount,
    customers.ticket_count,
    coalesce(emails.email_open_ratio, 0) as email_open_ratio
from subscribers
inner join {{ ref('dim_customers') }} as customers on subscribers.customer_id = customers.customer_id
left join emails on subscribers.customer_id = emails.customer_id
