"""Badges: the state of a node, or how a job's last run ended, as a small picture for another page."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter

from headwater.errors import NotKnown
from headwater.observatory.access import Role
from headwater.observatory.runs import RunFilter
from headwater.web.api import Words, given_of
from headwater.web.door import door_of
from headwater.web.lineage_svg import LIGHT
from headwater.web.node_filters import read_node_question
from headwater.web.render import render
from headwater.web.words import look_of, look_of_state, say_day

_SVG = "image/svg+xml"
_CHARACTER = 6.4
"""Pixels of a character at 11 px; the text is fitted to what it is given, whatever the font."""
_LONGEST = 40
_EDGE = 8
_SHAPE = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """What a badge says: a name, and a state as a word with its look. Widths are pixels."""

    name: str
    state: str
    look: str

    @property
    def name_width(self) -> float:
        """How wide the name is."""
        return round(len(self.name) * _CHARACTER, 1)

    @property
    def state_width(self) -> float:
        """How wide the word of the state is."""
        return round(len(self.state) * _CHARACTER, 1)

    @property
    def split(self) -> float:
        """Where the name's half ends."""
        return self.name_width + 2 * _EDGE

    @property
    def width(self) -> float:
        """How wide all of it is."""
        return round(self.split + _SHAPE + self.state_width + 2 * _EDGE, 1)


@get("/badges/nodes.svg", role=Role.VIEWER, sync_to_thread=True)
def node_badge(
    request: Request[Any, Any, Any],
    ref: Annotated[str | None, QueryParameter(description="As of a node. Needed.")] = None,
    account: Words = None,
    project: Words = None,
    environment: Words = None,
) -> Response[bytes]:
    """Give the state of a node as a picture, and since when where it is not well."""
    told = {"ref": ref, "account": account, "project": project, "environment": environment}
    verdict = door_of(request).get_verdict(read_node_question(given_of(**told)).node)
    since = verdict.since if verdict.state != "healthy" else None
    return _answer(request, draw_badge(verdict.name, verdict.state, look_of_state(verdict.state), since))


@get("/badges/jobs/{account:str}/{picture:str}", role=Role.VIEWER, sync_to_thread=True)
def job_badge(request: Request[Any, Any, Any], account: FromPath[str], picture: FromPath[str]) -> Response[bytes]:
    """Give how the newest run of a job stands or ended, and when; `picture` is the job's number with `.svg`."""
    number = picture.removesuffix(".svg")
    if number == picture or not (number.isascii() and number.isdigit() and len(number) < 19):
        raise NotFoundException
    runs = door_of(request).list_runs(RunFilter(account=account, job=number), 1, 0).runs
    if not runs:
        raise NotKnown(f"No run of job {number} of {account} is stored.", hint="See the jobs for their numbers.")
    run = runs[0]
    return _answer(
        request, draw_badge(run.job_name or f"job {number}", run.status, look_of(run.status), run.created_at)
    )


def draw_badge(name: str, state: str, look: str, at: datetime | None) -> Badge:
    """Draw a badge; a long name is cut in the middle, where names differ least."""
    said = state if at is None else f"{state} {say_day(at)} {at:%H:%M}"
    return Badge(name=name if len(name) <= _LONGEST else f"{name[:19]}…{name[-20:]}", state=said, look=look)


def _answer(request: Request[Any, Any, Any], badge: Badge) -> Response[bytes]:
    """Answer with the picture, or with 304 where whoever asks has it already."""
    content = render("badge.svg", badge=badge, palette=LIGHT).encode()
    etag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"etag": etag, "vary": "Cookie, Authorization"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=_SVG)
    return Response(content, headers=headers, media_type=_SVG)
