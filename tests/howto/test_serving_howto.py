"""The how-to page on serving other machines: its settings and its proxies, with people who log in from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pages import Command, Reader, read_blocks, read_section
from program import Program, wait_for
from servers import find_port, is_listening, running_server

HOST = "headwater.example.com"
PROXIED = read_section("serve-others", "Behind a proxy")
OWN_TLS = read_section("serve-others", "With TLS of its own")
NGINX = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    {block}
}}
"""


@dataclass(frozen=True)
class Visit:
    """What somebody from outside sees: not logged in, logging in by the link, and then."""

    before: urllib3.BaseHTTPResponse
    entered: urllib3.BaseHTTPResponse
    after: urllib3.BaseHTTPResponse


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for the page's host, signed by itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    paths = folder / "headwater.pem", folder / "headwater.key"
    paths[0].write_bytes(certificate.public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


@contextmanager
def serving(reader: Reader, port: int, **environ: str) -> Iterator[str]:
    """Run `headwater serve` as the folder's headwater.toml says; gives the secret of the first login link."""
    with reader.beside(Command("headwater serve", ()), "serve", **environ) as running:
        running.wait_for(lambda: is_listening(port), "the web application")
        yield str(running.wait_for(lambda: re.search(r"/login#(\S+)", running.said), "the login link")[1])


def visit(port: int, authority: Path, secret: str, host: str = HOST) -> Visit:
    """Come from outside over https, by the page's host name, and log in with a login link."""
    with urllib3.HTTPSConnectionPool(
        "127.0.0.1", port, server_hostname=HOST, assert_hostname=HOST, ca_certs=str(authority), retries=False
    ) as pool:
        outside = {"Host": host}
        before = pool.request("GET", "/", headers=outside, redirect=False)
        form = outside | {"Origin": f"https://{host}", "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({"link": f"https://{host}/login#{secret}"})
        entered = pool.request("POST", "/login", headers=form, body=body, redirect=False)
        cookie = entered.headers.get("set-cookie", "").partition(";")[0]
        after = pool.request("GET", "/", headers=outside | {"Cookie": cookie}, redirect=False)
    return Visit(before, entered, after)


def check_visit(seen: Visit) -> None:
    """See that who is not logged in is sent to do so, and that who is has a cookie for https alone."""
    assert seen.before.status in {302, 303, 401}, seen.before.data
    assert b"/login" in seen.before.data or "/login" in seen.before.headers.get("location", "")
    assert seen.before.headers["strict-transport-security"] == "max-age=31536000"
    assert seen.entered.status == 303, seen.entered.data
    assert seen.entered.headers["set-cookie"].startswith("__Host-headwater_session=")
    assert "Secure" in seen.entered.headers["set-cookie"]
    assert seen.after.status == 200
    assert b"<h1" in seen.after.data


@contextmanager
def nginx(folder: Path, port: int, app_port: int) -> Iterator[Path]:
    """Run nginx with the page's server; gives the certificate to trust."""
    certificate, key = make_certificate(folder)
    (block,) = [block for block in read_blocks(PROXIED) if "proxy_pass" in block]
    own = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl", "8787": str(app_port),
        "/etc/ssl/headwater.pem": str(certificate), "/etc/ssl/headwater.key": str(key),
    }  # fmt: skip
    (folder / "nginx.conf").write_text(NGINX.format(block=Reader(Program(folder), own).put_in(block)))
    with running_server("nginx", "-p", folder, "-c", "nginx.conf", "-e", "stderr", folder=folder, port=port):
        yield certificate


@contextmanager
def caddy(folder: Path, port: int, app_port: int) -> Iterator[Path]:
    """Run Caddy with the page's site and an authority of its own in place of the public one; gives that."""
    (site,) = [block for block in read_blocks(PROXIED) if "reverse_proxy" in block]
    own = {f"{HOST} {{": f"{HOST} {{\n    bind 127.0.0.1", "8787": str(app_port)}
    options = f"admin off\n local_certs\n skip_install_trust\n https_port {port}\n http_port {find_port()}"
    (folder / "Caddyfile").write_text(f"{{\n {options}\n}}\n{Reader(Program(folder), own).put_in(site)}")
    with running_server("caddy", "run", "--config", "Caddyfile", folder=folder, port=port):
        root = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        wait_for(root.exists, "Caddy's authority")
        certificates = folder / "caddy" / "certificates" / "local"
        wait_for(lambda: list(certificates.glob(f"{HOST}/*.crt")), "Caddy's certificate")
        yield root


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_people_come_in_through_the_proxy_of_the_page(proxy: object, tmp_path: Path) -> None:
    """With the page's [web] block and its proxy people log in over https; a name that is not ours is not answered."""
    (block,) = read_blocks(PROXIED, "toml")
    port, app_port = find_port(), find_port()
    home = tmp_path / "home"
    home.mkdir()
    (home / "headwater.toml").write_text(f"{block}port = {app_port}\n")
    reader = Reader(Program(home))

    with serving(reader, app_port) as secret, proxy(tmp_path, port, app_port) as authority:
        seen = visit(port, authority, secret)
        with urllib3.HTTPConnectionPool("127.0.0.1", app_port, retries=False) as direct:
            ours = direct.request("GET", "/healthz")
            foreign = direct.request("GET", "/healthz", headers={"Host": "elsewhere.example.com"})

    check_visit(seen)
    assert (ours.status, foreign.status) == (200, 400)


def test_the_list_of_proxies_in_the_environment(tmp_path: Path) -> None:
    """The variable as the page writes it lets the proxy in just as the block does."""
    variable = re.search(r"`(HEADWATER__WEB__TRUSTED_PROXIES)='([^']+)'`", PROXIED)
    assert variable is not None
    port, app_port = find_port(), find_port()
    home = tmp_path / "home"
    home.mkdir()
    environ = {variable[1]: variable[2], "HEADWATER__WEB__EXTERNAL_URL": f"https://{HOST}"}

    with (
        serving(Reader(Program(home)), app_port, HEADWATER__WEB__PORT=str(app_port), **environ) as secret,
        nginx(tmp_path, port, app_port) as authority,
    ):
        check_visit(visit(port, authority, secret))


def test_with_tls_of_its_own(tmp_path: Path) -> None:
    """The page's block serves https on every address of the machine; without its certificate nothing is served."""
    (block,) = read_blocks(OWN_TLS, "toml")
    certificate, key = make_certificate(tmp_path)
    port, home = find_port(), tmp_path / "home"
    home.mkdir()
    own = {"/etc/ssl/headwater.pem": str(certificate), "/etc/ssl/headwater.key": str(key), "8443": str(port)}
    reader = Reader(Program(home), own)
    told = reader.put_in(block)
    open_to_all = "\n".join(line for line in told.splitlines() if not line.startswith("tls_"))
    (home / "headwater.toml").write_text(open_to_all)
    refused = reader.type(Command("headwater serve", ()))
    (home / "headwater.toml").write_text(told)

    with serving(reader, port) as secret:
        check_visit(visit(port, certificate, secret, f"{HOST}:{port}"))

    assert refused.status == 2, refused.text
    assert "tls" in refused.text.lower()
