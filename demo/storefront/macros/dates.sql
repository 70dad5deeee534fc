{% macro hours_between(earlier, later) -%}
    round(date_diff('minute', {{ earlier }}, {{ later }}) / 60.0, 1)
{%- endmacro %}

{% macro month_of(column_name) -%}
    date_trunc('month', {{ column_name }})::date
{%- endmacro %}
