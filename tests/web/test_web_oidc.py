"""Signing in at a real OpenID provider, through its own pages; and what its tokens must not be."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import urllib3
from canaille_house import CLIENT_SECRET, PASSWORD, running_canaille
from cryptography.hazmat.primitives.asymmetric import rsa

from headwater.config import OidcSettings, Settings
from headwater.errors import ConfigurationInvalid
from headwater.observatory import users
from headwater.observatory.access import Role
from headwater.observatory.audit import list_audit
from headwater.observatory.holder import Observatory, open_observatory
from headwater.observatory.oidc import LoginRefused, find_role, read_claims, read_client
from headwater.web.app import create_app
from headwater.web.serve import listen, make_server

GROUPS = {"admin_groups": ["data-platform"], "viewer_groups": ["everyone"]}
ISSUER = "https://id.example.com"


@dataclass(frozen=True)
class Scene:
    """A Headwater that people sign in to at a provider."""

    url: str
    issuer: str
    observatory: Observatory


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The provider and the whole application, each on a port of its own."""
    data = tmp_path_factory.mktemp("oidc") / "data"
    with listen("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with running_canaille(f"{url}/login/callback") as issuer:
            oidc = {"issuer": issuer, "client_id": "headwater", "client_secret": CLIENT_SECRET, **GROUPS}
            with open_observatory(Settings(data_folder=data, oidc=oidc)) as observatory:
                server = make_server(create_app(observatory))
                thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
                thread.start()
                try:
                    yield Scene(url, issuer, observatory)
                finally:
                    server.should_exit = True
                    thread.join()


@contextmanager
def window_of(browser) -> Iterator:
    """Open a window that knows nobody yet."""
    context = browser.new_context()
    context.set_default_timeout(60_000)
    try:
        yield context.new_page()
    finally:
        context.close()


def sign_in(window, scene: Scene, name: str) -> None:
    """Click the button, and fill in the provider's own pages."""
    window.goto(f"{scene.url}/login")
    window.click("text=Sign in at")
    prove_at_provider(window, name)
    window.wait_for_url(f"{scene.url}/**")


def prove_at_provider(window, name: str) -> None:
    """Give name and password on the pages of the provider."""
    window.fill("input[name=login]", name)
    window.click("button[type=submit]")
    window.fill("input[name=password]", PASSWORD)
    window.click("button[type=submit]")


def test_somebody_signs_in_at_the_provider_with_the_role_of_the_group(scene: Scene, browser) -> None:
    """Through the real pages and back: ada of data-platform is an admin; the log has it, no session was made before."""
    with window_of(browser) as window:
        window.goto(f"{scene.url}/login")
        before = [cookie["name"] for cookie in window.context.cookies()]
        sign_in(window, scene, "ada")
        window.goto(f"{scene.url}/settings")
        said = window.inner_text("h1"), window.inner_text("main")
        cookies = {cookie["name"] for cookie in window.context.cookies(scene.url)}
        window.goto(f"{scene.url}/settings/users")
        can_change = window.is_visible("text=Add and invite")

    assert before == []
    assert said[0] == "You are ada, an admin."
    assert f"You sign in at {scene.issuer}" in said[1]
    assert "headwater_session" in cookies
    assert "headwater_signing_in" not in cookies
    assert can_change
    (ada,) = [user for user in users.list_users(scene.observatory).users if user.name == "ada"]
    assert (ada.role, ada.signs_in_with) == ("admin", scene.issuer)
    assert ("ada", "logged in", scene.issuer) in {
        (event.actor, event.action, event.detail) for event in list_audit(scene.observatory).events
    }


def test_who_is_in_no_group_with_a_role_is_not_let_in(scene: Scene, browser) -> None:
    """The provider knows eve, but no group of hers may come in: a sentence, and no user and no session."""
    with window_of(browser) as window:
        sign_in(window, scene, "eve")
        said = window.inner_text("main")
        cookies = {cookie["name"] for cookie in window.context.cookies(scene.url)}

    assert "You may not come in here." in said
    assert "headwater_session" not in cookies
    assert "eve" not in {user.name for user in users.list_users(scene.observatory).users}


def test_a_local_user_of_the_same_name_is_another(scene: Scene, browser) -> None:
    """A name that is taken is not taken over: bob of the provider is bob-2 here, whoever bob is."""
    users.add_user(scene.observatory, "bob", Role.ADMIN)
    with window_of(browser) as window:
        sign_in(window, scene, "bob")
        window.goto(f"{scene.url}/settings")
        first = window.inner_text("h1")
    with window_of(browser) as window:
        sign_in(window, scene, "bob")
        window.goto(f"{scene.url}/settings")
        second = window.inner_text("h1")

    assert (first, second) == ("You are bob-2, a viewer.",) * 2
    roles = {user.name: user.role for user in users.list_users(scene.observatory).users}
    assert (roles["bob"], roles["bob-2"]) == ("admin", "viewer")


def test_a_login_that_this_browser_did_not_begin_is_refused(scene: Scene) -> None:
    """Without the cookie, with another state, another issuer, an error, or a made-up code nobody comes in."""
    with urllib3.PoolManager() as pool:

        def ask(path: str, cookie: str = "") -> urllib3.BaseHTTPResponse:
            headers = {"Cookie": cookie} if cookie else {}
            return pool.request("GET", scene.url + path, headers=headers, redirect=False, retries=False)

        begun = ask("/login/provider")
        query = parse_qs(urlsplit(begun.headers["location"]).query)
        cookie, state = begun.headers["set-cookie"].partition(";")[0], query["state"][0]
        refused = [
            ask(f"/login/callback?code=x&state={state}"),
            ask("/login/callback?code=x&state=other", cookie),
            ask(f"/login/callback?code=x&state={state}&iss=https://evil.example", cookie),
            ask(f"/login/callback?error=access_denied&state={state}", cookie),
            ask(f"/login/callback?code=made-up&state={state}", cookie),
            ask("/login/callback"),
        ]

    assert query["code_challenge_method"] == ["S256"]
    assert {"nonce", "code_challenge", "redirect_uri"} <= set(query)
    assert query["state"] != query["nonce"]
    assert cookie.partition("=")[2] not in begun.headers["location"]
    for reply in refused:
        assert reply.status == 401
        assert "headwater_session=" not in reply.headers.get("set-cookie", "").replace("headwater_session=;", "")


KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def public_keys() -> bytes:
    """Give the keys that the provider publishes."""
    algorithm = jwt.get_algorithm_by_name("RS256")
    return json.dumps(
        {"keys": [json.loads(algorithm.to_jwk(KEY.public_key())) | {"kid": "1", "alg": "RS256"}]}
    ).encode()


def make_token(key=KEY, algorithm: str = "RS256", kid: str = "1", **changes: object) -> str:
    """Sign an id token that is right but for the changes; None leaves a claim out."""
    now = datetime.now(UTC)
    claims = {"iss": ISSUER, "sub": "7", "aud": "headwater", "nonce": "n", "iat": now, "exp": now + timedelta(hours=1)}
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers={"kid": kid})


def client():
    """Give a complete client."""
    made = read_client(OidcSettings(issuer=ISSUER, client_id="headwater", client_secret="s", **GROUPS))
    assert made is not None
    return made


def test_an_id_token_that_is_right_is_read() -> None:
    """What it says comes out; the audience may stand alone or as a list of one."""
    for aud in ("headwater", ["headwater"]):
        assert read_claims(client(), make_token(aud=aud), public_keys(), nonce="n")["sub"] == "7"


@pytest.mark.parametrize(
    "token",
    [
        make_token(iss="https://id.example.com/"),
        make_token(iss="https://evil.example"),
        make_token(aud="other"),
        make_token(aud=["headwater", "other"]),
        make_token(azp="other"),
        make_token(nonce="m"),
        make_token(nonce=None),
        make_token(sub=""),
        make_token(sub=None),
        make_token(exp=datetime.now(UTC) - timedelta(hours=1)),
        make_token(exp=None),
        make_token(iat=datetime.now(UTC) + timedelta(hours=1)),
        make_token(key=OTHER),
        make_token(kid="2"),
        make_token(key="", algorithm="none"),
        make_token(key="x" * 64, algorithm="HS256"),
        "no.token.at-all",
        "",
    ],
)
def test_an_id_token_that_is_not_right_lets_nobody_in(token: str) -> None:
    """Another issuer, audience or nonce, one that is over, another key, no signature, or the wrong kind of one."""
    with pytest.raises(LoginRefused):
        read_claims(client(), token, public_keys(), nonce="n")


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["everyone", "data-platform"], Role.ADMIN),
        (["everyone"], Role.VIEWER),
        ("everyone", Role.VIEWER),
        (["Everyone"], None),
        ([], None),
        (None, None),
        ([7, {"a": 1}], None),
        ({"everyone": True}, None),
    ],
)
def test_the_highest_role_of_the_groups_counts(groups: object, role: Role | None) -> None:
    """Names are compared exactly; what is no list of names gives no role."""
    assert find_role(client(), {"groups": groups}) is role


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"issuer": "http://id.example.com"}, "not an https address"),
        ({"issuer": ISSUER, "client_id": ""}, "needs oidc.client_id"),
        ({"issuer": ISSUER, "client_id": "headwater", "client_secret": "s"}, "Nobody could come in"),
    ],
)
def test_settings_of_a_provider_that_are_not_complete_are_told(settings: dict[str, str], fault: str) -> None:
    """Each is a sentence that names the setting."""
    with pytest.raises(ConfigurationInvalid) as refused:
        read_client(OidcSettings(**settings))

    assert fault in " ".join(refused.value.faults)


def test_nothing_of_a_login_is_left_in_a_folder(scene: Scene) -> None:
    """The client's secret is in no file of the store."""
    folder = Path(scene.observatory.settings.data_folder)
    kept = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())

    assert CLIENT_SECRET.encode() not in kept
