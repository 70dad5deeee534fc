"""Headwater says why a dbt table is late, wrong or gone, and what that reaches."""

from headwater.sdk import (
    CollectResult,
    CoreResult,
    Outcome,
    collect_data_from_dbt_cloud,
    collect_data_from_dbt_core,
)

__all__ = ["CollectResult", "CoreResult", "Outcome", "collect_data_from_dbt_cloud", "collect_data_from_dbt_core"]
