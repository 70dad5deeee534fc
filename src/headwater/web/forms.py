"""What a form sends, and who sends it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from litestar import Request

from headwater.observatory.audit import Actor

SIZE_LIMIT = 4096
"""Bytes of a form with a few fields."""

NAMING_SIZE_LIMIT = 256 * 1024
"""Bytes of a form that may name every account there is."""


def read_form(body: bytes) -> dict[str, str]:
    """Read the fields of a form, the first of each name, with the blanks around them."""
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def read_accounts(body: bytes) -> tuple[str, ...] | None:
    """Read which accounts a form names, None where it says every one."""
    fields = parse_qs(body.decode("utf-8", "replace"))
    return tuple(fields.get("account", ())) if fields.get("sees") == ["named"] else None


def address_of(request: Request[Any, Any, Any]) -> str:
    """Give the address a request came from; behind a proxy that is named, what the proxy says."""
    return request.client.host if request.client is not None else ""


def actor_of(request: Request[Any, Any, Any]) -> Actor:
    """Give who asks and from where, for the audit log."""
    return Actor(name=request.scope["user"].name, address=address_of(request))
