"""HTTP ↔ model: the only place that knows dbt Cloud's JSON and numbers."""
