"""Browser windows of people who are logged in, for the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from web_people import log_in_as

from headwater.observatory.access import Role
from headwater.observatory.holder import Observatory
from headwater.web.guard import COOKIE


@contextmanager
def open_logged_in(
    browser: Any,
    site: Any,
    observatory: Observatory,
    path: str = "/",
    *,
    role: Role = Role.VIEWER,
    width: int = 1280,
    **options: Any,
) -> Iterator[Any]:
    """Open a page in a window of somebody with a role; what the browser complains about fails the test."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    context.set_default_timeout(6000)
    context.add_cookies([{"name": COOKIE, "value": log_in_as(observatory, role), "url": site.url}])
    window, complaints = context.new_page(), []
    window.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    window.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        assert window.goto(site.url + path).status == 200
        yield window
        assert complaints == []
    finally:
        context.close()
