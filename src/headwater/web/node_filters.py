"""What a query string asks of nodes and of the catalogue, and the way back, for links."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from headwater.errors import WrongUse
from headwater.observatory.catalog import CatalogFilter
from headwater.observatory.references import NodeQuestion
from headwater.web.filters import MOST_ROWS, PAGE_SIZE, read_time, read_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

_NODE_NAMES = ("ref", "account", "project", "environment", "run", "at", "ephemeral")
_CATALOG_NAMES = tuple(field.name for field in fields(CatalogFilter))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRequest:
    """The node that is asked for, and whether ephemeral models are shown; `given` holds what was asked as written."""

    node: NodeQuestion
    with_ephemeral: bool
    given: dict[str, str]

    def link(self, **changes: str | int | None) -> str:
        """Give the address of this question with some of it changed; None takes a part out."""
        return _link("/nodes", {**self.given, **changes})


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogQuestion:
    """A filter of the catalogue and the page of what fits it; `given` holds what was asked as it was written."""

    catalog: CatalogFilter
    limit: int
    offset: int
    given: dict[str, str]

    def link(self, **changes: str | int | None) -> str:
        """Give the address of this question with some of it changed; None takes a part out."""
        limit = {"limit": self.limit} if self.limit != PAGE_SIZE else {}
        return _link("/catalog", {**self.given, **limit, **changes})


def node_link(ref: str, account: str, project: str | int | None = None, environment: str | int | None = None) -> str:
    """Give the address of a node's page."""
    return _link("/nodes", {"ref": ref, "account": account, "project": project, "environment": environment})


def catalog_link(**asked: str | int | None) -> str:
    """Give the address of the nodes that fit."""
    return _link("/catalog", asked)


def read_node_question(query: Mapping[str, str]) -> NodeRequest:
    """Read which node a query string asks for, and as it was when.

    Raises:
        WrongUse: a part of it cannot be read.
    """
    given = {name: query[name].strip() for name in _NODE_NAMES if query.get(name, "").strip()}
    ephemeral = given.get("ephemeral", "no").lower()
    if ephemeral not in {"yes", "no", "true", "false", "1", "0"}:
        raise WrongUse("ephemeral is neither yes nor no.")
    return NodeRequest(
        node=NodeQuestion(
            ref=given.get("ref", ""),
            account=given.get("account"),
            project=given.get("project"),
            environment=given.get("environment"),
            run_id=read_whole(given, "run", 0, 1, 2**63 - 1) or None,
            at=read_time("at", given["at"]) if "at" in given else None,
        ),
        with_ephemeral=ephemeral in {"yes", "true", "1"},
        given=given,
    )


def read_catalog_question(query: Mapping[str, str]) -> CatalogQuestion:
    """Read what a query string asks of the catalogue; what a form left empty was not asked.

    Raises:
        WrongUse: a part of it cannot be read.
    """
    given = {name: query[name].strip() for name in _CATALOG_NAMES if query.get(name, "").strip()}
    at = {"at": read_time("at", given["at"])} if "at" in given else {}
    return CatalogQuestion(
        catalog=CatalogFilter(**{**given, **at}),  # type: ignore[arg-type]
        limit=read_whole(query, "limit", PAGE_SIZE, 1, MOST_ROWS),
        offset=read_whole(query, "offset", 0, 0, 10**9),
        given=given,
    )


def _link(path: str, asked: Mapping[str, str | int | None]) -> str:
    query = urlencode({name: value for name, value in asked.items() if value not in {None, ""}})
    return f"{path}?{query}" if query else path
