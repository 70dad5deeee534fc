{# One side of a booking: an account, an amount, and whether it is debit or credit. #}
{% macro booking(source_model, account, side, amount, booked_on, reference) -%}
    select
        '{{ account }}' as account_code,
        '{{ side }}' as side,
        {{ amount }}::decimal(16, 2) as amount,
        {{ booked_on }}::date as booked_on,
        {{ reference }} as reference
    from {{ ref(source_model) }}
{%- endmacro %}
