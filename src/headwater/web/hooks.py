"""Where dbt Cloud calls: an announcement is verified and kept, and answered before anything is done about it."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, post
from litestar.params import FromPath, RawBody

from headwater.observatory.webhooks import Heard
from headwater.web.api import Health
from headwater.web.door import door_of
from headwater.web.guard import SIGNED

SIZE_LIMIT = 1024 * 1024
"""Bytes of one announcement; those of dbt Cloud have about one thousand."""

_STATUS = {Heard.REFUSED: 401, Heard.FULL: 503}


@post("/hooks/dbt/{hook_id:str}", role=SIGNED, sync_to_thread=True, status_code=200, request_max_body_size=SIZE_LIMIT)
def hear_dbt(request: Request[Any, Any, Any], hook_id: FromPath[str], body: RawBody) -> Response[Health]:
    """Take an announcement that dbt Cloud signed; 401 for everybody else, 503 while too many wait."""
    heard = door_of(request).hear(hook_id, body, request.headers.get("authorization", ""))
    return Response(Health(status=heard), status_code=_STATUS.get(heard, 200))
