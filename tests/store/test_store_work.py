"""The request budget, leases, sync states, and who may come in."""

from __future__ import annotations

import base64
import os
import stat
import threading
from bisect import bisect_left
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from things import ADDRESS, HOUR, MINUTE, SECOND, T0, at, make_run, new_account

from headwater.errors import NotKnown, SecretUnavailable, WrongUse
from headwater.model.account import AccountAddress
from headwater.model.run import Way
from headwater.model.secret import Secret
from headwater.model.sync import SyncProgress, SyncState
from headwater.store import access, users
from headwater.store.accounts import find_sealed_token, get_account, set_token
from headwater.store.budgets import SENT_WITHIN, block_requests_until, claim_requests
from headwater.store.database import Store, open_store
from headwater.store.leases import claim_lease, find_lease_holder, release_lease, renew_lease
from headwater.store.runs import save_run
from headwater.store.secrets import SealingKey, open_sealing_key, open_token, read_sealing_key, seal_token
from headwater.store.sync_progress import delete_progress, find_progress, save_progress
from headwater.store.sync_states import add_requests, get_sync_state, save_sync_state

asks = st.tuples(
    st.one_of(st.integers(0, 3_000_000), st.integers(0, 70_000_000)),  # µs since the one before
    st.integers(0, 80),
    st.integers(0, 5_000_000),  # µs until what was granted is sent
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asks=st.lists(asks, max_size=60), per_minute=st.integers(1, 600))
@example(asks=[(0, 80, 5_000_000), *[(1_000_000, 80, 0)] * 70], per_minute=60)
@example(asks=[(0, 80, 5_000_000), *[(100_000, 80, 0)] * 700], per_minute=500)
@example(asks=[(0, 1, 5_000_000), *[(65_000_000, 1, 0)] * 4], per_minute=1)
def test_no_minute_sees_more_requests_than_allowed(budget_store: Store, asks, per_minute) -> None:
    """Whoever asks when, and however late within five seconds they send: no sixty seconds hold more than the limit."""
    now, sent = T0, []
    with budget_store.write() as tx:
        tx.exec_driver_sql("DELETE FROM request_budgets")
        for gap, wanted, delay in asks:
            now += timedelta(microseconds=gap)
            claim = claim_requests(tx, 1, wanted, per_minute=per_minute, now=now)
            assert 0 <= claim.granted <= wanted
            assert (claim.granted == wanted) == (claim.wait == timedelta())
            sent += [now + timedelta(microseconds=delay)] * claim.granted
    sent.sort()
    for position, moment in enumerate(sent):
        assert position + 1 - bisect_left(sent, moment - MINUTE) <= per_minute


@pytest.fixture
def budget_store(tmp_path):
    with open_store(str(tmp_path / "budget.db")) as store:
        yield store


def test_a_patient_client_gets_most_of_its_budget(store: Store) -> None:
    """Waiting as told always brings at least one request, and four fifths of the budget over ten minutes."""
    now, granted = T0, 0
    with store.write() as tx:
        while now < at(1 / 6):
            claim = claim_requests(tx, 1, 10, per_minute=120, now=now)
            granted += claim.granted
            if claim.granted == 0:
                assert timedelta() < claim.wait < SENT_WITHIN
                now += claim.wait
                assert claim_requests(tx, 1, 0, per_minute=120, now=now).granted == 0
            else:
                now += 10 * timedelta(milliseconds=1)
    assert 120 * 10 * 0.8 <= granted <= 120 * 10


def test_a_block_is_kept_and_never_shortened(store: Store) -> None:
    """Nothing is granted before the time dbt Cloud named, whatever shorter time it names later; accounts are apart."""
    with store.write() as tx:
        block_requests_until(tx, 1, at(1))
        block_requests_until(tx, 1, at(0.5))
        claim = claim_requests(tx, 1, 5, per_minute=600, now=at(0.75))
        assert (claim.granted, claim.wait) == (0, HOUR / 4)
        assert claim_requests(tx, 2, 5, per_minute=600, now=at(0.75)).granted == 5
        assert claim_requests(tx, 1, 1, per_minute=600, now=at(1) + SECOND).granted == 1


def test_a_clock_that_was_set_back_does_not_stop_the_sync(store: Store) -> None:
    """After the clock goes back an hour the budget fills again from nothing."""
    with store.write() as tx:
        assert claim_requests(tx, 1, 5, per_minute=600, now=at(1)).granted == 5
        assert claim_requests(tx, 1, 5, per_minute=600, now=T0).granted == 0
        assert claim_requests(tx, 1, 5, per_minute=600, now=T0 + SECOND).granted == 5


def test_several_at_once_share_one_budget(store_url: str) -> None:
    """Threads with stores of their own together get what one bucket holds, and save one run once."""
    with open_store(store_url) as store:
        account_key = new_account(store)
    granted, saved, lock = [], [], threading.Lock()

    def work() -> None:
        with open_store(store_url) as mine:
            for _ in range(5):
                with mine.write() as tx:
                    claim = claim_requests(tx, account_key, 3, per_minute=300, now=T0)
                with mine.write() as tx:
                    outcome = save_run(tx, account_key, make_run(1), Way.POLL, T0)
                with lock:
                    granted.append(claim.granted)
                    saved.append(outcome.is_new)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 20
    assert sum(granted) == 30
    assert saved.count(True) == 1


def test_a_lease_has_one_holder(store: Store) -> None:
    """Free, expired and own leases are won; another's is not, nor renewed or released by somebody else."""
    with store.write() as tx:
        assert claim_lease(tx, "sync/1", "a", T0, MINUTE)
        assert claim_lease(tx, "sync/1", "a", T0, MINUTE)
        assert not claim_lease(tx, "sync/1", "b", T0 + MINUTE - SECOND, MINUTE)
        assert renew_lease(tx, "sync/1", "a", T0 + SECOND, MINUTE)
        assert not renew_lease(tx, "sync/1", "b", T0, MINUTE)
        release_lease(tx, "sync/1", "b")
        assert find_lease_holder(tx, "sync/1", T0 + MINUTE) == "a"
        assert claim_lease(tx, "sync/1", "b", T0 + MINUTE + SECOND, MINUTE)
        assert not renew_lease(tx, "sync/1", "a", T0, MINUTE)
        release_lease(tx, "sync/1", "b")
        assert find_lease_holder(tx, "sync/1", T0) is None


def test_a_sync_state_is_kept_and_totals_only_grow(store: Store) -> None:
    """Every field survives; saving an old copy does not take back requests that were counted meanwhile."""
    state = SyncState(
        newest_run_id=9, backfill_from=at(-9), backfilled_to=at(-5), structure_read_at=at(1), last_reconcile_at=at(2),
        last_attempt_at=at(3), last_success_at=at(4), last_error="no", failures=2,
    )  # fmt: skip
    account_key = new_account(store)
    with store.write() as tx:
        assert get_sync_state(tx, account_key) == SyncState()
        save_sync_state(tx, account_key, state)
        add_requests(tx, account_key, 10, 1)
        add_requests(tx, account_key, 5, 0)
        save_sync_state(tx, account_key, state)
    with store.read() as tx:
        assert get_sync_state(tx, account_key) == replace(state, requests_total=15, rate_limited_total=1)


def test_a_progress_is_kept_until_it_is_forgotten(store: Store) -> None:
    """Every field survives, the share to a millionth; forgetting it says whether there was one."""
    account_key = new_account(store)
    progress = SyncProgress(
        began_at=T0, noted_at=at(1), listed_from=at(-1), worked=timedelta(seconds=4.5), fetched=3, found=9,
        share=0.25, requests_before=17,
    )  # fmt: skip
    with store.write() as tx:
        assert find_progress(tx, account_key) is None
        save_progress(tx, account_key, replace(progress, fetched=2))
        save_progress(tx, account_key, progress)
    with store.write() as tx:
        assert find_progress(tx, account_key) == progress
        assert (delete_progress(tx, account_key), delete_progress(tx, account_key)) == (True, False)
        assert find_progress(tx, account_key) is None


def test_api_tokens_let_in_until_they_expire_or_are_revoked(store: Store) -> None:
    """Only the right hash in time; a name is taken until it is revoked."""
    with store.write() as tx:
        access.save_api_token(tx, "ci", role="viewer", token_hash=b"h1", prefix="hw_a", now=T0, expires_at=at(1))
        with pytest.raises(WrongUse):
            access.save_api_token(tx, "ci", role="admin", token_hash=b"h2", prefix="hw_b", now=T0)
        assert access.find_api_token(tx, b"h1", T0).role == "viewer"
        assert access.find_api_token(tx, b"h2", T0) is None
        assert access.find_api_token(tx, b"h1", at(1)) is None
        access.note_token_use(tx, "ci", at(0.5))
        access.revoke_api_token(tx, "ci", at(0.6))
        assert access.find_api_token(tx, b"h1", T0) is None
        (token,) = access.list_api_tokens(tx)
        assert (token.last_used_at, token.revoked_at) == (at(0.5), at(0.6))
        with pytest.raises(NotKnown):
            access.revoke_api_token(tx, "ci", at(0.7))
        access.save_api_token(tx, "ci", role="admin", token_hash=b"h2", prefix="hw_b", now=T0)
        assert access.find_api_token(tx, b"h2", at(999)).role == "admin"


def test_a_login_link_opens_once(store_url: str) -> None:
    """Of several that use a link at once one gets in; a late one does not; sessions end by themselves."""
    with open_store(store_url) as store:
        with store.write() as tx:
            access.save_login_link(tx, b"once", user="ada", now=T0, expires_at=at(1))
            access.save_login_link(tx, b"late", user="ada", now=T0, expires_at=at(1))
        let_in: list[str | None] = []

        def use() -> None:
            with store.write() as tx:
                let_in.append(access.claim_login_link(tx, b"once", T0))

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(let_in, key=str) == [None, None, None, "ada"]
        with store.write() as tx:
            assert access.claim_login_link(tx, b"late", at(1)) is None
            users.add_user(tx, "ada", role="admin", now=T0)
            access.save_session(tx, b"s", user="ada", now=T0, expires_at=at(1), proved_at=T0)
            access.note_session_use(tx, b"s", at(0.5), at(2))
            assert access.find_session(tx, b"s", at(1.5)).last_seen_at == at(0.5)
            assert access.find_session(tx, b"s", at(2)) is None
            access.delete_expired_access(tx, at(3))
            assert access.find_session(tx, b"s", T0) is None


TOKEN = "dbtc_CANARY-5d1f0a77c4e8f2b9"
KEY = SealingKey(bytes(range(32)))


def test_no_byte_of_a_token_reaches_the_database(tmp_path) -> None:
    """Neither the file nor its log holds the token, plain, in base64 or in hex; with the key it opens again."""
    with open_store(str(tmp_path / "x.db")) as store:
        account_key = new_account(store)
        with store.write() as tx:
            set_token(tx, account_key, seal_token(KEY, ADDRESS, Secret(TOKEN)), Secret(TOKEN).hint, T0)
        with store.read() as tx:
            assert open_token(KEY, ADDRESS, find_sealed_token(tx, account_key)).reveal() == TOKEN
            assert get_account(tx, account_key).token_hint == "f2b9"
        files = [path for path in tmp_path.iterdir() if path.is_file()]
        assert len(files) > 1
        written = b"".join(path.read_bytes() for path in files)
    plain = TOKEN.encode()
    for form in (plain, base64.b64encode(plain)[:-4], plain.hex().encode(), plain[5:20]):
        assert form not in written


def test_a_sealed_token_opens_only_with_its_key_for_its_account_and_unchanged(store: Store) -> None:
    """Another origin, another account, another key, any flipped bit: closed, and the message shows nothing of it."""
    sealed = seal_token(KEY, ADDRESS, Secret(TOKEN))
    assert sealed != seal_token(KEY, ADDRESS, Secret(TOKEN))
    attempts = [
        (KEY, AccountAddress("https://evil.example", ADDRESS.account_id), sealed),
        (KEY, AccountAddress(ADDRESS.origin, 43), sealed),
        (SealingKey(bytes(32)), ADDRESS, sealed),
        *((KEY, ADDRESS, sealed[:n]) for n in (0, 1, 12, len(sealed) - 1)),
        *((KEY, ADDRESS, bytes([*sealed[:n], sealed[n] ^ 1, *sealed[n + 1 :]])) for n in range(len(sealed))),
    ]
    for key, address, changed in attempts:
        with pytest.raises(SecretUnavailable) as refused:
            open_token(key, address, changed)
        assert refused.value.hint
        assert "CANARY" not in str(refused.value)


def test_the_key_file_is_made_once_and_only_for_its_owner(tmp_path) -> None:
    """Many that start at once agree on one key; a file open to others, or of another length, is refused with a hint."""
    path = tmp_path / "data" / "secret.key"
    keys: list[SealingKey] = []
    threads = [threading.Thread(target=lambda: keys.append(open_sealing_key(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key.key for key in keys}) == 1
    assert len(keys) == 8
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]
    assert str(keys[0].key) not in repr(keys[0])
    path.chmod(0o640)
    with pytest.raises(SecretUnavailable, match="chmod 600"):
        open_sealing_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(SecretUnavailable):
        open_sealing_key(path)
    with pytest.raises(SecretUnavailable):
        open_sealing_key(path / "inside")


def test_a_key_may_come_from_the_settings() -> None:
    """Base64 of 32 bytes, and nothing else."""
    assert read_sealing_key(base64.b64encode(KEY.key).decode() + "\n") == KEY
    for wrong in ("", "short", "!!!", base64.b64encode(os.urandom(31)).decode()):
        with pytest.raises(SecretUnavailable) as refused:
            read_sealing_key(wrong)
        assert not wrong or wrong not in str(refused.value)
