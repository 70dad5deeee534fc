{% macro cents_to_euros(column_name, scale=2) -%}
    round({{ column_name }} / 100.0, {{ scale }})::decimal(16, {{ scale }})
{%- endmacro %}

{% macro net_of_vat(column_name, rate='0.09') -%}
    round({{ column_name }} / (1 + {{ rate }}), 2)::decimal(16, 2)
{%- endmacro %}

{% macro safe_ratio(numerator, denominator, scale=4) -%}
    round({{ numerator }} / nullif({{ denominator }}, 0), {{ scale }})
{%- endmacro %}
