"""The ASGI application: who asks, what befalls the request, who answers, and how it goes out.

Plain ASGI and not a framework, because the answers to `//`, to a wrong method and to a trailing slash must
be dbt Cloud's, and because connections are to break in the middle of an answer.
"""

import asyncio
import gzip
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from headwater.simulator import api_config, api_jobs, api_runs, api_webhooks
from headwater.simulator.answers import (
    HTML,
    Answer,
    RefusedError,
    bad_request,
    denied,
    method_not_allowed,
    not_found,
    unauthorized,
)  # fmt: skip
from headwater.simulator.cloud import Cloud
from headwater.simulator.control import Control
from headwater.simulator.faults import Fault, fault_answer, too_many_requests
from headwater.simulator.query import Query
from headwater.simulator.routing import Asked, Params, Route, Router
from headwater.simulator.world import Account, Token

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_ROOT = b"<!doctype html><title>dbt Cloud</title><h1>A simulated dbt Cloud</h1>"
_SLOW_PIECES = 8
_WORTH_PACKING = 500
_TELL_SECONDS = 0.1


class App:
    """Serves one simulated dbt Cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._control = Control(cloud)
        self._router = Router(api_config.routes() + api_jobs.routes() + api_runs.routes() + api_webhooks.routes())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = await _read(receive)
        path: str = scope["path"]
        if path.startswith("/_simulator/"):
            await _send(self._control.answer(scope, body), scope, send)
            return
        await self._serve(scope, body, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Tell webhooks what happens, for as long as the server is up."""
        cloud = self._cloud
        await receive()
        cloud.deliveries.start()
        telling = asyncio.create_task(self._tell())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        telling.cancel()
        cloud.deliveries.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            self._cloud.webhooks.tell(self._cloud, self._cloud.deliveries)

    async def _serve(self, scope: Message, body: bytes, send: Send) -> None:
        cloud, path = self._cloud, scope["path"]
        cloud.ledger.begin()
        token = self._token(scope)
        account_id = token.account_id if token else None
        found = self._router.find(path)
        fault = cloud.faults.pick(path, account_id) if path != "/" else None
        answer = self._answer(scope, body, token, found, fault)
        if cloud.assumptions.compresses:
            answer = _packed(answer, scope)
        if answer.status == 429 and account_id is not None and answer.headers:
            seconds = fault.seconds if fault else cloud.settings.rate_limit_cooldown_seconds
            cloud.ledger.wait(account_id, seconds)
        route = found[0].pattern if found else path
        line = f"{scope['method']} {path}?{scope['query_string'].decode('latin-1')}".rstrip("?")
        try:
            await _deliver(answer, fault, scope, send)
        finally:
            cloud.ledger.end(account_id, route, answer.status, f"{line} {answer.status}")

    def _answer(
        self, scope: Message, body: bytes, token: Token | None, found: tuple[Route, Params] | None, fault: Fault | None
    ) -> Answer:
        """The answer before anything happens to it on its way."""
        if fault and fault.is_before_handling:
            return fault_answer(fault.kind, fault.seconds, self._cloud.assumptions, self._cloud.clock.client_now())
        if scope["path"] == "/":
            return Answer(200, _ROOT, HTML)
        try:
            if found is None:
                raise not_found()
            route, params = found
            account = self._admitted(token, params)
            asked = Asked(
                method="GET" if scope["method"] == "HEAD" else scope["method"],
                path=scope["path"],
                query=Query.read(scope["query_string"]),
                body=body,
                params=params,
                account=account[0],
                token=account[1],
                now=self._cloud.now(),
            )
            return self._handled(route, asked, fault)
        except RefusedError as refused:
            return refused.answer

    def _token(self, scope: Message) -> Token | None:
        """The token of the header, `Token` or `Bearer` (dbt Cloud API: authentication)."""
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, secret = header.decode("latin-1").partition(" ")
        if scheme.lower() not in {"token", "bearer"}:
            return None
        token = self._cloud.tokens.get(secret.strip())
        return None if token and token.secret in self._cloud.faults.revoked_tokens else token

    def _admitted(self, token: Token | None, params: Params) -> tuple[Account, Token]:
        """The account and token, once all that could forbid the request was asked."""
        if token is None:
            raise unauthorized()
        wait = self._cloud.ledger.admit(token.account_id)
        if wait:
            raise RefusedError(too_many_requests(wait, self._cloud.assumptions, self._cloud.clock.client_now()))
        if token.kind == "ip_blocked":
            raise denied(token.account_id, token.id, is_service_token=token.user is None)
        account = self._cloud.account_for(token)
        asked_for = params.get("account_id")
        is_hidden = asked_for is not None and account.id in self._cloud.faults.hidden_accounts
        if is_hidden or asked_for not in (None, str(account.id)):
            raise not_found()
        return account, token

    def _handled(self, route: Route, asked: Asked, fault: Fault | None) -> Answer:
        """What the handler answers, unless it is forbidden or lied about."""
        handler = route.handlers.get(asked.method)
        if handler is None:
            raise method_not_allowed(asked.method)
        if route.permission and route.permission not in asked.token.permissions:
            raise api_config.refuse_permission(self._cloud)
        if asked.method != "GET" and "write" not in asked.token.permissions:
            raise api_config.refuse_permission(self._cloud)
        if route.pattern.endswith("/runs/"):
            asked = self._control.behind(asked, fault)
        try:
            answer = handler(self._cloud, asked)
        except (AttributeError, TypeError, ValueError) as error:
            # A handler trusts the types of a body that it was sent; without one the fault is ours.
            if not asked.body:
                raise
            raise bad_request(f"Invalid body: {error}.") from error
        if fault and fault.kind == "corrupt_artifact" and "/artifacts/" in asked.path and answer.status == 200:
            return api_runs.corrupt(answer)
        return answer


def _packed(answer: Answer, scope: Message) -> Answer:
    """An answer in gzip, for a client that says it takes that."""
    accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
    if b"gzip" not in accepted or len(answer.body) < _WORTH_PACKING:
        return answer
    headers = (*answer.headers, ("content-encoding", "gzip"), ("vary", "accept-encoding"))
    return replace(answer, body=gzip.compress(answer.body, 1, mtime=0), headers=headers)


async def _read(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(pieces)


async def _deliver(answer: Answer, fault: Fault | None, scope: Message, send: Send) -> None:
    """Send an answer whole, in part, slowly or not at all."""
    kind = fault.kind if fault else None
    if kind in ("reset_before", "reset_after"):
        _reset(send)
    elif kind == "truncated_body":
        await send(_start(answer))
        await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
        _reset(send)
    elif kind == "slow_body" and fault:
        await send(_start(answer))
        size = len(answer.body) // _SLOW_PIECES + 1
        for begin in range(0, len(answer.body), size):
            await asyncio.sleep(fault.seconds / _SLOW_PIECES)
            piece = answer.body[begin : begin + size]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await _send(answer, scope, send)


async def _send(answer: Answer, scope: Message, send: Send) -> None:
    await send(_start(answer))
    body = b"" if scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})


def _start(answer: Answer) -> Message:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    if answer.status != 204:
        headers.append((b"content-type", answer.content_type.encode()))
        headers.append((b"content-length", b"%d" % len(answer.body)))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


def _reset(send: Send) -> None:
    """Break the connection off, with a reset and not a polite end; uvicorn's sender knows its transport."""
    transport = send.__self__.transport  # type: ignore[attr-defined]  # a bound method of uvicorn's cycle
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
