"""What a form sends, and who sends it."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NamingForm:
    """What stands in the form that names a user or an API token and says what is there for it, as it was sent."""

    name: str = ""
    role: str = ""
    days: str = "90"
    sees: str = "all"
    accounts: tuple[str, ...] = ()
    account_id: str = ""


def read_naming(body: bytes) -> NamingForm:
    """Read a form that names a user or an API token, or says which accounts are there for one."""
    sent = parse_qs(body.decode("utf-8", "replace"))
    fields = {name: values[0].strip() for name, values in sent.items()}
    return NamingForm(
        name=fields.get("name", ""),
        role=fields.get("role", ""),
        days=fields.get("days", "90"),
        sees=fields.get("sees", ""),
        accounts=tuple(sent.get("account", ())),
        account_id=fields.get("account_id", ""),
    )


def address_of(request: Request[Any, Any, Any]) -> str:
    """Give the address a request came from; behind a proxy that is named, what the proxy says."""
    return request.client.host if request.client is not None else ""


def actor_of(request: Request[Any, Any, Any]) -> Actor:
    """Give who asks and from where, for the audit log."""
    return Actor(name=request.scope["user"].name, address=address_of(request))
