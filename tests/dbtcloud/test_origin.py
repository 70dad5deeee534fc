"""From pasted addresses to origins."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.dbtcloud.origin import is_private_address, is_private_origin, read_origin
from headwater.errors import OriginRefused


@pytest.mark.parametrize(
    ("pasted", "origin"),
    [
        ("cloud.getdbt.com", "https://cloud.getdbt.com"),
        ("  https://cloud.getdbt.com/  ", "https://cloud.getdbt.com"),
        ("https://ab123.us1.dbt.com/", "https://ab123.us1.dbt.com"),
        ("HTTPS://AB123.US1.DBT.COM", "https://ab123.us1.dbt.com"),
        ("https://ab123.us1.dbt.com.", "https://ab123.us1.dbt.com"),
        ("//emea.dbt.com", "https://emea.dbt.com"),
        ("https://emea.dbt.com/api/v2", "https://emea.dbt.com"),
        ("https://emea.dbt.com/api/v2/accounts/1/", "https://emea.dbt.com"),
        ("https://cloud.getdbt.com/deploy/1/projects/2/runs/3?x=1", "https://cloud.getdbt.com"),
        ("https://cloud.getdbt.com/#/accounts/1/projects/2/", "https://cloud.getdbt.com"),
        ("https://dbt.acme-corp.com:443", "https://dbt.acme-corp.com"),
        ("https://dbt.acme-corp.com:8443/x", "https://dbt.acme-corp.com:8443"),
        ("dbt.acme-corp.com:8443", "https://dbt.acme-corp.com:8443"),
        ("http://127.0.0.1:4711", "http://127.0.0.1:4711"),
        ("http://localhost:4711/", "http://localhost:4711"),
        ("http://localhost:80/", "http://localhost"),
        ("http://[::1]:4711/", "http://[::1]:4711"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://10.0.0.5", "https://10.0.0.5"),
    ],
)
def test_an_address_as_people_paste_it_gives_its_origin(pasted: str, origin: str) -> None:
    """An address as people paste it gives its origin."""
    assert read_origin(pasted) == origin
    assert read_origin(origin) == origin


@pytest.mark.parametrize(
    "pasted",
    [
        "", "   ", "https://", "https:///x", "ftp://cloud.getdbt.com", "file:///etc/passwd", "javascript://x",
        "https://user:canary@cloud.getdbt.com", "https://canary@cloud.getdbt.com", "canary:@cloud.getdbt.com",
        "http://cloud.getdbt.com", "http://10.0.0.5", "https://cloud.getdbt.com:0", "https://cloud.getdbt.com:99999",
        "https://cloud.getdbt.com:x", "https://cloud getdbt com", "https://cloud.getdbt.com\\@evil.example",
        "https://cloud.getdbt.com\n.evil.example", "https://cloud.getdbt.com\x00", "https://-bad-.example",
        "https://127.1", "https://0x7f.1", "https://2130706433", "https://0177.0.0.1", "https://a..b", "https://[::1",
        "https://[v1.x]/", "https://bücher.example", "https://１２７.0.0.1", f"https://{'a' * 64}.example",
        f"https://{'a.' * 130}com", "https://[fe80::1%25eth0]x", "cloud.getdbt.com<script>",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_a_sentence_that_repeats_no_secret(pasted: str) -> None:
    """Anything else is refused with a sentence that repeats no secret."""
    with pytest.raises(OriginRefused) as refused:
        read_origin(pasted)
    assert refused.value.message.endswith(".")
    assert "canary" not in str(refused.value)


@given(st.text(max_size=60))
def test_any_text_gives_an_origin_or_a_refusal(text: str) -> None:
    """Any text gives an origin or a refusal."""
    try:
        origin = read_origin(text)
    except OriginRefused:
        return
    assert read_origin(origin) == origin


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "db.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "0.0.0.0", "[::]", "100.64.0.1", "100.100.100.200",
        "168.63.129.16", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "224.0.0.1", "metadata.google.internal", "printer.local", "intranet", "255.255.255.255",
    ],
)  # fmt: skip
def test_a_web_form_may_not_name_an_address_of_our_own_network(host: str) -> None:
    """A web form may not name an address of our own network."""
    assert is_private_origin(f"https://{host}")
    assert read_origin(f"https://{host}") == f"https://{host}" or ":" in host
    with pytest.raises(OriginRefused, match="private network"):
        read_origin(f"https://{host}", allow_private=False)


@pytest.mark.parametrize("host", ["cloud.getdbt.com", "ab123.us1.dbt.com", "8.8.8.8", "[2606:4700::1]"])
def test_a_web_form_may_name_a_public_address(host: str) -> None:
    """A web form may name a public address."""
    assert not is_private_origin(f"https://{host}")
    assert read_origin(f"https://{host}", allow_private=False) == f"https://{host}"


def test_plain_http_beyond_loopback_needs_permission() -> None:
    """Plain http beyond loopback needs permission."""
    assert read_origin("http://dbt.lan", allow_http=True) == "http://dbt.lan"
    with pytest.raises(OriginRefused, match="without encryption"):
        read_origin("http://dbt.lan")


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_ipv6_is_as_private_as_itself(address: ipaddress.IPv4Address) -> None:
    """An ipv4 address inside ipv6 is as private as itself."""
    for inside in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert is_private_address(ipaddress.ip_address(inside)) == is_private_address(address)
