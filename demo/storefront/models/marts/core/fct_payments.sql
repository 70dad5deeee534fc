{{ config(materialized='incremental', unique_key='payment_id', on_schema_change='sync_all_columns') }}

with payments as (
    select * from {{ ref('stg_payments__payments') }}
    {{ newer_than_built('paid_at', overlap_days=3) }}
)

select
    payment_id,
    order_id,
    payment_method,
    payment_status,
    amount,
    fee_amount,
    amount - fee_amount as net_amount,
    paid_at
from payments
