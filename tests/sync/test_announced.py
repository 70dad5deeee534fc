"""Webhooks over real HTTP: what is announced is read at once, and nothing that is said or left unsaid loses a run."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from cloud import NAMES, Cloud, running_cloud, serving, watching
from headwater.cli.app import run as run_command
from headwater.config import MonitorSettings
from headwater.errors import NotKnown, SecretUnavailable, TokenRejected, WrongUse
from headwater.model.secret import Secret
from headwater.monitor import open_monitor
from headwater.observatory.accounts import get_account_summary, set_token
from headwater.observatory.evaluating import evaluating_stored
from headwater.observatory.holder import Observatory, get_account
from headwater.observatory.keeping import delete_expired
from headwater.observatory.reports import RunReport
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.observatory.syncing import sync_accounts
from headwater.observatory.webhooks import (
    MOST_WAITING,
    PATH,
    WebhookReport,
    answer,
    get_webhook,
    list_announced,
    subscribe,
    unsubscribe,
)
from headwater.store.accounts import set_paused
from headwater.store.incidents import get_mark
from headwater.store.secrets import TOKEN, WEBHOOK, open_token
from headwater.store.webhooks import (
    Webhook,
    add_event,
    close_events,
    find_webhook,
    has_event,
    list_announcements,
    save_webhook,
)
from headwater.web.serve import listen
from truth import assert_equal_to_truth


def telling_cloud(seed: int = 1) -> AbstractContextManager[Cloud]:
    """Start a cloud that soon tries a refused delivery again: forgeries would hold up the others behind them."""
    return running_cloud(days=1, seed=seed, webhook_retry_seconds=0.01)


def wait_until(seen: Callable[[], Any]) -> Any:
    """Ask until there is an answer."""
    until = time.monotonic() + 60
    while not (found := seen()):
        assert time.monotonic() < until
        threading.Event().wait(0.02)
    return found


def order_run(cloud: Cloud, observatory: Observatory, name: str) -> int:
    """Order a run of half a minute, and let it end; gives its id."""
    jobs = {run.job_id for run in list_runs(observatory, RunFilter(account=name), limit=None).runs}
    made = cloud.simulator.control(
        "POST", "runs", {"job_id": min(job for job in jobs if job), "duration_seconds": 30, "queue_seconds": 1}
    )
    cloud.advance(300)
    return int(made["id"])


def has_announcement(observatory: Observatory, name: str, run_id: int) -> bool:
    """Tell whether a run waits to be read."""
    key = get_account(observatory, name).account_key
    with observatory.store.read() as tx:
        return any(event.run_id == run_id for event in list_announcements(tx, key, MOST_WAITING))


def secret_of(observatory: Observatory, name: str) -> Secret:
    """Give the secret that dbt Cloud signs with."""
    account = get_account(observatory, name)
    with observatory.store.read() as tx:
        webhook = find_webhook(tx, account.account_key)
    assert webhook is not None
    assert webhook.secret is not None
    return open_token(observatory.key, account.address, webhook.secret, WEBHOOK)


def call(url: str | None, body: bytes, signature: str | None) -> tuple[int, dict[str, Any]]:
    """Call as dbt Cloud does; without a signature where it is None."""
    headers = {"Content-Type": "application/json"} | ({} if signature is None else {"Authorization": signature})
    with urllib3.PoolManager() as pool:
        reply = pool.request("POST", url or "", body=body, headers=headers, retries=False, redirect=False)
        return reply.status, reply.json()


def sign(secret: Secret, body: bytes) -> str:
    """Sign as dbt Cloud does."""
    return hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()


def make_body(run_id: object, event_id: str = "wev_1", id_key: str = "webhookId", **more: object) -> bytes:
    """Make an announcement."""
    said = {"accountId": 1, id_key: "wsu_1", "eventId": event_id, "eventType": "job.run.completed"}
    return json.dumps({**said, "data": {"runId": run_id, "runStatus": "Success"}, **more}).encode()


def waiting(observatory: Observatory, name: str = "first") -> int:
    """Count what waits to be read."""
    return get_webhook(observatory, name).waiting


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud for the tests that ask it little."""
    with telling_cloud() as running:
        yield running


@pytest.fixture
def observatory(cloud: Cloud, tmp_path: Path) -> Iterator[Observatory]:
    """An observatory with both accounts, and nothing synced."""
    with watching(cloud, tmp_path, days=1) as opened:
        yield opened


@pytest.fixture
def subscribed(cloud: Cloud, observatory: Observatory) -> Iterator[WebhookReport]:
    """The first account's webhook, whose trial was answered."""
    with serving(observatory) as url:
        report = subscribe(observatory, "first", url)
        answer(observatory, "first")
        yield report
        unsubscribe(observatory, "first")


@pytest.mark.parametrize("seed", range(3))
def test_whatever_becomes_of_webhooks_the_store_equals_the_truth(tmp_path: Path, seed: int) -> None:
    """With drops, repeats, reorders, forgeries and late ones by seed, no run is lost, doubled or wrong."""
    chance = random.Random(seed)
    rates = {"drop": 0.3, "repeat": 0.3, "reorder": 0.3, "forge": 0.3}
    with telling_cloud(seed) as cloud, watching(cloud, tmp_path, days=1) as observatory:
        sync_accounts(observatory)
        with serving(observatory) as url:
            assert all(subscribe(observatory, name, url).arrived for name in NAMES)
            cloud.simulator.control("POST", "faults", {"webhooks": rates})
            for _ in range(12):
                cloud.advance(900)
                if chance.random() < 0.5:
                    answer(observatory, chance.choice(NAMES))
            cloud.simulator.control("POST", "faults", {"clear": True})
            for name in NAMES:
                run_id = order_run(cloud, observatory, name)
                wait_until(lambda name=name, run_id=run_id: has_announcement(observatory, name, run_id))
                while list_announced(observatory):
                    for each in list_announced(observatory):
                        answer(observatory, each)
                assert "webhook" in get_run(observatory, name, run_id).observed_by
            for name in NAMES:
                with observatory.store.read() as tx:
                    assert not has_event(tx, get_account(observatory, name).account_key, "wev_forged")
        cloud.advance(700)
        sync_accounts(observatory)

        assert assert_equal_to_truth(cloud, observatory) > 20


def test_losing_every_webhook_loses_no_run(tmp_path: Path) -> None:
    """Where every delivery is dropped, polling alone brings every run."""
    with telling_cloud() as cloud, watching(cloud, tmp_path, days=1, accounts=1) as observatory:
        sync_accounts(observatory)
        with serving(observatory) as url:
            subscribe(observatory, "first", url)
            answer(observatory, "first")
            cloud.simulator.control("POST", "faults", {"webhooks": {"drop": 1.0}})
            cloud.advance(7_200)
            run_id = order_run(cloud, observatory, "first")
            sync_accounts(observatory)

            assert get_run(observatory, "first", run_id).observed_by == ("poll",)
        assert_equal_to_truth(cloud, observatory)


def test_an_announced_run_is_stored_without_a_pass(tmp_path: Path) -> None:
    """The monitor reads an announced run at once: between two passes an hour apart, of which none begins."""
    with telling_cloud() as cloud, watching(cloud, tmp_path, days=1, accounts=1) as observatory:
        sync_accounts(observatory)
        settings = MonitorSettings(prometheus_port=0, interval=3_600)
        stop = threading.Event()
        with serving(observatory) as url, open_monitor(observatory, settings, stop) as monitor:
            thread = threading.Thread(target=monitor.run)
            thread.start()
            try:
                wait_until(lambda: "first" in monitor.paces and monitor.paces["first"].passes)
                passes = monitor.paces["first"].passes
                assert subscribe(observatory, "first", url).arrived
                run_id = order_run(cloud, observatory, "first")
                stored = wait_until(lambda: find_finished(observatory, "first", run_id))

                assert stored.observed_by == ("webhook",)
                assert {artifact.state for artifact in stored.artifacts} <= {"stored", "absent", "failed"}
                assert monitor.paces["first"].passes == passes
            finally:
                stop.set()
                thread.join()


def find_finished(observatory: Observatory, name: str, run_id: int) -> RunReport | None:
    """Find a run that is stored and over."""
    try:
        found = get_run(observatory, name, run_id)
    except NotKnown:
        return None
    return found if found.finished_at is not None else None


def test_what_was_announced_is_evaluated_behind_it(tmp_path: Path) -> None:
    """Whoever reads an announced run evaluates nothing, so that no other waits; a thread does behind it."""
    with telling_cloud() as cloud, watching(cloud, tmp_path, days=1, accounts=1) as observatory:
        sync_accounts(observatory)
        key = get_account(observatory, "first").account_key

        def evaluated_at() -> datetime | None:
            with observatory.store.read() as tx:
                return get_mark(tx, key).evaluated_at

        first = evaluated_at()
        run_id = order_run(cloud, observatory, "first")
        with observatory.store.write() as tx:
            add_event(tx, key, "wev_1", run_id, observatory.store.now())
        assert answer(observatory, "first").runs_collected == 1

        assert evaluated_at() == first
        with evaluating_stored(observatory):
            wait_until(lambda: evaluated_at() == cloud.now)
            cloud.advance(60)
            run_id = order_run(cloud, observatory, "first")
            with observatory.store.write() as tx:
                add_event(tx, key, "wev_2", run_id, observatory.store.now())
            answer(observatory, "first")
            wait_until(lambda: evaluated_at() == cloud.now)


def test_announced_runs_far_above_hide_none_below(tmp_path: Path) -> None:
    """After three days without polling, the newest runs come by webhook first; those below are found all the same."""
    with telling_cloud() as cloud, watching(cloud, tmp_path, days=1, accounts=1) as observatory:
        sync_accounts(observatory)
        account = get_account(observatory, "first")
        cloud.advance(timedelta(days=3).total_seconds())
        newest = sorted(cloud.truth(account.address.account_id))[-30:]
        with observatory.store.write() as tx:
            for run_id in newest:
                add_event(tx, account.account_key, f"wev_{run_id}", run_id, observatory.store.now())
        answer(observatory, "first")
        sync_accounts(observatory)

        assert_equal_to_truth(cloud, observatory)


def test_a_forgery_is_refused_and_leaves_nothing(observatory: Observatory, subscribed: WebhookReport) -> None:
    """A wrong, missing or foreign signature, a changed body and an unknown address: one and the same 401, no row."""
    heard_at, body = get_webhook(observatory, "first").heard_at, make_body(7)
    good = sign(secret_of(observatory, "first"), body)
    unknown = (subscribed.url or "").rpartition("/")[0] + "/nobody"
    attempts = (
        (subscribed.url, body, "0" * 64),
        (subscribed.url, body, ""),
        (subscribed.url, body, None),
        (subscribed.url, body, "é" * 64),
        (subscribed.url, body, f"Bearer {good}"),
        (subscribed.url, body + b" ", good),
        (subscribed.url, b"", good),
        (unknown, body, good),
        (unknown, body, None),
    )
    answers = [call(*attempt) for attempt in attempts]

    assert answers == [(401, {"status": "refused"})] * len(attempts)
    assert (waiting(observatory), get_webhook(observatory, "first").heard_at) == (0, heard_at)


def test_an_event_counts_once(observatory: Observatory, subscribed: WebhookReport) -> None:
    """Duplicates and replays change nothing, also after the run was read; ids come as texts or numbers."""
    secret = secret_of(observatory, "first")
    bodies = (make_body("7"), make_body("7"), make_body(7, id_key="webhooksID"), make_body(8, "wev_2"))
    answers = [call(subscribed.url, body, sign(secret, body)) for body in bodies]

    assert [said["status"] for _, said in answers] == ["accepted", "repeated", "repeated", "accepted"]
    assert ({status for status, _ in answers}, waiting(observatory)) == ({200}, 2)

    answer(observatory, "first")
    assert call(subscribed.url, bodies[0], sign(secret, bodies[0])) == (200, {"status": "repeated"})
    assert waiting(observatory) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"eventId": "x"}',
        b'{"eventId": 5, "data": {"runId": "7"}}',
        b'\xff{"data": {}}',
        b"[" * 5_000,
        make_body(None),
        make_body("seven"),
        make_body(-1),
        make_body(2**70),
    ],
)
def test_what_tells_of_no_run_is_taken_and_passed_over(
    observatory: Observatory, subscribed: WebhookReport, body: bytes
) -> None:
    """What dbt Cloud signed is never refused, or it would end the subscription; it just announces nothing."""
    assert call(subscribed.url, body, sign(secret_of(observatory, "first"), body)) == (200, {"status": "ignored"})
    assert waiting(observatory) == 0


def test_a_flood_is_bounded(observatory: Observatory, subscribed: WebhookReport) -> None:
    """Past the cap further announcements get 503, repeated ones still 200; once they are read there is room again."""
    secret, key = secret_of(observatory, "first"), get_account(observatory, "first").account_key
    with observatory.store.write() as tx:
        for number in range(MOST_WAITING):
            add_event(tx, key, f"wev_{number}", number + 1, observatory.store.now())
    new, known = make_body(7, "wev_new"), make_body(2, "wev_1")

    assert call(subscribed.url, new, sign(secret, new)) == (503, {"status": "full"})
    assert call(subscribed.url, known, sign(secret, known)) == (200, {"status": "repeated"})
    assert waiting(observatory) == MOST_WAITING
    with observatory.store.write() as tx:
        close_events(tx, key, ["wev_0"], observatory.store.now())
    assert call(subscribed.url, new, sign(secret, new)) == (200, {"status": "accepted"})


def test_a_body_past_one_mebibyte_is_refused(observatory: Observatory, subscribed: WebhookReport) -> None:
    """One of just that size is taken, one byte more is not read."""
    secret = secret_of(observatory, "first")
    padding = 1024 * 1024 - len(make_body(7, more=""))
    fits, larger = make_body(7, more="x" * padding), make_body(7, "wev_2", more="x" * (padding + 1))

    assert call(subscribed.url, fits, sign(secret, fits))[0] == 200
    assert call(subscribed.url, larger, sign(secret, larger))[0] == 413
    assert waiting(observatory) == 1


def test_a_paused_account_keeps_nothing(observatory: Observatory, subscribed: WebhookReport) -> None:
    """What is announced of a paused account is acknowledged and forgotten."""
    key = get_account(observatory, "first").account_key
    with observatory.store.write() as tx:
        set_paused(tx, key, True)
    body = make_body(7)

    assert call(subscribed.url, body, sign(secret_of(observatory, "first"), body)) == (200, {"status": "ignored"})
    assert (waiting(observatory), list_announced(observatory)) == (0, ())
    with observatory.store.write() as tx:
        set_paused(tx, key, False)


def test_an_announced_run_that_is_not_there_is_asked_for_once(
    cloud: Cloud, observatory: Observatory, subscribed: WebhookReport
) -> None:
    """A run that dbt Cloud does not show is a fault that is said, leaves no row, and waits no more."""
    body = make_body(999_999_999)
    call(subscribed.url, body, sign(secret_of(observatory, "first"), body))
    report = answer(observatory, "first")

    assert [fault for fault in report.faults if "999999999" in fault]
    assert waiting(observatory) == 0
    with pytest.raises(NotKnown):
        get_run(observatory, "first", 999_999_999)


def test_announcements_wait_while_dbt_cloud_is_down(
    cloud: Cloud, observatory: Observatory, subscribed: WebhookReport
) -> None:
    """A token that is refused for the moment loses no announcement."""
    run_id = max(cloud.truth(get_account(observatory, "first").address.account_id))
    body = make_body(run_id)
    call(subscribed.url, body, sign(secret_of(observatory, "first"), body))
    cloud.simulator.control("POST", "faults", {"revoke_tokens": [cloud.simulator.accounts[0].token]})
    with pytest.raises(TokenRejected):
        answer(observatory, "first")
    assert waiting(observatory) == 1
    cloud.simulator.control("POST", "faults", {"clear": True})
    answer(observatory, "first")

    assert waiting(observatory) == 0
    assert get_run(observatory, "first", run_id).observed_by == ("webhook",)


def test_old_announcements_are_forgotten(cloud: Cloud, observatory: Observatory, subscribed: WebhookReport) -> None:
    """The inbox does not grow for ever."""
    key = get_account(observatory, "first").account_key
    old = observatory.store.now() - timedelta(days=3)
    with observatory.store.write() as tx:
        add_event(tx, key, "wev_old", 7, old)
        add_event(tx, key, "wev_new", 8, observatory.store.now())
    delete_expired(observatory)

    with observatory.store.read() as tx:
        assert (has_event(tx, key, "wev_old"), has_event(tx, key, "wev_new")) == (False, True)


def test_a_subscription_is_made_once_moved_and_removed(cloud: Cloud, observatory: Observatory) -> None:
    """Again and elsewhere it stays one subscription with its secret; once removed, its calls are refused."""
    subscriptions = observatory.client(get_account(observatory, "first")).subscriptions()
    with serving(observatory) as url:
        first = subscribe(observatory, "first", url)
        secret = secret_of(observatory, "first")
        again = subscribe(observatory, "first", url.replace("127.0.0.1", "localhost"))
        (kept,) = subscriptions.list_all()

        assert (first.arrived, again.arrived) == (True, True)
        assert (kept.client_url, kept.subscription_id) == (again.url, first.subscription_id)
        assert secret_of(observatory, "first") == secret
        assert "Webhook: last heard" not in get_account_summary(observatory, "second").sentence

        body = make_body(7)
        unsubscribe(observatory, "first")
        assert subscriptions.list_all() == ()
        assert call(first.url, body, sign(secret, body))[0] == 401
    assert get_webhook(observatory, "first").url is None
    with pytest.raises(WrongUse, match="has no webhook"):
        unsubscribe(observatory, "first")


def test_a_subscription_whose_answer_was_lost_is_replaced(cloud: Cloud, observatory: Observatory) -> None:
    """Where dbt Cloud made it and its secret never arrived, the next attempt ends with one that works."""
    account = get_account(observatory, "first")
    subscriptions = observatory.client(account).subscriptions()
    with serving(observatory) as url:
        lost = Webhook(
            account_key=account.account_key, hook_id="lost", public_url=url, added_at=observatory.store.now()
        )
        with observatory.store.write() as tx:
            save_webhook(tx, lost)
        subscriptions.create("Headwater", f"{url}{PATH}lost")
        assert get_webhook(observatory, "first").sentence == "Subscribing broke off; run the command once more."
        report = subscribe(observatory, "first", url)

        assert [found.subscription_id for found in subscriptions.list_all()] == [report.subscription_id]
        assert report.arrived
        unsubscribe(observatory, "first")


def test_a_trial_that_does_not_arrive_is_said(cloud: Cloud, observatory: Observatory) -> None:
    """With nobody at the address the subscription stands, and the report says that the trial did not come."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    report = subscribe(observatory, "first", f"http://127.0.0.1:{port}", sleep=lambda _seconds: None)

    assert report.arrived is False
    assert report.sentence == "Subscribed; dbt Cloud has not called yet."
    unsubscribe(observatory, "first")


def test_a_token_that_may_not_manage_webhooks_is_told_so(cloud: Cloud, observatory: Observatory) -> None:
    """A token that only reads gets a sentence with what is missing, and nothing is saved as subscribed."""
    set_token(observatory, "first", Secret(cloud.simulator.accounts[0].tokens["read_only"]))
    with pytest.raises(WrongUse, match="may not manage webhooks") as refused:
        subscribe(observatory, "first", "https://headwater.example.com")

    assert "set-token first" in refused.value.hint
    assert get_webhook(observatory, "first").subscription_id is None


@pytest.mark.parametrize("url", ["http://headwater.example.com", "https://a@b.example", "https://b.example/?x=1", ""])
def test_an_address_that_dbt_cloud_cannot_call_is_refused(cloud: Cloud, observatory: Observatory, url: str) -> None:
    """Without encryption, with a user name, with a query or empty: a sentence, before anything is asked."""
    before = cloud.requests()
    with pytest.raises(WrongUse):
        subscribe(observatory, "first", url)

    assert cloud.requests() == before


def test_the_secret_is_sealed_for_its_use(observatory: Observatory, subscribed: WebhookReport, tmp_path: Path) -> None:
    """The database holds no secret to read, and one sealed as webhook secret does not open as a token."""
    account = get_account(observatory, "first")
    secret = secret_of(observatory, "first").reveal().encode()
    with observatory.store.read() as tx:
        webhook = find_webhook(tx, account.account_key)
    assert webhook is not None

    assert not any(secret in path.read_bytes() for path in tmp_path.rglob("headwater.db*"))
    assert "secret" not in repr(webhook)
    with pytest.raises(SecretUnavailable):
        open_token(observatory.key, account.address, webhook.secret or b"", TOKEN)
    with pytest.raises(SecretUnavailable):
        open_token(observatory.key, get_account(observatory, "second").address, webhook.secret or b"", WEBHOOK)


def test_the_command_says_how_it_stands(
    observatory: Observatory,
    subscribed: WebhookReport,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`account webhook` without an option only tells; wrong options and unknown names are wrong use."""
    monkeypatch.setenv("HEADWATER__DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("HEADWATER__DATABASE_URL", f"sqlite:///{tmp_path / 'headwater.db'}")

    assert run_command(["account", "webhook", "first"]) == 0
    assert subscribed.url in capsys.readouterr().out.replace("\n", "")
    assert run_command(["account", "webhook", "second", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["subscription_id"] is None
    assert run_command(["account", "webhook", "nobody"]) == 2
    assert run_command(["account", "webhook", "first", "--remove", "--public-url", "https://x.example"]) == 2
