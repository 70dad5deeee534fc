"""What runs inside an Airflow task: collect a run or a dbt project's artifacts and send them, never in its way."""

from headwater.sdk.call import CollectResult, collect_data_from_dbt_cloud
from headwater.sdk.core import CollectedInvocation, CoreResult, collect_data_from_dbt_core
from headwater.sdk.delivery import Outcome, flush_spool

__all__ = [
    "CollectResult",
    "CollectedInvocation",
    "CoreResult",
    "Outcome",
    "collect_data_from_dbt_cloud",
    "collect_data_from_dbt_core",
    "flush_spool",
]
