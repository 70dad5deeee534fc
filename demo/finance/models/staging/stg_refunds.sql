select
    refund_id,
    order_id,
    refund_amount,
    refund_reason,
    refunded_at::date as refunded_on
from {{ ref('storefront', 'fct_refunds') }}
