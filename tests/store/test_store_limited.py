"""A store that is limited to some accounts: each table, each shape of query, and what is written; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Connection,
    LargeBinary,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal_column,
    outerjoin,
    select,
    text,
    true,
    update,
)
from things import ADDRESS, T0, new_account

from headwater.errors import NotAllowed
from headwater.model.account import AccountAddress
from headwater.store.accounts import list_accounts, name_account, raise_revision, read_revisions
from headwater.store.audit import add_event, find_break, list_events
from headwater.store.database import Store
from headwater.store.limited import LOG_TABLES, OPEN_TABLES
from headwater.store.schema import (
    accounts,
    api_tokens,
    audit_events,
    executions,
    inbox,
    invocations,
    leases,
    metadata,
    nodes,
    projects,
    runs,
    users,
)
from headwater.store.values import Instant, Json, Span
from headwater.store.writing import insert_rows, upsert

OURS, THEIRS = "ours", "theirs"
HELD = [table for table in metadata.sorted_tables if "account_key" in table.c]
ALL = [table for table in metadata.sorted_tables if table.name not in OPEN_TABLES | LOG_TABLES]
CLOSED = [table for table in ALL if "account_key" not in table.c]


def make_row(table: Table, key: int, name: str) -> dict[str, Any]:
    """Make a row of an account in which every text says whose it is."""
    values: dict[type, Any] = {
        Instant: T0,
        Span: timedelta(1),
        Json: [name],
        Boolean: False,
        LargeBinary: name.encode(),
    }
    row: dict[str, Any] = {}
    for column in table.c:
        is_number = column.type.__class__.__name__ in {"Number", "Integer"}
        row[column.name] = values.get(type(column.type), 1 if is_number else name)
    return {**row, "account_key": key} if "account_key" in table.c else row


@pytest.fixture
def keys(store: Store) -> dict[str, int]:
    """Two accounts, each with a row in every table that can hold one."""
    found = {
        name: new_account(store, name, AccountAddress(ADDRESS.origin, 40 + n)) for n, name in enumerate((OURS, THEIRS))
    }
    with store.write() as tx:
        for name, key in found.items():
            for table in ALL:
                if table is not accounts:
                    tx.execute(insert(table).values(make_row(table, key, name)))
    return found


@pytest.fixture
def limited(store: Store, keys: dict[str, int]) -> Store:
    """The store with nothing but the first account."""
    return store.limited_to(frozenset({keys[OURS]}))


@pytest.mark.parametrize("table", HELD, ids=str)
def test_of_every_table_the_own_rows_are_there(
    limited: Store, store: Store, keys: dict[str, int], table: Table
) -> None:
    """Each table that belongs to accounts shows those of ours alone; the whole store goes on to show both."""
    with limited.read() as tx:
        rows = tx.execute(select(table)).all()
    with store.read() as tx:
        everything = tx.execute(select(table)).all()

    assert [row.account_key for row in rows] == [keys[OURS]]
    assert THEIRS not in str(rows)
    assert len(everything) == 2


@pytest.mark.parametrize("table", CLOSED, ids=str)
def test_what_belongs_to_no_account_is_not_there(limited: Store, store: Store, table: Table) -> None:
    """The inbox, leases and API tokens are empty, and nothing is written there; a new table is so by itself."""
    with limited.read() as tx:
        rows = tx.execute(select(table)).all()
    with pytest.raises(NotAllowed), limited.write() as tx:
        tx.execute(insert(table).values(make_row(table, 0, "third")))
    with pytest.raises(NotAllowed), limited.write() as tx:
        tx.execute(delete(table))
    with store.read() as tx:
        count = tx.execute(select(func.count()).select_from(table)).scalar_one()

    assert rows == []
    assert count == 2


def test_every_table_is_of_an_account_or_open_or_closed() -> None:
    """What is open to everybody holds nothing of an account, and is named; the rest is limited or not there."""
    assert {table.name for table in CLOSED} == {"inbox", "leases", "api_tokens"}
    assert not (OPEN_TABLES | LOG_TABLES) & {table.name for table in HELD}
    assert len(HELD) + len(CLOSED) + len(OPEN_TABLES | LOG_TABLES) == len(metadata.sorted_tables)


def _chain() -> Any:
    up = select(runs.c.account_key, runs.c.run_id).cte("up", recursive=True)
    other = runs.alias()
    return select(up.union(select(other.c.account_key, other.c.run_id).where(other.c.run_id == up.c.run_id + 1)))


_OTHER = runs.alias()
QUERIES: dict[str, Callable[[], Any]] = {
    "alias": lambda: select(_OTHER.c.account_key),
    "join": lambda: select(runs.c.account_key).join(projects, projects.c.project_id == runs.c.project_id),
    "outer join": lambda: select(runs.c.account_key, projects.c.account_key).select_from(
        outerjoin(runs, projects, projects.c.account_key != runs.c.account_key)
    ),
    "without a condition": lambda: select(runs.c.account_key, nodes.c.account_key).join(nodes, true()),
    "self join": lambda: select(runs.c.account_key, _OTHER.c.account_key).join(_OTHER, true()),
    "subquery": lambda: select(select(runs).subquery().c.account_key),
    "scalar subquery": lambda: select(
        select(func.sum(runs.c.account_key)).scalar_subquery(), select(func.max(nodes.c.account_key)).scalar_subquery()
    ),
    "exists": lambda: select(accounts.c.account_key).where(
        exists().where(and_(runs.c.account_key != accounts.c.account_key, runs.c.run_id == 1))
    ),
    "in": lambda: select(accounts.c.account_key).where(accounts.c.account_key.in_(select(runs.c.account_key))),
    "union": lambda: select(runs.c.account_key).union_all(select(nodes.c.account_key)),
    "named subquery": lambda: select(select(runs).cte("named")),
    "kept subquery": lambda: select(select(runs).cte("kept").prefix_with("MATERIALIZED")),
    "recursive": _chain,
    "grouped": lambda: select(runs.c.account_key, func.count()).group_by(runs.c.account_key),
    "ranked": lambda: select(runs.c.account_key, func.row_number().over(order_by=runs.c.account_key)),
    "text": lambda: text("SELECT account_key FROM runs"),
    "capitals": lambda: text("SELECT account_key FROM RUNS"),
    "quoted": lambda: text('SELECT account_key FROM "runs"'),
    "text within": lambda: select(literal_column("(SELECT max(account_key) FROM runs)")),
}


@pytest.mark.parametrize("shape", QUERIES)
def test_no_shape_of_a_query_reaches_beyond(limited: Store, keys: dict[str, int], shape: str) -> None:
    """Joins, subqueries and the like find no row of another account, however they are nested."""
    with limited.read() as tx:
        rows = tx.execute(QUERIES[shape]()).all()
    found = {value for row in rows for value in row if value == keys[THEIRS]}

    assert not found
    assert (rows == []) == (shape == "exists")


def test_an_account_less_limit_has_nothing(store: Store, keys: dict[str, int]) -> None:
    """Who is limited to accounts that are gone sees none, not all."""
    with store.limited_to(frozenset()).read() as tx:
        assert (list_accounts(tx), tx.execute(select(runs)).all()) == ([], [])
    with store.read() as tx:
        assert set(read_revisions(tx)) == set(keys.values())


def test_what_is_written_stays_within(limited: Store, store: Store, keys: dict[str, int]) -> None:
    """Changes and deletions touch own rows alone, what is added must be own, and whatever else writes is refused."""
    ours, theirs = keys[OURS], keys[THEIRS]
    with limited.write() as tx:
        raise_revision(tx, ours)
        changed = tx.execute(update(projects).values(name="changed")).rowcount
        gone = tx.execute(delete(nodes)).rowcount
        upsert(tx, runs, [make_row(runs, ours, "more") | {"run_id": number} for number in (1, 2)])
        tx.execute(insert(users).values(name="ada", role="viewer", created_at=T0))
    refused: list[Callable[[Connection], object]] = [
        lambda tx: tx.execute(insert(projects).values(make_row(projects, theirs, "x") | {"project_id": 9})),
        lambda tx: tx.execute(
            insert(projects), [make_row(projects, k, "x") | {"project_id": 9} for k in (ours, theirs)]
        ),
        lambda tx: upsert(tx, runs, [make_row(runs, theirs, "x")]),
        lambda tx: tx.execute(insert(projects).from_select(["account_key"], select(accounts.c.account_key))),
        lambda tx: tx.execute(insert(accounts).values(name="x", origin="x", account_id=1, added_at=T0)),
        lambda tx: tx.execute(text("UPDATE projects SET name = 'x'")),
        lambda tx: tx.execute(text("WITH x AS (SELECT 1) DELETE FROM projects")),
        lambda tx: tx.execute(text(f'SELECT * FROM "{tx.dialect.default_schema_name}".runs')),
        lambda tx: tx.execute(text(f"SELECT * FROM {tx.dialect.default_schema_name} . runs")),
        lambda tx: tx.execute(delete(audit_events)),
        lambda tx: tx.exec_driver_sql("SELECT * FROM runs"),
        lambda tx: tx.exec_driver_sql("DELETE FROM runs"),
        lambda tx: insert_rows(tx, projects, ["account_key"], [(ours,)] * 60),
    ]
    for write in refused:
        with pytest.raises(NotAllowed), limited.write() as tx:
            write(tx)
    with store.read() as tx:
        names = set(tx.execute(select(projects.c.name)).scalars())
        of_nodes = tx.execute(select(nodes.c.account_key)).scalars().all()
        of_runs = tx.execute(select(runs.c.account_key).order_by(runs.c.account_key)).scalars().all()

    assert (changed, gone) == (1, 1)
    assert names == {"changed", THEIRS}
    assert of_nodes == [theirs]
    assert of_runs == sorted([ours, ours, theirs])


def test_a_change_of_what_another_account_holds_changes_nothing(
    limited: Store, store: Store, keys: dict[str, int]
) -> None:
    """By its key, by many sets of parameters, or through a subquery: a row of theirs is as if it were not there."""
    theirs = keys[THEIRS]
    with limited.write() as tx:
        by_key = tx.execute(update(runs).where(runs.c.account_key == theirs).values(status="x")).rowcount
        by_other = update(runs).where(runs.c.run_id.in_(select(executions.c.node_key))).values(status="y")
        tx.execute(by_other)
        gone = tx.execute(delete(invocations).where(invocations.c.account_key == theirs)).rowcount
        free = name_account(tx, 41)
    with store.read() as tx:
        statuses = dict(tx.execute(select(runs.c.account_key, runs.c.status)).all())
        left = tx.execute(select(invocations.c.account_key).order_by(invocations.c.account_key)).scalars().all()

    assert (by_key, gone, free) == (0, 0, "account-41")
    assert statuses == {keys[OURS]: "y", theirs: THEIRS}
    assert left == sorted(keys.values())


def test_the_log_is_added_to_and_not_read(limited: Store, store: Store) -> None:
    """What is done within a limit is noted in the one chain; nothing of it is found there."""
    with limited.write() as tx:
        add_event(tx, b"key", now=T0, actor="ada", action="noted")
        events = list_events(tx, limit=9)
    with store.read() as tx:
        everything = [(event.actor, event.action) for event in list_events(tx, limit=9)]
        broken = find_break(tx, b"key")

    assert (events, everything, broken) == ([], [("ada", "noted")], None)


def test_closed_tables_hold_what_the_tests_say(store: Store, keys: dict[str, int]) -> None:
    """The whole store sees what the limited one does not."""
    with store.read() as tx:
        counts = [
            tx.execute(select(func.count()).select_from(table)).scalar_one() for table in (inbox, leases, api_tokens)
        ]

    assert counts == [len(keys)] * 3
