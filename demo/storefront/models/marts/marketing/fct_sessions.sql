{{ config(materialized='incremental', unique_key='session_id') }}

with sessions as (
    select * from {{ ref('int_sessions_attributed') }}
    {{ newer_than_built('started_at', overlap_days=var('session_lookback_days')) }}
)

select
    session_id,
    visitor_id,
    customer_id,
    campaign_id,
    channel,
    landing_page,
    device,
    started_at,
    started_at::date as session_date,
    duration_seconds,
    page_views,
    converted_order_id,
    page_views = 1 and converted_order_id is null as is_bounce
from sessions
