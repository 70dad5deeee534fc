{# Production uses the folder's schema as it is; everyone else builds all in one schema of their own. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ generate_schema_name_for_env(custom_schema_name, node) }}
{%- endmacro %}
