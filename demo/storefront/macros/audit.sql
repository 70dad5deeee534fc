{# Keeps one row for each dbt invocation in the warehouse, for those who look for the truth there. #}
{% macro create_invocation_log() %}
    create schema if not exists audit;
    create table if not exists audit.dbt_invocations (
        invocation_id varchar,
        command varchar,
        target varchar,
        started_at timestamp
    )
{% endmacro %}

{% macro log_invocation() %}
    insert into audit.dbt_invocations
    values (
        '{{ invocation_id }}',
        '{{ flags.WHICH }}',
        '{{ target.name }}',
        '{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}'
    )
{% endmacro %}
