"""What questions about lineage return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from headwater.model.node import Relation
from headwater.store.writing import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRow:
    """A project and environment of which manifests are stored; `current_at` is when dbt parsed there last."""

    account_key: int
    account_name: str
    project_id: int
    project_name: str | None
    environment_id: int
    environment_name: str | None
    deployment_type: str | None
    current_at: datetime

    @property
    def scope(self) -> Scope:
        """Whose nodes it holds."""
        return Scope(self.account_key, self.project_id, self.environment_id)

    @property
    def is_production(self) -> bool:
        """Whether questions that name no environment are answered from here."""
        return self.deployment_type == "production"

    @property
    def role(self) -> str:
        """What makes environments of several projects belong together: deployment type, or the name without one."""
        return self.deployment_type or (self.environment_name or "").casefold()


class LineageRow(Struct, frozen=True, gc=False):
    """A node of a manifest as the catalogue and the graph need it; `owner` is an exposure's own."""

    node_key: int
    version: bytes
    unique_id: str
    resource_type: str
    name: str
    relation: Relation | None
    materialized: str | None
    owner: str | None
    group: str | None
    tags: tuple[str, ...]
    parents: tuple[str, ...]

    @property
    def is_ephemeral(self) -> bool:
        """Whether it is a model without a relation of its own."""
        return self.materialized == "ephemeral"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestUse:
    """From when on a manifest held, and the run that brought it, where it was one."""

    manifest_key: int
    run_id: int | None
    used_at: datetime
