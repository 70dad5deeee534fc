"""What the explorer of the lineage is given: columns instead of objects, so that 50,000 nodes are few bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from headwater.model.verdict import NodeState


class Glance(NamedTuple):
    """A node's state, when it ran last, and how long that took, in seconds."""

    state: NodeState
    at: datetime | None
    elapsed: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineagePlace:
    """An account, a project and an environment that nodes of a view stand in."""

    account: str
    project_id: int
    project_name: str | None
    environment_id: int
    environment_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageReport:
    """A view of the lineage: what is drawn, where, and what leads to what; an entry of each column for each thing.

    A thing is a node, or several of a folder, a group or a project drawn as one.
    """

    etag: str
    sentence: str
    collapse: str
    total: int
    shown: int
    node_width: int
    node_height: int
    group_height: int
    pitch: int
    width: int
    height: int
    focus: int | None
    path: tuple[int, ...]
    reached: tuple[int, ...]
    places: tuple[LineagePlace, ...]
    resource_types: tuple[str, ...]
    unique_ids: tuple[str | None, ...]
    names: tuple[str, ...]
    counts: tuple[int, ...]
    place_numbers: tuple[int, ...]
    resource_type_numbers: tuple[int, ...]
    x: tuple[int, ...]
    y: tuple[int, ...]
    hidden_parents: tuple[int, ...]
    hidden_children: tuple[int, ...]
    sources: tuple[int, ...]
    targets: tuple[int, ...]
    bends: dict[int, tuple[int, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageStates:
    """The states of the things of a view, in its order; `of` is the view's etag.

    A state is read from what happened last to a node and to the tests that read it alone. What several nodes are drawn
    as has the worst of theirs, the oldest end and all their time; `state_counts` counts their states.
    """

    of: str
    etag: str
    states: tuple[str, ...]
    state_numbers: tuple[int, ...]
    state_counts: dict[int, dict[str, int]]
    ran_at: tuple[int | None, ...]
    elapsed_seconds: tuple[float | None, ...]
    as_of: datetime
