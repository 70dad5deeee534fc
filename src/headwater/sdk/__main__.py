"""`python -m headwater.sdk collect …` and `python -m headwater.sdk flush`, for images with the light base only."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from getpass import getpass

from headwater.errors import HeadwaterError
from headwater.sdk import Outcome, collect_data_from_dbt_cloud, flush_spool
from headwater.sdk.call import DEFAULT_API
from headwater.sdk.delivery import spool_folder


def main(arguments: list[str] | None = None) -> int:
    """Run one of the two commands; the dbt Cloud token comes from DBT_CLOUD_API_TOKEN or standard input."""
    parser = argparse.ArgumentParser(prog="python -m headwater.sdk", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    collect = commands.add_parser("collect", help="collect a dbt Cloud run and send it to HEADWATER_URL")
    collect.add_argument("--account-id", required=True)
    collect.add_argument("--run-id", required=True)
    collect.add_argument("--url", default=DEFAULT_API, help="dbt Cloud's address")
    collect.add_argument("--wait", action="store_true", help="wait until the run is over")
    collect.add_argument("--timeout", type=float, default=300.0, help="seconds to wait at most")
    commands.add_parser("flush", help="send what was kept while the server was away")
    given = parser.parse_args(arguments)
    if given.command == "flush":
        return _flush()
    token = os.environ.get("DBT_CLOUD_API_TOKEN") or _ask_token()
    result = collect_data_from_dbt_cloud(
        given.account_id, token, given.run_id, given.url, wait=given.wait, timeout=given.timeout
    )
    print(json.dumps(asdict(result)))
    return 3 if result.outcome is Outcome.FAILED else 0


def _ask_token() -> str:
    return getpass("dbt Cloud token: ") if sys.stdin.isatty() else sys.stdin.readline()


def _flush() -> int:
    try:
        flushed = flush_spool(os.environ)
    except HeadwaterError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"{spool_folder(os.environ)} cannot be read: {error.strerror}. Set HEADWATER_SPOOL.", file=sys.stderr)
        return 3
    print(json.dumps(asdict(flushed)))
    return 3 if flushed.left or flushed.refused else 0


if __name__ == "__main__":
    sys.exit(main())
