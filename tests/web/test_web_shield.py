"""The shield: the headers of every answer, the hosts that are answered for, HEAD."""

import pytest

from headwater.web.shield import HEADERS


def break_down(*_):
    raise RuntimeError("hw_a_secret")


@pytest.fixture
def broken(serve_door):
    with serve_door(list_jobs=break_down) as site:
        yield site


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/static/app.css", 200),
        ("GET", "/healthz", 200),
        ("GET", "/runs?limit=x", 400),
        ("GET", "/api/v1/runs?created_from=yesterday", 400),
        ("GET", "/nowhere", 404),
        ("GET", "/runs/acme/404", 404),
        ("GET", "/api/v1/runs/acme/404", 404),
        ("GET", "/static/nothing.css", 404),
        ("DELETE", "/runs", 405),
        ("OPTIONS", "/runs", 204),
        ("GET", "/jobs", 500),
        ("GET", "/api/v1/jobs", 500),
    ],
)
def test_every_answer_carries_the_headers(broken, tokens, method, path, status):
    """Whatever the status, the browser is told to run nothing but our own files."""
    reply = broken.ask(path, method, token=tokens["admin"])

    assert reply.status == status
    assert {name: reply.headers[name] for name in HEADERS} == HEADERS
    assert reply.headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")
    assert "server" not in reply.headers
    assert b"hw_a_secret" not in reply.body


def test_refusals_carry_the_headers_and_no_cookie(site):
    """Who is not logged in gets no session, neither from a page nor from the API."""
    for path, status in (("/", 303), ("/api/v1/runs", 401), ("/login", 200)):
        reply = site.ask(path)

        assert reply.status == status
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS
        assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "", "[::1", "127.0.0.1@evil.example"]
)
def test_other_host_names_are_not_answered_for(site, tokens, host):
    """A foreign name that was pointed at this machine gets nothing, even with a token."""
    reply = site.ask("/api/v1/runs", token=tokens["admin"], headers={"Host": host})

    assert reply.status == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8787", "LOCALHOST", "[::1]:8787"])
def test_the_names_of_this_machine_are_answered_for(site, host):
    """Loopback answers by each of its names, with any port."""
    assert site.ask("/healthz", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/runs", "/jobs.json", "/api/v1/accounts", "/static/app.css", "/healthz", "/login"]
)
def test_head_answers_wherever_get_does(site, tokens, path):
    """HEAD has the status and the headers of GET, and no body."""
    got, head = (site.ask(path, method, token=tokens["viewer"]) for method in ("GET", "HEAD"))

    assert (head.status, head.body) == (got.status, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


def test_a_fault_of_ours_is_a_page_with_a_number(broken, observatory):
    """A browser gets a page that names the fault for the log, and nothing from inside."""
    from headwater.observatory.sessions import create_login_link, redeem_link

    session = redeem_link(observatory, create_login_link(observatory).reveal()).reveal()
    reply = broken.ask("/jobs", session=session)

    assert reply.status == 500
    assert "under fault" in reply.text
    assert "RuntimeError" not in reply.text


def test_configured_names_are_answered_for_too(serve_door):
    """A name that was allowed is answered for, and no other."""
    with serve_door(allowed_hosts=["Headwater.internal"]) as site:
        assert site.ask("/healthz", headers={"Host": "headwater.internal:80"}).status == 200
        assert site.ask("/healthz", headers={"Host": "other.internal"}).status == 400
