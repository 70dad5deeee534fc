"""The way back from an act: kept in the browser of who acted, for a few minutes, and never in an address.

What stands in an address anybody can make up, and who follows such a link would be offered to "undo" what nobody did.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import Cookie

from headwater.web.guard import is_https

_NAME = "headwater_undo"
_SECONDS = 600
_LONGEST = 3_500
"""Browsers keep 4,096 bytes of a cookie, name and attributes included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The form that takes an act back: where it is sent, and its fields."""

    action: str
    fields: tuple[tuple[str, str], ...] = ()


def remember(request: Request[Any, Any, Any], undo: Undo) -> Cookie:
    """Make the cookie that holds the way back; one that is too long for a cookie is not offered."""
    value = base64.urlsafe_b64encode(msgspec.json.encode(undo)).decode().rstrip("=")
    is_kept = len(value) <= _LONGEST
    return Cookie(
        key=_name(request),
        value=value if is_kept else "",
        max_age=_SECONDS if is_kept else 0,
        httponly=True,
        samesite="strict",
        secure=is_https(request),
        path="/",
    )


def recall(request: Request[Any, Any, Any], place: str) -> Undo | None:
    """Give the way back from what was done last, where it was done below a place such as `/accounts/acme/`."""
    value = request.cookies.get(_name(request), "")
    try:
        undo = msgspec.json.decode(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)), type=Undo)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    return undo if undo.action.startswith(place) else None


def _name(request: Request[Any, Any, Any]) -> str:
    return f"__Host-{_NAME}" if is_https(request) else _NAME
