{{ config(materialized='incremental', unique_key='subscription_event_id') }}

with events as (
    select * from {{ ref('int_subscription_events_sequenced') }}
    {{ newer_than_built('occurred_at', overlap_days=1) }}
)

select * from events
