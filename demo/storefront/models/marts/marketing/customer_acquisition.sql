with first_orders as (
    select order_id, customer_id, ordered_at, order_amount
    from {{ ref('fct_orders') }}
    where is_first_order
)

select
    first_orders.customer_id,
    first_orders.ordered_at as acquired_at,
    first_orders.order_amount as first_order_amount,
    coalesce(sessions.channel, 'direct') as channel,
    sessions.campaign_id
from first_orders
left join {{ ref('fct_sessions') }} as sessions on first_orders.order_id = sessions.converted_order_id
