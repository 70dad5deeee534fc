"""`headwater up`, `headwater serve`, `headwater monitor`, `headwater simulator`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import structlog
import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console, console_errors
from headwater.errors import Stopping, WrongUse
from headwater.model.secret import Secret
from headwater.monitor import Monitor, open_monitor
from headwater.observatory.evaluating import evaluating_stored
from headwater.observatory.holder import Observatory
from headwater.observatory.inbox import storing_accepted
from headwater.observatory.oidc import read_client
from headwater.observatory.sessions import create_login_link, needs_first_login
from headwater.web.listening import Listening, decide_listening

if TYPE_CHECKING:
    from headwater.simulator.settings import Announcement

Host = Annotated[str | None, typer.Option(help="Address to listen on; any but loopback needs TLS or a named proxy.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]

Certificate = Annotated[Path | None, typer.Option(help="Certificate with its chain, as a PEM file.")]
CertificateKey = Annotated[Path | None, typer.Option(help="Key of the certificate, as a PEM file.")]

_SWITCH_SECONDS = 0.0005
"""How long a request waits for a thread that computes, at each of its turns: Python's own 5 ms add up."""


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program."""
    app.command("up")(up)
    app.command("serve")(serve)
    app.command("login")(login)
    app.command("monitor")(monitor)
    app.command("simulator")(simulator)


def up(
    host: Host = None, port: Port = None, tls_certificate: Certificate = None, tls_key: CertificateKey = None
) -> None:
    """Follow every account and serve the web application, in one process."""
    write_logs()
    stop = threading.Event()
    web = {"host": host, "port": port, "tls_certificate": tls_certificate, "tls_key": tls_key}
    with ending_on_signals(stop), opened(sleep=waiting_until(stop), web=web) as observatory:
        follow_and_serve(observatory, stop)


def serve(
    host: Host = None, port: Port = None, tls_certificate: Certificate = None, tls_key: CertificateKey = None
) -> None:
    """Serve the web application alone."""
    write_logs()
    web = {"host": host, "port": port, "tls_certificate": tls_certificate, "tls_key": tls_key}
    with ending_on_signals(threading.Event()), opened(web=web) as observatory:
        where = _decide_where(observatory)
        with storing_accepted(observatory), evaluating_stored(observatory), suppress(Stopping):
            _serve_web(observatory, where)


def login(
    user: Annotated[str | None, typer.Option(help="Whom to let in; the first admin if left out.")] = None,
    port: Port = None,
) -> None:
    """Print a link that signs in once, for whoever is locked out of the web application that runs on this store."""
    with opened(web={"port": port}) as observatory:
        say_link(observatory, create_login_link(observatory, user), "Sign in, once, within 15 minutes")


def monitor(
    interval: Annotated[float | None, typer.Option(help="Seconds between two passes.")] = None,
    number_of_iterations: Annotated[int | None, typer.Option(help="End after so many passes.")] = None,
    stop_after: Annotated[float | None, typer.Option(help="End after so many seconds.")] = None,
    prometheus_port: Annotated[int | None, typer.Option(help="Port of /metrics.")] = None,
) -> None:
    """Follow every account alone, with /metrics and /healthz."""
    write_logs()
    stop = threading.Event()
    options = {
        "interval": interval,
        "number_of_iterations": number_of_iterations,
        "stop_after": stop_after,
        "prometheus_port": prometheus_port,
    }
    with (
        stopping_on_signals(stop),
        opened(sleep=waiting_until(stop), dbt_monitor=options) as observatory,
        storing_accepted(observatory),
        evaluating_stored(observatory),
        open_monitor(observatory, observatory.settings.dbt_monitor, stop) as following,
    ):
        ended = following.run()
    if not ended:
        end_at_once()


def simulator(
    port: Port = 0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same world.")] = 0,
    days: Annotated[int, typer.Option(min=1, help="Days of history.")] = 30,
    speed: Annotated[float, typer.Option(help="Simulated seconds in a real one.")] = 1.0,
    busy: Annotated[bool, typer.Option("--busy", help="Begin a further run every few seconds.")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="Serve https with a certificate authority of its own.")] = False,
    assume: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of an assumption.")] = None,
) -> None:
    """Serve a simulated dbt Cloud; first prints one JSON line with its address and tokens."""
    from headwater.simulator.serve import serve as serve_simulator  # noqa: PLC0415 - a quarter of every other command
    from headwater.simulator.settings import Assumptions, SimulatorSettings, WrongSettingError  # noqa: PLC0415

    try:
        settings = SimulatorSettings(
            port=port or 0,
            seed=seed,
            days=days,
            speed=speed,
            busy=busy,
            tls=tls,
            assumptions=Assumptions().changed(assume or []),
        )
        serve_simulator(settings, _announce)
    except WrongSettingError as error:
        raise WrongUse(f"{error}.") from None
    except OSError as error:
        raise WrongUse(f"Port {port} is in use ({error.strerror}).", hint="Choose another with --port.") from None


def follow_and_serve(observatory: Observatory, stop: threading.Event) -> None:
    """Follow in a thread and serve in this one, until a signal ends both."""
    settings, where = observatory.settings, _decide_where(observatory)
    with (
        storing_accepted(observatory),
        evaluating_stored(observatory),
        open_monitor(observatory, settings.dbt_monitor, stop) as monitor,
        _running(monitor, stop) as ended,
        suppress(Stopping),
    ):
        _serve_web(observatory, where)
    if not ended.is_set():
        end_at_once()


@contextmanager
def _running(monitor: Monitor, stop: threading.Event) -> Iterator[threading.Event]:
    """Run a monitor in a thread and stop it at the end; gives what is set where all its passes came to their end."""
    ended = threading.Event()

    def run() -> None:
        if monitor.run():
            ended.set()

    following = threading.Thread(target=run, name="monitor", daemon=True)
    following.start()
    try:
        yield ended
    finally:
        stop.set()
        following.join()


def _decide_where(observatory: Observatory) -> Listening:
    """Decide where to listen and whether people can sign in, before anything begins."""
    read_client(observatory.settings.oidc)
    return decide_listening(observatory.settings.web)


def _serve_web(observatory: Observatory, where: Listening) -> None:
    from headwater.web.app import create_app, prepare_pages  # noqa: PLC0415 - a quarter of the time of every other command
    from headwater.web.serve import calm_collector  # noqa: PLC0415
    from headwater.web.serve import serve as serve_web  # noqa: PLC0415

    sys.setswitchinterval(_SWITCH_SECONDS)
    calm_collector()
    port = observatory.settings.web.port
    serve_web(
        create_app(observatory, where),
        where,
        port,
        ready=lambda bound: say_address(observatory, bound),
        prepare=lambda: prepare_pages(observatory),
    )


def say_address(observatory: Observatory, port: int) -> None:
    """Print where the web application is; while no admin can come in otherwise, with a link that signs in once."""
    console().print(f"Headwater is on {_address(observatory, port)}", markup=False)
    if needs_first_login(observatory):
        say_link(observatory, create_login_link(observatory), "Sign in, once, within 15 minutes", port)
    else:
        console().print("Whoever is locked out gets a link from 'headwater login'.")


def say_link(observatory: Observatory, secret: Secret, what: str, port: int | None = None) -> None:
    """Print a link that signs in once."""
    address = _address(observatory, port or observatory.settings.web.port)
    console().print(f"{what}: {address}/login#{secret.reveal()}", markup=False)


def _address(observatory: Observatory, port: int) -> str:
    web = observatory.settings.web
    if web.external_url is not None:
        return web.external_url.rstrip("/")
    scheme = "https" if web.tls_certificate is not None else "http"
    return f"{scheme}://{f'[{web.host}]' if ':' in web.host else web.host}:{port}"


def waiting_until(stop: threading.Event) -> Callable[[float], None]:
    """Give a sleep that a stop ends at once, with Stopping."""

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopping

    return sleep


def stopping_on_signals(stop: threading.Event) -> AbstractContextManager[None]:
    """Set an event on SIGINT and SIGTERM instead of dying of them."""
    return _on_signals(stop.set)


def ending_on_signals(stop: threading.Event) -> AbstractContextManager[None]:
    """Set an event on SIGINT and SIGTERM and leave what is being done with Stopping; a second signal changes nothing.

    uvicorn takes the signals while it serves and hands them on when it has ended.
    """

    def end() -> None:
        if not stop.is_set():
            stop.set()
            raise Stopping

    return _on_signals(end)


@contextmanager
def _on_signals(act: Callable[[], None]) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *_: act())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_once() -> None:
    """End although a request hangs: everything stored is safe, and the next start goes on from there."""
    console_errors().print("A request to dbt Cloud did not end in time and was given up.")
    sys.stdout.flush()
    os._exit(0)


def write_logs() -> None:
    """Write logs to standard error, as lines of key=value."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


def _announce(announcement: Announcement) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(announcement) + b"\n")
    sys.stdout.flush()
