{# The filter of an incremental model: rows newer than the newest one, with some days of overlap for late arrivals. #}
{% macro newer_than_built(column_name, overlap_days=0) -%}
    {%- if is_incremental() -%}
    where {{ column_name }} > (
        select coalesce(max({{ column_name }}), timestamp '1900-01-01') - interval {{ overlap_days }} day
        from {{ this }}
    )
    {%- endif -%}
{%- endmacro %}
