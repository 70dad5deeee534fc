"""A store that an older Headwater wrote is brought along, on each of the two databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import create_engine, text

import headwater.store.migrate
from headwater.config import Settings
from headwater.observatory.access import Caller, Role, find_token, hash_secret, list_tokens, make_token
from headwater.observatory.audit import find_audit_break
from headwater.observatory.holder import open_observatory
from headwater.observatory.sessions import create_login_link, find_session, redeem_link
from headwater.observatory.users import list_users
from postgres import PostgresServer

_FAR = 4_000_000_000_000_000
_BEFORE = (
    (
        "INSERT INTO api_tokens (name, role, token_hash, prefix, created_at) "
        "VALUES ('airflow', 'ingest', :token, 'hw_i_1', 1)"
    ),
    "INSERT INTO login_links (link_hash, role, created_at, expires_at) VALUES (:link, 'admin', 1, :far)",
    (
        "INSERT INTO sessions (session_hash, role, name, created_at, last_seen_at, expires_at) "
        "VALUES (:session, 'admin', 'admin', 1, 1, :far)"
    ),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without any tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'headwater.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(template=None) as address:
        yield address


def test_a_store_of_before_there_were_users_is_brought_along(url: str, tmp_path: Path) -> None:
    """API tokens go on to let in; sessions and links, which were nobody's, do not; the next link makes an admin."""
    token = make_token(Role.INGEST)
    _write_store_of_before(url, token)
    with open_observatory(Settings(database_url=SecretStr(url), data_folder=tmp_path)) as observatory:
        caller = find_token(observatory, token)
        (summary,) = list_tokens(observatory)
        of_before = redeem_link(observatory, "link"), find_session(observatory, "session")
        users_before = list_users(observatory).users
        session = redeem_link(observatory, create_login_link(observatory).reveal())
        users = [(user.name, user.role, user.sessions) for user in list_users(observatory).users]
        broken = find_audit_break(observatory)

    assert caller == Caller(name="airflow", role=Role.INGEST)
    assert (summary.created_by, summary.expires_at) == ("", None)
    assert (of_before, users_before) == ((None, None), ())
    assert session is not None
    assert users == [("admin", "admin", 1)]
    assert broken is None


def _write_store_of_before(url: str, token: str) -> None:
    """Make a store of schema 0009 with this API token, a session and a login link."""
    config = Config()
    config.set_main_option("script_location", str(Path(headwater.store.migrate.__file__).parent / "migrations"))
    hashes = {"token": hash_secret(token), "link": hash_secret("link"), "session": hash_secret("session")}
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, "0009")
        for statement in _BEFORE:
            known = {name: value for name, value in (hashes | {"far": _FAR}).items() if f":{name}" in statement}
            tx.execute(text(statement), known)
    engine.dispose()
