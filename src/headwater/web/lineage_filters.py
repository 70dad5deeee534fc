"""What a query string asks of the explorer of the lineage, and the way back, so that a link carries the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from headwater.errors import WrongUse
from headwater.model.lineage import Direction
from headwater.observatory.explorer import COLLAPSES, LEVELS, LineageQuestion
from headwater.web.filters import read_time, read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COLOURS = ("state", "age", "duration")
DEPTHS = ("1", "2", "3", "5", "all")
PAGE_ROWS = 200
_NAMES = (
    "ref", "account", "project", "environment", "at", "direction", "depth", "collapse", "opened", "more", "path",
    "reach", "tests", "colour", "view", "offset",
)  # fmt: skip
_MOST_LEVELS = 99
_BETWEEN = "|"
"""What stands between several names in one parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageRequest:
    """A view of the lineage; `given` holds what was asked as written."""

    lineage: LineageQuestion
    colour: str
    offset: int
    given: dict[str, str]

    def link(self, to: str = "/lineage", /, **changes: str | int | None) -> str:
        """Give the address of this view with some of it changed; None takes a part out."""
        asked = {**self.given, **changes}
        query = urlencode({name: value for name, value in asked.items() if value not in {None, ""}})
        return f"{to}?{query}" if query else to

    def with_opened(self, group: str) -> str:
        """Give the address of this view with the nodes of a group shown."""
        return self.link(opened=_BETWEEN.join((*self.lineage.opened, group)), view=None, offset=None)

    def around(self, unique_id: str, account: str, project_id: int, environment_id: int) -> str:
        """Give the address of the view around another node."""
        place: dict[str, str | int | None] = {"account": account, "project": project_id, "environment": environment_id}
        gone = dict.fromkeys(("more", "path", "reach", "view", "offset"))
        return self.link(**{"ref": unique_id, **place, **gone})


def lineage_link(path: Iterable[str] = (), **asked: str | int | None) -> str:
    """Give the address of a view; `path` are the unique_ids from a cause to the node that is asked for."""
    named = {**asked, "path": _BETWEEN.join(path)}
    query = urlencode({name: value for name, value in named.items() if value not in {None, ""}})
    return f"/lineage?{query}" if query else "/lineage"


def read_lineage_question(query: Mapping[str, str]) -> LineageRequest:
    """Read which view a query string asks for; what a form left empty was not asked.

    Raises:
        WrongUse: a part of it cannot be read.
    """
    given = {name: query[name].strip() for name in _NAMES if query.get(name, "").strip()}
    depth = given.get("depth", str(LEVELS)).lower()
    collapse = _one_of(given, "collapse", COLLAPSES, "")
    return LineageRequest(
        lineage=LineageQuestion(
            ref=given.get("ref"),
            account=given.get("account"),
            project=given.get("project"),
            environment=given.get("environment"),
            at=read_time("at", given["at"]) if "at" in given else None,
            direction=Direction(_one_of(given, "direction", tuple(Direction), Direction.BOTH)),
            depth=None if depth == "all" else read_whole({"depth": depth}, "depth", LEVELS, 1, _MOST_LEVELS),
            collapse=collapse or None,
            opened=_several(given.get("opened", "")),
            more=_several(given.get("more", "")),
            path=_several(given.get("path", "")),
            with_reach=_is_yes(given, "reach"),
            with_tests=_is_yes(given, "tests"),
        ),
        colour=_one_of(given, "colour", COLOURS, "state"),
        offset=read_whole(given, "offset", 0, 0, 10**9),
        given=given,
    )


def _several(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in text.split(_BETWEEN) if part))


def _one_of(given: Mapping[str, str], name: str, known: tuple[str, ...], preset: str) -> str:
    said = given.get(name, preset).lower()
    if said not in known and said != preset:
        raise WrongUse(f"{name} is none of {', '.join(known)}.")
    return said


def _is_yes(given: Mapping[str, str], name: str) -> bool:
    said = given.get(name, "no").lower()
    if said not in {"yes", "no", "true", "false", "1", "0"}:
        raise WrongUse(f"{name} is neither yes nor no.")
    return said in {"yes", "true", "1"}
