select
    subscriptions.subscription_id,
    subscriptions.customer_id,
    customers.customer_name,
    products.product_name,
    subscriptions.plan,
    subscriptions.subscription_status,
    subscriptions.bags_per_delivery,
    subscriptions.price_per_delivery,
    subscriptions.started_at,
    subscriptions.cancelled_at
from {{ ref('stg_shop__subscriptions') }} as subscriptions
inner join {{ ref('dim_customers') }} as customers on subscriptions.customer_id = customers.customer_id
left join {{ ref('dim_products') }} as products on subscriptions.product_id = products.product_id
