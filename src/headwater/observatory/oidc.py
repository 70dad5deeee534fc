"""Signing in at an OpenID provider: authorization code with PKCE (OpenID Connect Core 1.0, RFC 7636, RFC 9207).

A login is bound to the browser that began it by one secret in a cookie. State, nonce and verifier are derived from it,
so that nothing has to be kept here and none of the three tells another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import jwt
import msgspec

from headwater.dbtcloud.transport import Answer, Request
from headwater.errors import ConfigurationInvalid, DbtCloudError, HeadwaterError, WrongUse
from headwater.model.secret import Secret
from headwater.observatory.access import Role, make_secret
from headwater.observatory.audit import NOBODY, Actor, note
from headwater.observatory.sessions import begin_session
from headwater.store import users as people

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from headwater.config import OidcSettings
    from headwater.observatory.holder import Observatory
    from headwater.store.rows import User

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_LEEWAY = timedelta(seconds=60)
_ANSWER_LIMIT = 1024 * 1024
_UNUSABLE = re.compile(r"[^a-z0-9._@+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What is set of the provider, complete."""

    issuer: str
    client_id: str
    client_secret: Secret
    groups_claim: str
    roles: tuple[tuple[Role, frozenset[str]], ...]
    """Roles, the highest first, with the groups that give them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What the provider sends a browser back with."""

    code: str
    state: str
    issuer: str | None
    error: str


class LoginRefused(WrongUse):
    """The provider, or what it said of the person, lets nobody in."""


class _Metadata(msgspec.Struct, kw_only=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Keys(msgspec.Struct, kw_only=True):
    keys: list[dict[str, Any]]


class _Tokens(msgspec.Struct, kw_only=True):
    id_token: str


def read_client(settings: OidcSettings) -> Client | None:
    """Read what is set of a provider; None where none is.

    Raises:
        ConfigurationInvalid: it is not complete, or the issuer is no address to trust.
    """
    groups = {Role.ADMIN: settings.admin_groups, Role.OPERATOR: settings.operator_groups}
    groups[Role.VIEWER] = settings.viewer_groups
    if settings.issuer is None:
        return None
    faults = []
    parts = urlsplit(settings.issuer)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        faults.append("oidc.issuer is not an https address.")
    if not settings.client_id or settings.client_secret is None:
        faults.append("oidc.issuer needs oidc.client_id and oidc.client_secret.")
    if not any(groups.values()):
        faults.append("Nobody could come in: name a group in oidc.viewer_groups, operator_groups or admin_groups.")
    if faults or not settings.client_id or settings.client_secret is None:
        raise ConfigurationInvalid(tuple(faults))
    return Client(
        issuer=settings.issuer,
        client_id=settings.client_id,
        client_secret=Secret(settings.client_secret.get_secret_value()),
        groups_claim=settings.groups_claim,
        roles=tuple((role, frozenset(names)) for role, names in groups.items()),
    )


def begin_login(observatory: Observatory, redirect_uri: str, *, again: bool) -> tuple[Secret, str]:
    """Give the secret of a login for the browser's cookie, and the provider's address to send the browser to.

    With `again` the provider is asked to let the person prove anew who it is.

    Raises:
        LoginRefused: no provider is set, or it cannot be asked.
    """
    client = _get_client(observatory)
    metadata = _discover(observatory, client)
    secret = make_secret()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(_derive(secret, "verifier").encode()).digest())
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid profile email groups",
        "state": _derive(secret, "state"),
        "nonce": _derive(secret, "nonce"),
        "code_challenge": challenge.rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    if again:
        query |= {"prompt": "login", "max_age": "0"}
    sep = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
    return Secret(secret), f"{metadata.authorization_endpoint}{sep}{urlencode(query)}"


def finish_login(
    observatory: Observatory, redirect_uri: str, secret: str, back: Return, *, address: str = "", replaces: str = ""
) -> Secret:
    """Give the secret of a new session for whom the provider sent back.

    Raises:
        LoginRefused: the browser did not begin this login, the provider did not let the person in, what it says
            is not signed or meant for us, or the person is in no group that has a role.
    """
    client = _get_client(observatory)
    if not secret or not hmac.compare_digest(back.state.encode(), _derive(secret, "state").encode()):
        raise LoginRefused("This login was not begun in this browser, or is over.", hint="Begin again.")
    if back.issuer is not None and back.issuer != client.issuer:
        raise LoginRefused("Another provider than the one that was asked has answered.")
    if back.error or not back.code:
        raise LoginRefused(f"{_host(client)} did not let you in.", hint="Begin again, or ask who runs it.")
    claims = _exchange(observatory, client, redirect_uri, secret, back.code)
    return _let_in(observatory, client, claims, address, replaces)


def _get_client(observatory: Observatory) -> Client:
    client = read_client(observatory.settings.oidc)
    if client is None:
        raise LoginRefused("No OpenID provider is set.", hint="Log in with a password.")
    return client


def _discover(observatory: Observatory, client: Client) -> _Metadata:
    url = f"{client.issuer.rstrip('/')}/.well-known/openid-configuration"
    metadata: _Metadata = _read(_send(observatory, client, Request(url=url, limit=_ANSWER_LIMIT)), _Metadata, client)
    if metadata.issuer != client.issuer:
        raise LoginRefused(f"{_host(client)} calls itself another issuer than oidc.issuer says.")
    return metadata


def _exchange(observatory: Observatory, client: Client, redirect_uri: str, secret: str, code: str) -> dict[str, Any]:
    metadata = _discover(observatory, client)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": _derive(secret, "verifier"),
    }
    pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret.reveal(), safe='')}"
    request = Request(
        url=metadata.token_endpoint,
        method="POST",
        token=Secret(base64.b64encode(pair.encode()).decode()),
        scheme="Basic",
        body=urlencode(form).encode(),
        content_type="application/x-www-form-urlencoded",
        limit=_ANSWER_LIMIT,
    )
    tokens = _read(_send(observatory, client, request), _Tokens, client)
    keys = _send(observatory, client, Request(url=metadata.jwks_uri, limit=_ANSWER_LIMIT))
    return read_claims(client, tokens.id_token, keys.body, nonce=_derive(secret, "nonce"))


def read_claims(client: Client, id_token: str, keys: bytes, *, nonce: str) -> dict[str, Any]:
    """Read an id token: signed by a key of the provider, of this issuer, for us alone, for this login, not over.

    Raises:
        LoginRefused: it is not.
    """
    try:
        key, algorithms = _find_key(keys, jwt.get_unverified_header(id_token).get("kid"))
        claims: dict[str, Any] = jwt.decode(
            id_token,
            key,
            algorithms=algorithms,
            audience=client.client_id,
            issuer=client.issuer,
            leeway=_LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
        )
    except (jwt.PyJWTError, msgspec.DecodeError, ValueError, TypeError):
        raise LoginRefused(f"What {_host(client)} says of you is not signed as it must be.") from None
    is_ours = claims["aud"] in (client.client_id, [client.client_id]) and claims.get("azp") in (None, client.client_id)
    is_of_this_login = hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode())
    if not (is_ours and is_of_this_login and isinstance(claims["sub"], str) and claims["sub"]):
        raise LoginRefused(f"What {_host(client)} says of you is not meant for this login.")
    return claims


def _find_key(keys: bytes, kid: str | None) -> tuple[Any, list[str]]:
    """Find the key that signed, with the algorithms it is for; a key that does not say is for those of its kind."""
    published = msgspec.json.decode(keys, type=_Keys).keys
    fitting = [key for key in published if key.get("use", "sig") == "sig" and kid in (None, key.get("kid"))]
    if len(fitting) != 1:
        raise ValueError
    said = fitting[0].get("alg")
    return jwt.PyJWK.from_dict(fitting[0]).key, [said] if said in _ALGORITHMS else _ALGORITHMS


def _let_in(observatory: Observatory, client: Client, claims: dict[str, Any], address: str, replaces: str) -> Secret:
    role, now = find_role(client, claims), observatory.store.now()
    with observatory.store.write() as tx:
        people.lock_users(tx)
        user = people.find_user_of(tx, client.issuer, claims["sub"])
        is_refused = role is None or (user is not None and user.disabled_at is not None)
        if is_refused or role is None:
            known = user.name if user is not None else _free_name(tx, claims)
            why = "no group with a role" if role is None else "disabled"
            note(observatory, tx, Actor(name=NOBODY, address=address), "login refused", known, now=now, detail=why)
        else:
            user = user or _add(observatory, tx, client, claims, role, now)
            by = Actor(name=user.name, address=address)
            if user.role != role:
                people.change_user(tx, user.name, role=role)
                people.delete_access_of(tx, user.name)
                note(observatory, tx, by, "role changed", user.name, now=now, detail=f"{user.role} to {role}")
            proved_at = _proved_at(claims, now)
            session = begin_session(tx, user.name, now=now, proved_at=proved_at, address=address, replaces=replaces)
            note(observatory, tx, by, "logged in", user.name, now=now, detail=client.issuer)
            return session
    raise LoginRefused("You may not come in here.", hint="Ask an admin for a group that may.")


def find_role(client: Client, claims: dict[str, Any]) -> Role | None:
    """Find the highest role that a person's groups give; None where none does."""
    named = claims.get(client.groups_claim)
    groups = {name for name in (named if isinstance(named, list) else [named]) if isinstance(name, str)}
    return next((role for role, names in client.roles if names & groups), None)


def _add(
    observatory: Observatory, tx: Connection, client: Client, claims: dict[str, Any], role: Role, now: datetime
) -> User:
    name = _free_name(tx, claims)
    user = people.add_user(tx, name, role=role, now=now, issuer=client.issuer, subject=claims["sub"])
    note(observatory, tx, Actor(name=client.issuer), "user added", name, now=now, detail=role)
    return user


def _free_name(tx: Connection, claims: dict[str, Any]) -> str:
    """Give a name that nobody has: who a person is decides the subject, and nobody gets a name that is taken."""
    wished = next((text for key in ("preferred_username", "email", "sub") if isinstance(text := claims.get(key), str)
                   and text), "")  # fmt: skip
    name = _UNUSABLE.sub("-", wished.lower()).strip("-._@+")[:70] or "somebody"
    number, free = 1, name
    while people.find_user(tx, free) is not None:
        number += 1
        free = f"{name}-{number}"
    return free


def _proved_at(claims: dict[str, Any], now: datetime) -> datetime | None:
    """Give when the person last proved who it is; a provider that does not say may have let an old login do."""
    said = claims.get("auth_time")
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    try:
        return min(datetime.fromtimestamp(said, UTC), now)
    except (ValueError, OverflowError, OSError):
        return None


def _derive(secret: str, use: str) -> str:
    digest = hmac.digest(secret.encode("utf-8", "surrogatepass"), use.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _send(observatory: Observatory, client: Client, request: Request) -> Answer:
    try:
        answer = observatory.transport.send(request)
    except (DbtCloudError, HeadwaterError) as error:
        raise LoginRefused(f"{_host(client)} cannot be asked: {error.message}", hint="Try again.") from None
    if answer.status != 200:
        raise LoginRefused(f"{_host(client)} answered {answer.status}.", hint="Begin again, or ask who runs it.")
    return answer


def _read(answer: Answer, kind: type[Any], client: Client) -> Any:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.DecodeError:
        raise LoginRefused(f"{_host(client)} does not answer as an OpenID provider does.") from None


def _host(client: Client) -> str:
    return urlsplit(client.issuer).netloc
