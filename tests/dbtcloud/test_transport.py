"""What the transport makes of well-behaved and of evil servers, over real sockets."""

from __future__ import annotations

import gzip
import pickle
import socket
import ssl
import subprocess
import threading
import traceback
import zlib
from pathlib import Path

import pytest
from evil_server import Behaviour, EvilServer, answer, drips, repeats, says, then_closes, then_resets, waits

from headwater.dbtcloud.deadline import Deadline, NoAnswer, connect
from headwater.dbtcloud.retry import Failure
from headwater.dbtcloud.transport import Answer, Request, open_transport
from headwater.errors import AnswerUnreadable, ConfigurationInvalid, HeadwaterError, OriginRefused, TokenRejected
from headwater.model.secret import Secret

CANARY = "dbtc_canary-7f3a9"
JSON = b'{"data": []}'


def send(
    server: EvilServer, *, deadline: float = 5.0, path: str = "/api/v2/", limit: int = 100_000, **options
) -> Answer:
    with open_transport(deadline=deadline, **options) as transport:
        return transport.send(Request(url=server.origin + path, token=Secret(CANARY), limit=limit))


def shown(error: BaseException) -> str:
    """Everything that a log could show of an error, the local variables of every frame but the test's included."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert whole.stack
    for frame in whole.stack:
        frame.locals = None if frame.filename == __file__ else frame.locals
    return "".join(whole.format()) + repr(error) + str(error) + repr(vars(error))


def test_a_request_carries_the_token_and_asks_for_gzip_alone() -> None:
    """The header is dbt Cloud's `Token`, the body may be gzip and nothing else."""
    with EvilServer(says(answer(JSON, "X-Kind: Good"))) as server:
        got = send(server, path="/api/v2/accounts/1/?limit=1")
    assert (got.status, got.body, got.headers["x-kind"]) == (200, JSON, "Good")
    head = server.requests[0].decode().lower()
    assert head.startswith("get /api/v2/accounts/1/?limit=1 http/1.1")
    assert f"authorization: token {CANARY}" in head
    assert "accept-encoding: gzip\r\n" in head


def test_a_request_shows_nothing_of_its_token() -> None:
    """Printing a request is harmless, and so is trying to pickle it."""
    request = Request(url="https://cloud.getdbt.com/", token=Secret(CANARY))
    assert CANARY not in repr(request)
    with pytest.raises(TypeError):
        pickle.dumps(request)


def test_connections_are_kept_and_shared_by_threads() -> None:
    """Many requests of a few threads need no more connections than there are threads."""
    with EvilServer(says(answer(JSON))) as server, open_transport() as transport:
        request = Request(url=server.origin + "/")
        answers: list[bytes] = []

        def ask() -> None:
            answers.extend(transport.send(request).body for _ in range(25))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [JSON] * 100
    assert server.connections <= 4


@pytest.mark.parametrize("members", [1, 3])
def test_gzip_is_unpacked_also_where_it_is_several_in_one(members: int) -> None:
    """A gzip file may be the concatenation of several."""
    packed = b"".join(gzip.compress(JSON * 5000) for _ in range(members))
    with EvilServer(says(answer(packed, "Content-Encoding: gzip"))) as server:
        assert send(server, limit=10**7).body == JSON * 5000 * members


def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() -> None:
    """The limit is counted in unpacked bytes."""
    for headers, pack in (((), bytes), (("Content-Encoding: gzip",), gzip.compress)):
        with EvilServer(says(answer(pack(b"x" * 70_000), *headers))) as server:
            assert len(send(server, limit=70_000).body) == 70_000
            with pytest.raises(AnswerUnreadable, match="larger than 69999 bytes"):
                send(server, limit=69_999)


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    """A server may close a kept connection at any time."""
    with EvilServer(then_closes(answer(JSON))) as server, open_transport() as transport:
        for _ in range(3):
            assert transport.send(Request(url=server.origin + "/")).body == JSON
            assert server.done.acquire(timeout=60)
    assert server.connections == 3


BOMB = gzip.compress(b"0" * 50_000_000)
GZIPPED = gzip.compress(JSON * 1000)
DEEP = b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

EVIL: dict[str, tuple[Behaviour, type[HeadwaterError], Failure | None]] = {
    "no answer": (waits, NoAnswer, Failure.TIMEOUT),
    "slow headers": (drips(answer(JSON)), NoAnswer, Failure.TIMEOUT),
    "headers without an end": (repeats(HEAD, b"X: y\r\n", times=90), NoAnswer, Failure.TIMEOUT),
    "slow body": (drips(answer(b"0" * 100), at_once=40), NoAnswer, Failure.TIMEOUT),
    "slow body without length": (drips(HEAD + b"\r\n" + b"0" * 100, at_once=30), NoAnswer, Failure.TIMEOUT),
    "slow chunks": (drips(CHUNKED + b"1\r\n0\r\n" * 100 + b"0\r\n\r\n", at_once=60), NoAnswer, Failure.TIMEOUT),
    "slow gzip": (drips(answer(GZIPPED, "Content-Encoding: gzip"), at_once=90), NoAnswer, Failure.TIMEOUT),
    "slow error": (drips(answer(b"0" * 100, status="401 No")), NoAnswer, Failure.TIMEOUT),
    "100 Continue for ever": (repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), NoAnswer, Failure.TIMEOUT),
    "endless chunks": (repeats(CHUNKED, b"1000\r\n" + b"0" * 4096 + b"\r\n"), AnswerUnreadable, None),
    "endless body": (repeats(HEAD + b"\r\n", b"0" * 4096), AnswerUnreadable, None),
    "endless header line": (repeats(HEAD + b"X: ", b"0" * 4096), NoAnswer, Failure.RESET),
    "endless headers": (repeats(HEAD, b"X: y\r\n"), NoAnswer, Failure.RESET),
    "body over the limit": (says(answer(b"0" * 100_001)), AnswerUnreadable, None),
    "a length that lies upwards": (then_closes(HEAD + b"Content-Length: 500\r\n\r\n" + JSON), NoAnswer, Failure.RESET),
    "a length that is no number": (then_closes(HEAD + b"Content-Length: x\r\n\r\n"), NoAnswer, Failure.RESET),
    "two lengths": (says(HEAD + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n"), NoAnswer, None),
    "a bad chunk": (then_closes(CHUNKED + b"zz\r\n"), NoAnswer, Failure.RESET),
    "chunks without an end": (then_closes(CHUNKED + b"4\r\n0000\r\n"), NoAnswer, Failure.RESET),
    "a bomb": (says(answer(BOMB, "Content-Encoding: gzip")), AnswerUnreadable, None),
    "a bomb in a bomb": (says(answer(gzip.compress(BOMB), "Content-Encoding: gzip, gzip")), AnswerUnreadable, None),
    "cut gzip": (says(answer(GZIPPED[:-9], "Content-Encoding: gzip")), AnswerUnreadable, None),
    "no gzip": (says(answer(JSON, "Content-Encoding: gzip")), AnswerUnreadable, None),
    "damaged gzip": (says(answer(GZIPPED[:-8] + b"\0" * 8, "Content-Encoding: gzip")), AnswerUnreadable, None),
    "rubbish after gzip": (says(answer(GZIPPED + b"rubbish", "Content-Encoding: gzip")), AnswerUnreadable, None),
    "deflate": (says(answer(zlib.compress(JSON), "Content-Encoding: deflate")), AnswerUnreadable, None),
    "brotli": (says(answer(JSON, "Content-Encoding: br")), AnswerUnreadable, None),
    "closed at once": (then_closes(b""), NoAnswer, Failure.RESET),
    "closed in the headers": (then_closes(HEAD + b"Content-Len"), NoAnswer, Failure.RESET),
    "reset at once": (then_resets(b""), NoAnswer, Failure.RESET),
    "reset in the body": (then_resets(answer(b"0" * 500)[:-100]), NoAnswer, Failure.RESET),
    "not HTTP": (then_closes(b"220 smtp.example ESMTP\r\n"), NoAnswer, Failure.RESET),
    "a status that is no number": (then_closes(b"HTTP/1.1 OK fine\r\n\r\n"), NoAnswer, Failure.RESET),
}  # fmt: skip


@pytest.mark.parametrize("name", EVIL)
def test_an_evil_server_ends_in_a_typed_error_within_the_deadline(name: str) -> None:
    """What drips would come to a good end after many seconds; that it does not shows the deadline at work."""
    behaviour, kind, failure = EVIL[name]
    is_slow = failure is Failure.TIMEOUT
    with EvilServer(behaviour) as server, pytest.raises(kind) as raised:
        send(server, deadline=0.6 if is_slow else 20.0)
    if failure is not None:
        assert raised.value.failure is failure
    assert CANARY not in shown(raised.value)
    assert raised.value.message.endswith(".")
    assert raised.value.__context__ is None
    assert server.connections == 1


def test_what_a_server_sends_too_much_does_not_reach_the_next_answer() -> None:
    """The next request on the kept connection would read it as its own answer."""
    too_much = answer(JSON) + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    with EvilServer(says(too_much)) as server, open_transport() as transport:
        for _ in range(3):
            assert transport.send(Request(url=server.origin + "/")).body == JSON


def test_an_answer_is_given_with_any_status_and_a_redirect_is_not_followed() -> None:
    """The token goes to nobody else; what a status means is decided elsewhere."""
    with EvilServer(says(answer(JSON))) as other:
        elsewhere = f"{other.origin}/steal"
        with EvilServer(says(answer(b"", f"Location: {elsewhere}", status="302 Found"))) as server:
            got = send(server)
        assert (got.status, got.headers["location"]) == (302, elsewhere)
        assert other.requests == []


def test_the_status_of_an_error_counts_also_where_its_body_breaks_off() -> None:
    """A 502 whose page is cut off is still a 502; of a huge page only the beginning is kept."""
    cut = answer(b"0" * 5000, status="502 Bad Gateway")[:-1000]
    with EvilServer(then_resets(cut)) as server:
        assert send(server).status == 502
    with EvilServer(repeats(b"HTTP/1.1 503 No\r\n\r\n", b"0" * 4096)) as server:
        got = send(server)
    assert got.status == 503
    assert len(got.body) < 100_000


@pytest.mark.parametrize("token", ["dbtc_ä" + CANARY, "dbtc_\u2028" + CANARY])
def test_a_token_that_no_header_can_carry_is_refused_without_echo(token: str) -> None:
    """The HTTP client's own error would repeat it."""
    expected = pytest.raises(TokenRejected)
    with EvilServer(says(answer(JSON))) as server, open_transport() as transport, expected as raised:
        transport.send(Request(url=server.origin, token=Secret(token)))
    assert CANARY not in shown(raised.value)
    assert server.requests == []


def test_nobody_listening_is_said_in_a_sentence() -> None:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with open_transport() as transport, pytest.raises(NoAnswer, match=f"127.0.0.1, port {port}: connection refused"):
        transport.send(Request(url=f"http://127.0.0.1:{port}/"))


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 64 + ".invalid"])
def test_a_name_that_is_not_known_is_said_in_a_sentence(host: str) -> None:
    """The resolver's own words are for nobody."""
    with open_transport() as transport, pytest.raises(NoAnswer, match="not known") as raised:
        transport.send(Request(url=f"https://{host}/", token=Secret(CANARY)))
    assert CANARY not in shown(raised.value)


def test_a_name_that_leads_into_a_private_network_is_refused_where_the_connection_is_made() -> None:
    """Whatever it looked like before: the check is made on the very address that is connected to."""
    with EvilServer(says(answer(JSON))) as server:
        deadline = Deadline(5.0, allow_private=False)
        with pytest.raises(OriginRefused, match="private network"):
            connect("localhost", server.port, deadline, check_address=True)
        assert server.connections == 0
        connect("localhost", server.port, deadline, check_address=False).close()


def test_a_private_address_is_refused_by_its_looks_where_it_may_not_be_used() -> None:
    """Before anything is sent."""
    with EvilServer(says(answer(JSON))) as server:
        with pytest.raises(OriginRefused, match="private network"):
            send(server, allow_private=False)
        assert server.connections == 0


def test_a_proxy_carries_the_request_and_its_password_stays_hidden() -> None:
    """Plain http through a proxy names the whole address in the request line."""
    with EvilServer(says(answer(JSON))) as proxy:
        address = proxy.origin.replace("//", f"//user:{CANARY}@")
        with open_transport(proxy=address) as transport:
            assert transport.send(Request(url="http://cloud.example/api/")).body == JSON
    assert proxy.requests[0].startswith(b"GET http://cloud.example/api/ HTTP/1.1")
    assert b"basic" in proxy.requests[0].lower()


@pytest.mark.parametrize(
    ("said", "failure"),
    [(then_closes(b"HTTP/1.1 407 Authenticate\r\n\r\n"), Failure.CONNECT), (waits, Failure.TIMEOUT)],
)
def test_a_proxy_that_makes_no_connection_is_named(said: Behaviour, failure: Failure) -> None:
    """With https it is asked by CONNECT, and the deadline holds there as well."""
    with EvilServer(said) as proxy:
        address = proxy.origin.replace("//", f"//user:{CANARY}@")
        with open_transport(proxy=address, deadline=0.6) as transport, pytest.raises(NoAnswer) as raised:
            transport.send(Request(url="https://cloud.example/", token=Secret(CANARY)))
    assert raised.value.failure is failure
    assert CANARY not in shown(raised.value)


@pytest.mark.parametrize("proxy", ["socks5://x:1080", "nonsense", "http://"])
def test_a_proxy_that_is_no_address_is_refused_at_once(proxy: str) -> None:
    """The settings are told apart from dbt Cloud's troubles."""
    with pytest.raises(ConfigurationInvalid, match="proxy"):
        open_transport(proxy=proxy)


def test_certificates_that_cannot_be_read_are_refused_at_once(tmp_path: Path) -> None:
    """No file, and a file of something else."""
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(ConfigurationInvalid, match=name):
            open_transport(ca_file=tmp_path / name)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    made = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(["openssl", *made, *files], check=True, capture_output=True)
    return folder


def _context(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def test_tls_works_with_certificates_of_our_own_and_only_with_them(certificate: Path) -> None:
    """An unknown authority is refused with the reason; nothing of the request is sent."""
    with EvilServer(says(answer(JSON)), context=_context(certificate)) as server:
        assert send(server, ca_file=certificate / "certificate.pem").body == JSON
        assert len(server.requests) == 1
        with pytest.raises(NoAnswer, match="not trusted: self-signed certificate") as raised:
            send(server)
        assert len(server.requests) == 1
    assert raised.value.failure is Failure.TLS
    assert "ca_file" in raised.value.hint
    assert CANARY not in shown(raised.value)


def test_a_certificate_of_another_host_is_refused(certificate: Path) -> None:
    """The authority is trusted, but what it vouches for is 127.0.0.1 and not localhost."""
    expected, trusting = pytest.raises(NoAnswer), open_transport(ca_file=certificate / "certificate.pem")
    with (
        EvilServer(says(answer(JSON)), context=_context(certificate)) as server,
        trusting as transport,
        expected as raised,
    ):
        transport.send(Request(url=f"https://localhost:{server.port}/", token=Secret(CANARY)))
    assert raised.value.failure is Failure.TLS
    assert server.requests == []


def test_the_deadline_holds_under_tls(certificate: Path) -> None:
    """In the handshake, in the headers and in the body."""
    trusted = {"ca_file": certificate / "certificate.pem", "deadline": 0.6}
    for behaviour in (waits, drips(answer(JSON)), drips(answer(b"0" * 100), at_once=40)):
        with EvilServer(behaviour, context=_context(certificate)) as server, pytest.raises(NoAnswer) as raised:
            send(server, **trusted)
        assert raised.value.failure is Failure.TIMEOUT
    expected = pytest.raises(NoAnswer)
    with EvilServer(waits, greets=False) as server, open_transport(**trusted) as transport, expected as raised:
        transport.send(Request(url=f"https://127.0.0.1:{server.port}/"))
    assert raised.value.failure is Failure.TIMEOUT


def test_plain_http_where_tls_is_expected_is_said_in_a_sentence() -> None:
    """A wrong port is the usual cause."""
    plain, expected = then_closes(b"HTTP/1.1 400 Bad Request\r\n\r\n"), pytest.raises(NoAnswer)
    with EvilServer(plain, greets=False) as server, open_transport() as transport, expected as raised:
        transport.send(Request(url=f"https://127.0.0.1:{server.port}/"))
    assert raised.value.failure in {Failure.TLS, Failure.RESET}
