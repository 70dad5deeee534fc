select
    customers.customer_id,
    customers.region,
    customers.lifetime_amount,
    coalesce(orders.lifetime_margin, 0) as lifetime_margin,
    acquisition.channel as acquisition_channel,
    ntile(10) over (order by customers.lifetime_amount desc, customers.customer_id) as value_decile
from {{ ref('dim_customers') }} as customers
left join {{ ref('int_customer_orders') }} as orders on customers.customer_id = orders.customer_id
left join {{ ref('customer_acquisition') }} as acquisition on customers.customer_id = acquisition.customer_id
