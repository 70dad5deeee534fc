"""Answers in dbt Cloud's envelopes, and its ways to refuse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

JSON = "application/json"
HTML = "text/html; charset=utf-8"
NOT_FOUND = "The requested resource was not found. Please check that you have the proper permissions."


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over the wire."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class RefusedError(Exception):
    """Ends the handling of a request with an answer that is not a success."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(status: int, document: Any, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Any JSON document."""
    return Answer(status, msgspec.json.encode(document), JSON, headers)


def single(data: Any, status: int = 200) -> Answer:
    """One object (dbt Cloud API: envelope)."""
    return json_answer(status, {"status": _status(status, "Success!", ""), "data": data})


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, with what a client needs to ask for the next."""

    items: Sequence[Any]
    total: int
    filters: Mapping[str, Any]
    order_by: str | None


def listing(data: Sequence[Any], page: Page) -> Answer:
    """A list with `extra` (dbt Cloud API: envelope)."""
    pagination = {"count": len(data), "total_count": page.total}
    extra = {"filters": page.filters, "order_by": page.order_by, "pagination": pagination}
    return json_answer(200, {"status": _status(200, "Success!", ""), "data": data, "extra": extra})


def refusal(status: int, message: str, developer_message: str | None = "", data: Any = None) -> RefusedError:
    """An error in the envelope (dbt Cloud API: errors)."""
    return RefusedError(json_answer(status, {"status": _status(status, message, developer_message), "data": data}))


def bad_request(message: str) -> RefusedError:
    """400: a filter, a limit or a body that cannot be."""
    return refusal(400, message)


def not_found() -> RefusedError:
    """404: not there, or not for this token."""
    return refusal(404, NOT_FOUND)


def unauthorized(message: str = "Invalid token.") -> RefusedError:
    """401: no token, or not one of this host."""
    return refusal(401, message, None)


def denied(account_id: int, token_id: int, *, is_service_token: bool) -> RefusedError:
    """403: the address is not on the account's list (dbt Cloud API: IP restrictions)."""
    data = {
        "account_id": account_id,
        "user_id": token_id,
        "is_service_token": is_service_token,
        "account_access_denied": True,
    }
    return refusal(403, "Forbidden: Access denied", "", data)


def method_not_allowed(method: str) -> RefusedError:
    """405, in the words of the framework behind dbt Cloud."""
    return RefusedError(json_answer(405, {"detail": f'Method "{method}" not allowed.'}))


def html_page(status: int, title: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A page as the proxy in front of dbt Cloud writes it."""
    text = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center></body></html>"
    return Answer(status, text.encode(), HTML, headers)


def _status(code: int, message: str, developer_message: str | None) -> dict[str, Any]:
    return {
        "code": code,
        "is_success": code < 400,
        "user_message": message,
        "developer_message": developer_message,
    }
