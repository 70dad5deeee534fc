"""A store that an older Headwater wrote is brought along, on each of the two databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import create_engine, text

import headwater.store.migrate
from headwater.config import Settings
from headwater.model.account import ANY_ORIGIN, AccountAddress
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


_OF_ONE = (
    "INSERT INTO api_tokens (name, role, token_hash, prefix, created_at, account_id) "
    "VALUES (:name, 'ingest', :token, 'hw_i_1', 1, :account)"
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


def test_a_token_that_was_for_one_account_still_is(url: str, tmp_path: Path) -> None:
    """The id of its account becomes its limit, wherever that account is; a token for all stays one."""
    tokens = [make_token(Role.INGEST) for _ in range(2)]
    _write_store(
        url,
        "0011",
        [(_OF_ONE, {"name": name, "token": hash_secret(token), "account": account})
         for name, token, account in zip(("of all", "of one"), tokens, (None, 12345), strict=True)],
    )  # fmt: skip
    with open_observatory(Settings(database_url=SecretStr(url), data_folder=tmp_path)) as observatory:
        callers = [find_token(observatory, token) for token in tokens]
        named = [summary.accounts for summary in list_tokens(observatory)]

    assert [caller and caller.accounts for caller in callers] == [None, (AccountAddress(ANY_ORIGIN, 12345),)]
    assert named == [None, ("account 12345",)]


def _write_store_of_before(url: str, token: str) -> None:
    """Make a store of schema 0009 with this API token, a session and a login link."""
    hashes = {"token": hash_secret(token), "link": hash_secret("link"), "session": hash_secret("session")}
    known = hashes | {"far": _FAR}
    used = [{name: value for name, value in known.items() if f":{name}" in statement} for statement in _BEFORE]
    _write_store(url, "0009", zip(_BEFORE, used, strict=True))


def _write_store(url: str, schema: str, statements: Iterable[tuple[str, Mapping[str, object]]]) -> None:
    """Make a store of a schema and execute statements in it."""
    config = Config()
    config.set_main_option("script_location", str(Path(headwater.store.migrate.__file__).parent / "migrations"))
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, schema)
        for statement, values in statements:
            tx.execute(text(statement), values)
    engine.dispose()
