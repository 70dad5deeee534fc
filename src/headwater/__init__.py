"""Headwater says why a dbt table is late, wrong or gone, and what that reaches."""

from headwater.sdk import CollectResult, Outcome, collect_data_from_dbt_cloud

__all__ = ["CollectResult", "Outcome", "collect_data_from_dbt_cloud"]
