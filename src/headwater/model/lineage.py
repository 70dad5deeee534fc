"""Lineage: what a node is known by across accounts, projects and environments, and what it is made from."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class NodeAddress(NamedTuple):
    """What a node is known by: what is said of it belongs to an environment."""

    account_key: int
    project_id: int
    environment_id: int
    unique_id: str


class LineageNode(Struct, frozen=True, gc=False):
    """A node of the graph and its parents; an ephemeral model stands in no table, its code in its children's."""

    address: NodeAddress
    parents: tuple[NodeAddress, ...] = ()
    is_ephemeral: bool = False


class Direction(StrEnum):
    """Where to look from a node."""

    BOTH = "both"
    UP = "up"
    DOWN = "down"

    @property
    def is_up(self) -> bool:
        """Whether what a node is made from is looked at."""
        return self is not Direction.DOWN

    @property
    def is_down(self) -> bool:
        """Whether what is made from a node is looked at."""
        return self is not Direction.UP
