"""`python -m headwater.simulator`: serve a simulated dbt Cloud until interrupted."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from headwater.simulator.recordings import RecordingsError
from headwater.simulator.serve import serve
from headwater.simulator.settings import (
    RECORDINGS,
    Announcement,
    Assumptions,
    SimulatorSettings,
    WrongSettingError,
)  # fmt: skip
from headwater.simulator.times import read_moment


def main(arguments: list[str] | None = None) -> int:
    """Read the options, serve, and tell the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        settings = SimulatorSettings(
            port=options.port,
            seed=options.seed,
            days=options.days,
            now=read_moment(options.now) if options.now else None,
            clock=options.clock,
            speed=options.speed,
            busy=options.busy,
            tls=options.tls,
            recordings=options.recordings,
            rate_limit=options.rate_limit,
            assumptions=Assumptions().changed(options.assume),
        )
    except (WrongSettingError, ValueError) as error:
        parser.error(str(error))
    try:
        serve(settings, announce)
    except KeyboardInterrupt:
        return 0
    except (RecordingsError, OSError) as error:
        sys.stderr.write(f"The simulator did not start: {error}\n")
        return 3
    return 0


def announce(announcement: Announcement) -> None:
    """Print the one JSON line that tells where the simulator is."""
    sys.stdout.write(json.dumps(asdict(announcement)) + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headwater simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same world")
    parser.add_argument("--days", type=int, default=30, help="how much history there is")
    parser.add_argument("--now", metavar="ISO", help="the simulated time at the start (default: the real one)")
    parser.add_argument("--clock", choices=("real", "manual"), default="real")
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds in a real one")
    parser.add_argument("--busy", action="store_true", help="a further run begins every 25 real seconds")
    parser.add_argument("--tls", action="store_true", help="https, with a certificate authority of its own")
    parser.add_argument("--assume", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--rate-limit", type=int, default=1_000_000, help="requests a minute for each account")
    parser.add_argument("--recordings", type=Path, default=RECORDINGS, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
