"""The columns that tables share, and the metadata that knows them all."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Integer, MetaData, text
from sqlalchemy.types import TypeEngine

from headwater.store.values import Number

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(column_0_label)s",
    }
)


def key(name: str, kind: type[TypeEngine[Any]] = Number) -> Column[Any]:
    """Give a column of the primary key."""
    return Column(name, kind(), primary_key=True, autoincrement=False, nullable=False)


def account() -> Column[Any]:
    """Give the column that every key of what an account holds begins with."""
    return Column("account_key", Integer(), primary_key=True, autoincrement=False, nullable=False)


def needed(name: str, kind: TypeEngine[Any], default: str | None = None) -> Column[Any]:
    """Give a column that is never empty."""
    return Column(name, kind, nullable=False, server_default=None if default is None else text(default))
