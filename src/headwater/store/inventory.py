"""What an account holds: projects, environments, jobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select

from headwater.model.account import Environment, Job, Project
from headwater.store.database import read_once
from headwater.store.schema import environments, jobs, projects
from headwater.store.writing import upsert


def save_projects(tx: Connection, account_key: int, found: Iterable[Project]) -> None:
    """Save projects as they are now."""
    upsert(tx, projects, [_facts(account_key, projects, project) for project in found])


def save_environments(tx: Connection, account_key: int, found: Iterable[Environment]) -> None:
    """Save environments as they are now."""
    upsert(tx, environments, [_facts(account_key, environments, environment) for environment in found])


def save_jobs(tx: Connection, account_key: int, found: Iterable[Job]) -> None:
    """Save jobs as they are now."""
    upsert(tx, jobs, [_facts(account_key, jobs, job) for job in found])


def list_projects(tx: Connection, account_key: int) -> list[Project]:
    """List the projects of an account by name, deleted ones included."""
    rows = tx.execute(select(projects).where(projects.c.account_key == account_key).order_by(projects.c.name))
    return [Project(**_fields(row)) for row in rows]


def list_environments(tx: Connection, account_key: int) -> list[Environment]:
    """List the environments of an account by name, deleted ones included."""
    here = environments.c.account_key == account_key
    rows = tx.execute(select(environments).where(here).order_by(environments.c.name))
    return [Environment(**_fields(row)) for row in rows]


def list_account_jobs(tx: Connection, account_key: int) -> list[Job]:
    """List the jobs of an account by name, deleted ones included."""

    def read() -> list[Job]:
        return [read_job(_fields(row)) for row in tx.execute(_JOBS, {"of_account": account_key})]

    return list(read_once(tx, ("jobs", account_key), read))


_JOBS = select(jobs).where(jobs.c.account_key == bindparam("of_account")).order_by(jobs.c.name)


def read_job(fields: dict[str, Any]) -> Job:
    """Read a job from its columns."""
    return Job(**{**fields, "commands": tuple(fields["commands"])})


def _facts(account_key: int, table: Table, thing: Project | Environment | Job) -> dict[str, Any]:
    names = [column.name for column in table.c if column.name != "account_key"]
    return {"account_key": account_key, **{name: getattr(thing, name) for name in names}}


def _fields(row: Any) -> dict[str, Any]:
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    del fields["account_key"]
    return fields
