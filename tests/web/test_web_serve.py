"""Listening: on this machine alone, or where TLS or a named proxy keeps others from reading along."""

import asyncio
import datetime as dt
import ipaddress
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headwater.config import WebSettings
from headwater.errors import ConfigurationInvalid, WrongUse
from headwater.model.secret import Secret
from headwater.observatory import users
from headwater.observatory.access import Role
from headwater.web.app import create_app
from headwater.web.listening import Listening, decide_listening
from headwater.web.proxy import behind
from headwater.web.serve import listen, make_server

URL = "https://headwater.example.com"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of its own authority for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=127.0.0.1")
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).add_extension(names, critical=False)
    built = built.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(*form))
    return files


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "10.0.0.1"])
def test_other_hosts_than_loopback_are_refused(host):
    """An address that others could reach is refused with what to do instead."""
    with pytest.raises(WrongUse, match=r"does not listen on .* without TLS or a proxy.*ssh -L"):
        decide_listening(WebSettings(host=host))


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"host": "example.com"}, "web.host"),
        ({"host": ""}, "web.host"),
        ({"host": "127.0.0.1.example.com"}, "web.host"),
        ({"external_url": "http://headwater.example.com", "trusted_proxies": ["10.0.0.1"]}, "web.external_url"),
        ({"external_url": "https://a.example/path", "trusted_proxies": ["10.0.0.1"]}, "web.external_url"),
        ({"external_url": "https://u@a.example", "trusted_proxies": ["10.0.0.1"]}, "web.external_url"),
        ({"external_url": "https://a.example:x", "trusted_proxies": ["10.0.0.1"]}, "web.external_url"),
        ({"external_url": URL}, "web.external_url needs"),
        ({"trusted_proxies": ["10.0.0.1"]}, "web.trusted_proxies needs"),
        ({"external_url": URL, "trusted_proxies": ["0.0.0.0/0"]}, "is everybody"),
        ({"external_url": URL, "trusted_proxies": ["proxy"]}, "no IP address"),
        ({"tls_key": "key.pem"}, "belong together"),
        ({"external_url": URL, "tls_certificate": "no.pem", "tls_key": "no.pem"}, "cannot be read"),
        ({"host": "0.0.0.0", "tls_certificate": "a", "tls_key": "a", "trusted_proxies": ["10.0.0.1"]}, "leave out"),
    ],
)
def test_settings_that_do_not_fit_are_told_by_name(settings, fault):
    """Each is a sentence with the setting's name; nothing is served."""
    with pytest.raises(ConfigurationInvalid) as refused:
        decide_listening(WebSettings(**settings))

    assert fault in " ".join(refused.value.faults)


def test_a_certificate_that_is_none_is_told(certificate, tmp_path):
    """A file that is no certificate, and a key with the wrong certificate, end in a sentence."""
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(ConfigurationInvalid, match="in PEM form"):
        decide_listening(WebSettings(tls_certificate=tmp_path / "text.pem", tls_key=certificate[1]))


def test_what_is_enough_to_listen_elsewhere(certificate):
    """TLS with the address people open, or a proxy that is named with it; loopback needs neither."""
    tls = {"tls_certificate": certificate[0], "tls_key": certificate[1]}
    with pytest.raises(WrongUse):
        decide_listening(WebSettings(host="0.0.0.0", **tls))
    direct = decide_listening(WebSettings(host="0.0.0.0", external_url=f"{URL}:8443/", **tls))
    proxied = decide_listening(WebSettings(host="0.0.0.0", external_url=URL, trusted_proxies=["10.0.0.0/24"]))

    assert (direct.origin, direct.proxies) == (f"{URL}:8443", ())
    assert (proxied.origin, proxied.certificate) == (URL, None)
    assert decide_listening(WebSettings()) == Listening(address="127.0.0.1")
    assert decide_listening(WebSettings(host="localhost")).is_loopback
    assert decide_listening(WebSettings(host="[::1]")).address == "::1"


@pytest.fixture
def serve_at(observatory):
    """Serve the real application as it is reached by some settings; gives the port."""
    running = []

    def serve(where: Listening) -> int:
        server, listener = make_server(create_app(observatory, where), where), listen(where.address, 0)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread, listener))
        return listener.getsockname()[1]

    yield serve
    for server, thread, listener in running:
        server.should_exit = True
        thread.join()
        listener.close()


def test_a_server_prepares_its_first_pages_behind_its_start(observatory):
    """What prepares runs once, and finds the server answering already."""
    answers = []
    with listen("127.0.0.1", 0) as listener, urllib3.PoolManager() as pool:

        def prepare():
            try:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}/login"
                answers.append(pool.request("GET", url, retries=False).status)
            finally:
                server.should_exit = True

        server = make_server(create_app(observatory), prepare=prepare)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        thread.join()
    assert answers == [200]


def log_in(pool, url, host, **headers):
    """Log ada in; gives the answer."""
    sent = {"Host": host, "Sec-Fetch-Site": "same-origin", **headers}
    body = urlencode({"name": "ada", "password": PASSWORD})
    return pool.request("POST", f"{url}/login", headers=sent, body=body, redirect=False, retries=False)


def test_over_tls_the_cookie_is_of_this_host_and_https_alone(serve_at, certificate, observatory):
    """A real TLS connection: a Secure __Host- cookie lets in, browsers are told to come by https."""
    users.add_user(observatory, "ada", Role.VIEWER, Secret(PASSWORD))
    where = decide_listening(WebSettings(external_url=URL, tls_certificate=certificate[0], tls_key=certificate[1]))
    port, host = serve_at(where), "headwater.example.com"
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with urllib3.PoolManager(ssl_context=context) as pool:
        url = f"https://127.0.0.1:{port}"
        reply = log_in(pool, url, host)
        cookie = reply.headers["set-cookie"]
        session = {"Host": host, "Cookie": cookie.partition(";")[0]}
        plain_name = {"Host": host, "Cookie": cookie.partition(";")[0].removeprefix("__Host-")}
        inside = pool.request("GET", f"{url}/settings", headers=session, redirect=False)
        outside = pool.request("GET", f"{url}/settings", headers=plain_name, redirect=False)
        other = pool.request("GET", f"{url}/healthz", headers={"Host": "other.example.com"}, redirect=False)

    assert reply.status == 303
    assert cookie.startswith("__Host-headwater_session=")
    assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert reply.headers["strict-transport-security"].startswith("max-age=")
    assert (inside.status, outside.status, other.status) == (200, 303, 400)


def test_behind_a_proxy_the_caller_is_whom_the_proxy_names(serve_at, observatory):
    """The address in the log is the last one that is no proxy; what a caller says of itself is not believed."""
    users.add_user(observatory, "ada", Role.VIEWER, Secret(PASSWORD))
    proxied = decide_listening(WebSettings(external_url=URL, trusted_proxies=["127.0.0.1"]))
    port = serve_at(proxied)
    named = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9", "X-Forwarded-Proto": "https", "Origin": URL}
    with urllib3.PoolManager() as pool:
        reply = log_in(pool, f"http://127.0.0.1:{port}", "headwater.example.com", **named)
        foreign = {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}
        del named["Origin"]
        sent = {"Host": "headwater.example.com", **named, **foreign}
        refused = pool.request("POST", f"http://127.0.0.1:{port}/login", headers=sent, retries=False)
    from headwater.observatory.audit import list_audit

    assert reply.status == 303
    assert "Secure" in reply.headers["set-cookie"]
    assert list_audit(observatory).events[0].address == "203.0.113.9"
    assert refused.status == 403


def test_without_a_named_proxy_nobody_is_believed(serve_at, observatory):
    """X-Forwarded-For of a caller changes nothing."""
    users.add_user(observatory, "ada", Role.VIEWER, Secret(PASSWORD))
    port = serve_at(Listening(address="127.0.0.1"))
    with urllib3.PoolManager() as pool:
        log_in(pool, f"http://127.0.0.1:{port}", "127.0.0.1", **{"X-Forwarded-For": "203.0.113.9"})
    from headwater.observatory.audit import list_audit

    assert list_audit(observatory).events[0].address == "127.0.0.1"


@pytest.mark.parametrize(
    ("peer", "status"),
    [("10.0.0.7", 200), ("127.0.0.1", 200), ("10.0.1.7", 403), ("203.0.113.9", 403), ("::1", 200), ("nobody", 403)],
)
def test_behind_a_proxy_nobody_else_is_answered(peer, status):
    """The proxy's network and this machine get an answer; everybody else gets 403, whatever headers are sent."""
    sent = []

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "client": (peer, 1234), "headers": [(b"x-forwarded-for", b"127.0.0.1")], "scheme": "http"}
    asked = behind(app, [ipaddress.ip_network("10.0.0.0/24")])(scope, None, send)
    with ThreadPoolExecutor(1) as apart:  # a browser of another file's tests may have its loop in this thread
        apart.submit(asyncio.run, asked).result()

    assert sent[0]["status"] == status


def test_loopback_takes_a_free_port():
    """Port 0 takes any that is free."""
    with listen("127.0.0.2", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_a_port_in_use_is_said():
    """A second server on a port is told so, and how to take another."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(WrongUse, match=f"^Port {port} is in use. .*--port"):
            listen("127.0.0.1", port)
