"""Live pages: one task looks at the store while somebody listens, and every page that is open is told."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from urllib.parse import urlsplit

import pytest
import urllib3
from sqlalchemy import event

from cloud import running_cloud, serving, watching
from conftest import Site
from headwater.errors import StoreBusy
from headwater.observatory import access, sessions
from headwater.observatory.access import Role
from headwater.observatory.audit import COMMAND_LINE
from headwater.observatory.jobs import list_jobs
from headwater.observatory.revision import get_revision
from headwater.observatory.syncing import sync_accounts
from headwater.web import live
from headwater.web.live import Broadcast
from program import Program, wait_for

MANY = 50
BAD = "storefront/nightly/bad_data"


def yes() -> bool:
    return True


def run(play: Coroutine[None, None, None]) -> None:
    """Run on an event loop of a thread's own: that of the tests may have one that a browser uses."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, play).result()


async def read(stream, count: int) -> list[str]:
    """Read so many messages of a stream, heartbeats and the first line left out."""
    found: list[str] = []
    async for message in stream:
        if message.startswith("event: "):
            found.append(message.split("data: ")[1].strip())
        if len(found) == count:
            break
    return found


def test_one_task_looks_for_all_and_ends_with_the_last_stream():
    """However many listen there is one look at a time; after the last stream is closed nobody looks any more."""
    looks = []

    def look() -> int:
        looks.append(1)
        return len(looks)

    async def play() -> None:
        broadcast, ending = Broadcast(look, period=0.01), asyncio.Event()
        assert not broadcast.is_looking
        streams = [broadcast.stream(yes, ending) for _ in range(MANY)]
        firsts = await asyncio.gather(*(read(stream, 2) for stream in streams))
        assert broadcast.streams == MANY
        assert len(looks) <= max(int(last) for _, last in firsts) + 1
        for stream in streams:
            await stream.aclose()
        assert broadcast.streams == 0
        while broadcast.is_looking:
            await asyncio.sleep(0)
        ended_at = len(looks)
        again = broadcast.stream(yes, ending)
        assert int((await read(again, 1))[0]) == ended_at + 1
        await again.aclose()

    run(play())


def test_a_slow_reader_gets_the_newest_revision_alone():
    """What was not read is not kept: the next message is the newest, whatever was stored in between."""
    stored = {"revision": 1}

    async def play() -> None:
        broadcast, ending = Broadcast(lambda: stored["revision"], period=0), asyncio.Event()
        slow, quick = broadcast.stream(yes, ending), broadcast.stream(yes, ending)
        assert await read(slow, 1) == await read(quick, 1) == ["1"]
        for revision in (2, 3, 4):
            stored["revision"] = revision
            assert await read(quick, 1) == [str(revision)]
        assert await read(slow, 1) == ["4"]
        await asyncio.gather(slow.aclose(), quick.aclose())

    run(play())


def test_behind_each_new_revision_pages_are_prepared_once_and_a_fault_of_that_ends_no_stream():
    """Whoever listens has what may be asked next worked out behind the news, once for each; a fault is nobody's."""
    stored, prepared = {"revision": 1}, []

    def prepare() -> None:
        prepared.append(stored["revision"])
        raise StoreBusy("The database is being written.", hint="Try again.")

    async def play() -> None:
        broadcast, ending = Broadcast(lambda: stored["revision"], prepare, period=0), asyncio.Event()
        stream = broadcast.stream(yes, ending)
        for revision in (1, 2, 3):
            stored["revision"] = revision
            assert await read(stream, 1) == [str(revision)]
            while len(prepared) < revision:
                await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        await stream.aclose()

    run(play())
    assert prepared == [1, 2, 3]


def test_pages_are_prepared_once_news_rest_and_again_for_what_came_meanwhile():
    """A burst of news is prepared for once at its end; what is stored while that goes on is not left out."""
    revisions, looks, begun = iter([1, 2, 3, 3, 4]), [], []

    def look() -> int:
        looks.append(next(revisions, 4))
        return looks[-1]

    def prepare() -> None:
        begun.append(len(looks))
        wait_for(lambda: looks[-2:] == [4, 4], "the next news to be seen twice")

    async def play() -> None:
        stream = Broadcast(look, prepare, period=0).stream(yes, asyncio.Event())
        await read(stream, 1)
        while len(begun) < 2 and len(looks) < 10_000:
            await asyncio.sleep(0)
        await stream.aclose()

    run(play())
    assert len(begun) == 2
    assert begun[0] >= 4


def test_streams_end_with_the_right_to_them_with_the_server_and_with_the_store():
    """Who may not listen any more is sent away and others stay; an end of the server or a fault ends all."""
    allowed = {"may": True}

    async def play() -> None:
        broadcast, ending = Broadcast(lambda: 7, period=0, check_period=0), asyncio.Event()
        mine = broadcast.stream(lambda: allowed["may"], ending)
        others = broadcast.stream(yes, ending)
        assert await read(mine, 1) == await read(others, 1) == ["7"]
        allowed["may"] = False
        assert await read(mine, 1) == []
        assert broadcast.streams == 1
        ending.set()
        assert await read(others, 1) == []
        while broadcast.is_looking:
            await asyncio.sleep(0)

        def fail() -> int:
            raise StoreBusy("The database is being written.", hint="Try again.")

        broken = Broadcast(fail, period=0)
        assert await read(broken.stream(yes, asyncio.Event()), 1) == []
        assert not broken.is_looking

    run(play())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two accounts of which a day was copied."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path_factory.mktemp("live"), days=1) as observatory:
        sync_accounts(observatory)
        with serving(observatory) as url, urllib3.PoolManager(maxsize=MANY + 4) as pool:
            yield cloud, observatory, Site(urlsplit(url).port, pool)


@contextmanager
def listening(site: Site, token: str):
    """Open a stream and give a way to wait for its next revision."""
    headers = {"Authorization": f"Bearer {token}"}
    with site.pool.request(
        "GET", f"{site.url}/api/v1/events", headers=headers, preload_content=False, timeout=60
    ) as reply:
        assert (reply.status, reply.headers["content-type"].split(";")[0]) == (200, "text/event-stream")
        lines = (line for chunk in reply.stream() for line in chunk.decode().splitlines())
        yield lambda: next(line for line in lines if line.startswith("data: "))


def count_queries(observatory, ask) -> int:
    """Count the statements that a question needs, what the one task looks at left out."""
    look = set(list_queries(observatory, partial(get_revision, observatory)))
    return len([statement for statement in list_queries(observatory, ask) if statement not in look])


def list_queries(observatory, ask) -> list[str]:
    """List the statements that a question needs."""
    told = []

    def note(_connection, _cursor, statement, *_):
        told.append(statement)

    event.listen(observatory.store.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(observatory.store.engine, "before_cursor_execute", note)
    return told


def test_fifty_streams_do_not_make_a_page_dearer(world):
    """With fifty real streams open a page answers with the same number of queries, and each of them hears the news."""
    cloud, observatory, site = world
    token = access.create_token(observatory, "listener", Role.VIEWER)[1].reveal()
    ask = partial(site.ask, "/runs", token=token)
    ask()
    alone = count_queries(observatory, ask)
    with ExitStack() as stack:
        streams = [stack.enter_context(listening(site, token)) for _ in range(MANY)]
        before = {following() for following in streams}
        assert len(before) == 1
        wait_for(lambda: count_queries(observatory, ask) == alone, "what is prepared behind the first look")
        cloud.simulator.control("POST", "runs", {"job_id": find_job(observatory), "recording_id": BAD})
        sync_accounts(observatory)
        after = {following() for following in streams}
    assert len(after) == 1
    assert after != before


def test_more_streams_than_the_server_holds_are_refused(world):
    """The first stream past the limit is answered with 503 and where else to ask."""
    _, observatory, site = world
    token = access.create_token(observatory, "crowd", Role.VIEWER)[1].reveal()
    with ExitStack() as stack, urllib3.PoolManager(maxsize=live.MOST_STREAMS) as pool:
        crowd = Site(site.port, pool)
        for _ in range(live.MOST_STREAMS):
            stack.enter_context(listening(crowd, token))()
        refused = site.ask("/api/v1/events", token=token)

    assert refused.status == 503
    assert "/api/v1/revision" in refused.json["error"]["hint"]


def find_job(observatory) -> int:
    jobs = list_jobs(observatory, days=1).jobs
    return next(job.job_id for job in jobs if job.account == "first" and "ightly" in job.job_name)


def test_a_run_is_seen_from_queued_to_error_without_a_reload(world, browser):
    """The page of the runs shows each status as it comes; what was opened and the window itself stay."""
    cloud, observatory, site = world
    sync_accounts(observatory)
    with browser.new_context() as context:
        context.set_default_timeout(60_000)
        window = context.new_page()
        window.goto(f"{site.url}/login#{sessions.create_login_link(observatory).reveal()}")
        window.wait_for_url(f"{site.url}/")
        window.goto(f"{site.url}/runs?account=first")
        window.evaluate("window.wasHere = true")
        order = {"job_id": find_job(observatory), "recording_id": BAD, "queue_seconds": 60, "duration_seconds": 600}
        run_id = cloud.simulator.control("POST", "runs", order)["id"]
        row = window.locator("tr", has=window.locator(f'a[href="/runs/first/{run_id}"]'))
        for seconds, status in ((1, "queued"), (300, "running"), (900, "error")):
            cloud.advance(seconds)
            sync_accounts(observatory)
            row.filter(has_text=status).first.wait_for()
        assert window.evaluate("window.wasHere")


def test_a_hidden_page_does_not_listen(world, browser):
    """The stream is closed when the page is hidden, and opened when somebody looks again."""
    _, observatory, site = world
    with browser.new_context() as context:
        window = context.new_page()
        window.goto(f"{site.url}/login#{sessions.create_login_link(observatory).reveal()}")
        window.wait_for_url(f"{site.url}/")
        window.locator("body.is-live").wait_for()
        hide = "Object.defineProperty(document, 'hidden', { value: %s, configurable: true });"
        told = "document.dispatchEvent(new Event('visibilitychange'))"
        with window.expect_event("requestfailed", lambda request: request.url.endswith("/events")):
            window.evaluate(hide % "true" + told)
        with window.expect_request("**/api/v1/events"):
            window.evaluate(hide % "false" + told)


def test_where_there_is_no_stream_the_page_asks(world, browser):
    """A stream that is refused is replaced by questions, and the page is live all the same."""
    _, observatory, site = world
    with browser.new_context() as context:
        window = context.new_page()
        context.route("**/api/v1/events", lambda route: route.fulfill(status=503, body=""))
        window.goto(f"{site.url}/login#{sessions.create_login_link(observatory).reveal()}")
        with window.expect_response("**/api/v1/revision"):
            window.wait_for_url(f"{site.url}/")
        window.locator("body.is-live").wait_for()
        assert window.locator("body.is-cut").count() == 0


def test_who_logs_out_elsewhere_hears_nothing_any_more(world):
    """A stream whose session ended is closed by the server at its next check, and is not opened again."""
    _, observatory, site = world
    session = sessions.redeem_link(observatory, sessions.create_login_link(observatory).reveal())
    headers = {"Cookie": f"headwater_session={session.reveal()}"}
    address = f"{site.url}/api/v1/events"
    with site.pool.request("GET", address, headers=headers, preload_content=False, timeout=60) as reply:
        sessions.end_session(observatory, session.reveal(), by=COMMAND_LINE)
        heard = b"".join(reply.stream())

    assert heard.startswith(b"retry:")
    assert site.ask("/api/v1/events", session=session.reveal()).status == 401


def test_the_program_ends_while_pages_listen(tmp_path):
    """`headwater serve` ends with status 0 on SIGTERM with streams open, and does not have to give them up."""
    program = Program(tmp_path)
    token = program.run("token", "create", "listener", "--role", "viewer").out.split()[0]
    with program.running("serve", "--port", "0") as process, urllib3.PoolManager() as pool:
        said = wait_for(lambda: program.output().partition("Headwater is on ")[2].partition("\n")[0], "the address")
        site = Site(urlsplit(said).port, pool)
        with listening(site, token) as following:
            following()
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(60) == 0
            with pytest.raises(StopIteration):
                following()
    assert program.errors() == ""
