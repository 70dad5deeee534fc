"""dbt's artifacts: from the bytes of a file to the model, tolerant of every dbt version there has been."""

from headwater.artifacts._fingerprint import fingerprint_manifest
from headwater.artifacts.catalog import read_catalog
from headwater.artifacts.compiled import read_compiled_code
from headwater.artifacts.manifest import read_manifest
from headwater.artifacts.metadata import read_kind, read_metadata
from headwater.artifacts.run_results import read_run_results
from headwater.artifacts.sources import read_sources

__all__ = [
    "fingerprint_manifest",
    "read_catalog",
    "read_compiled_code",
    "read_kind",
    "read_manifest",
    "read_metadata",
    "read_run_results",
    "read_sources",
]
