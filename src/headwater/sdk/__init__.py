"""What runs inside an Airflow task: collect a run and send it, never in the way of its host."""

from headwater.sdk.call import CollectResult, Outcome, collect_data_from_dbt_cloud, flush_spool

__all__ = ["CollectResult", "Outcome", "collect_data_from_dbt_cloud", "flush_spool"]
