"""The observatory: what the one door to the engine holds open."""

from __future__ import annotations

import random as chances
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection

from headwater.config import Settings
from headwater.dbtcloud.asking import RequestReport
from headwater.dbtcloud.client import Client
from headwater.dbtcloud.transport import HttpTransport, open_transport
from headwater.errors import NotKnown
from headwater.model.account import AccountAddress
from headwater.model.secret import Secret
from headwater.observatory.lineage import LineageMemory
from headwater.observatory.remembered import Remembered
from headwater.observatory.run_contents import RunContents
from headwater.observatory.traffic import Traffic
from headwater.store.accounts import find_account, find_sealed_token, list_accounts
from headwater.store.database import Store, open_store
from headwater.store.rows import Account
from headwater.store.secrets import SealingKey, open_sealing_key, open_token, read_sealing_key
from headwater.sync.budget import StoreBudget

_MOST_RUNS = 4
"""The contents of so many runs are remembered; those of a run of 10,000 nodes take 20 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observatory:
    """The open store, the key of its secrets and the way to dbt Cloud; every family of questions takes it first.

    `accepted` wakes whoever stores what the SDK sent, `stored` whoever evaluates what was stored.
    """

    settings: Settings
    store: Store
    key: SealingKey
    transport: HttpTransport
    clock: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = chances.random
    traffic: Traffic = field(default_factory=Traffic)
    lineage: LineageMemory = field(default_factory=LineageMemory)
    run_contents: Remembered[RunContents] = field(default_factory=lambda: Remembered(_MOST_RUNS))
    accepted: threading.Event = field(default_factory=threading.Event)
    stored: threading.Event = field(default_factory=threading.Event)

    def limited_to(self, account_keys: frozenset[int]) -> Observatory:
        """Give an observatory in whose store nothing is but these accounts.

        It shares what is named here and nothing that this one remembers.
        """
        return Observatory(
            settings=self.settings,
            store=self.store.limited_to(account_keys),
            key=self.key,
            transport=self.transport,
            clock=self.clock,
            sleep=self.sleep,
            random=self.random,
            traffic=self.traffic,
            accepted=self.accepted,
            stored=self.stored,
        )

    def client(self, account: Account) -> Client:
        """Give a client for an account, on the budget that all processes share.

        Raises:
            NotKnown: the account has no token, because only the SDK or an ingest told of it.
            SecretUnavailable: the token cannot be opened with this key.
        """
        with self.store.read() as tx:
            sealed = find_sealed_token(tx, account.account_key)
        if sealed is None:
            raise NotKnown(
                f"The account {account.name} has no token.", hint=f"Run 'headwater account set-token {account.name}'."
            )
        token = open_token(self.key, account.address, sealed)
        budget = StoreBudget(
            self.store, account.account_key, self.settings.dbt_cloud.requests_per_minute, self.sleep, self.clock
        )
        return self._client(account.address, token, budget, lambda report: self.traffic.count(account.name, report))

    def unsaved_client(self, address: AccountAddress, token: Secret) -> Client:
        """Give a client for an account that is not connected yet."""
        return self._client(address, token, None, None)

    def _client(
        self,
        address: AccountAddress,
        token: Secret,
        budget: StoreBudget | None,
        on_request: Callable[[RequestReport], None] | None,
    ) -> Client:
        return Client(
            address,
            token,
            self.transport,
            budget=budget,
            artifact_limit=self.settings.dbt_cloud.artifact_size_limit,
            sleep=self.sleep,
            random=self.random,
            clock=self.clock,
            on_request=on_request,
        )


@contextmanager
def open_observatory(
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Observatory]:
    """Open the store, the key and the connections; everything is closed at the end.

    `sleep` is what waiting for dbt Cloud uses; a process that must end soon gives one that raises Stopping.

    Raises:
        StoreError: the database cannot be opened.
        SecretUnavailable: the key cannot be read.
        ConfigurationInvalid: certificates or proxy of the settings are no good.
    """
    cloud = settings.dbt_cloud
    with (
        open_store(settings.store_url, clock=clock) as store,
        open_transport(proxy=cloud.proxy, ca_file=cloud.ca_file, deadline=cloud.request_timeout) as transport,
    ):
        given = settings.secret_key
        key = (
            read_sealing_key(given.get_secret_value())
            if given is not None
            else open_sealing_key(settings.data_folder / "secret.key")
        )
        wall = clock or partial(datetime.now, UTC)
        yield Observatory(settings=settings, store=store, key=key, transport=transport, sleep=sleep, clock=wall)


def get_account(observatory: Observatory, name: str) -> Account:
    """Get an account by name.

    Raises:
        NotKnown: with the names there are.
    """
    with observatory.store.read() as tx:
        return read_account(tx, name)


def read_account(tx: Connection, name: str) -> Account:
    """Get an account by name, inside a transaction.

    Raises:
        NotKnown: with the names there are.
    """
    account = find_account(tx, name)
    if account is None:
        names = [known.name for known in list_accounts(tx)]
        known = f"Known accounts: {', '.join(names)}." if names else "Connect one with 'headwater account add'."
        raise NotKnown(f"There is no account {name!r}.", hint=known)
    return account
