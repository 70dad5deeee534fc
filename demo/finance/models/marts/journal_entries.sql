{{ booking('stg_orders', '1200', 'debit', 'order_amount', 'order_date', "'order ' || order_id") }}
union all
{{ booking('stg_orders', '4000', 'credit', 'order_amount', 'order_date', "'order ' || order_id") }}
union all
{{ booking('stg_refunds', '4900', 'debit', 'refund_amount', 'refunded_on', "'refund ' || refund_id") }}
union all
{{ booking('stg_refunds', '1200', 'credit', 'refund_amount', 'refunded_on', "'refund ' || refund_id") }}
union all
{{ booking('stg_payment_fees', '6300', 'debit', 'fee_amount', 'paid_on', "'payment ' || payment_id") }}
union all
{{ booking('stg_payment_fees', '1200', 'credit', 'fee_amount', 'paid_on', "'payment ' || payment_id") }}
union all
{{ booking('stg_invoices', '1100', 'debit', 'invoice_amount', 'issued_on', "'invoice ' || invoice_number") }}
union all
{{ booking('stg_invoices', '4020', 'credit', 'invoice_amount', 'issued_on', "'invoice ' || invoice_number") }}
union all
{{ booking('stg_cafe_takings', '1300', 'debit', 'gross_amount', 'taken_on', 'revenue_key') }}
union all
{{ booking('stg_cafe_takings', '4010', 'credit', 'gross_amount', 'taken_on', 'revenue_key') }}
