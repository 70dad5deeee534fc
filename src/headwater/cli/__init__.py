"""The command line. `main` is light, so that without the server extra it can say what to install."""

from __future__ import annotations

import sys


def main() -> int:
    """Run `headwater`; exit statuses: 0 done, 1 bad news, 2 wrong use, 3 could not reach or read."""
    try:
        from headwater.cli.app import run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("headwater"):
            raise
        print(  # noqa: T201
            f"The command line needs the server extra ({error.name} is missing). Run: pip install 'headwater[server]'\n"
            "The SDK alone works with: python -m headwater.sdk collect …",
            file=sys.stderr,
        )
        return 2
    return run()
