{# DuckDB's scalar functions are macros: their arguments have no types and their body is one expression. #}
{% macro duckdb__scalar_function_sql(target_relation) %}
    create or replace function {{ target_relation.render() }} (
        {{- model.arguments | map(attribute='name') | join(', ') -}}
    ) as (
        {{ model.compiled_code }}
    )
{% endmacro %}
