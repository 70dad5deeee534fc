"""What every command needs first: the settings, the observatory, a secret that nobody sees."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from getpass import getpass
from typing import Any

from headwater.config import read_settings
from headwater.errors import WrongUse
from headwater.model.secret import Secret
from headwater.observatory.holder import Observatory, open_observatory


@contextmanager
def opened(sleep: Callable[[float], None] = time.sleep, **options: Any) -> Iterator[Observatory]:
    """Open the observatory on the configured store; options that are None count as not given."""
    settings = read_settings(**options)
    with open_observatory(settings, sleep=sleep) as observatory:
        yield observatory


def ask_password(*, from_stdin: bool) -> Secret:
    """Ask twice for a new password without echo, or read it once from standard input.

    Raises:
        WrongUse: the two are not the same, or there is neither a terminal to ask on nor --password-stdin.
    """
    if from_stdin:
        return Secret(sys.stdin.readline())
    if not sys.stdin.isatty():
        raise WrongUse("There is no terminal to ask for the password on.", hint="Pipe it in with --password-stdin.")
    password = Secret(getpass("Password: "))
    if password != Secret(getpass("The same once more: ")):
        raise WrongUse("The two passwords are not the same.", hint="Nothing was changed; try again.")
    return password


def ask_token(*, from_stdin: bool) -> Secret:
    """Ask for a token without echo, or read it from standard input; it never stands in a command line.

    Raises:
        WrongUse: there is neither a terminal to ask on nor --token-stdin.
    """
    if from_stdin:
        return Secret(sys.stdin.readline())
    if not sys.stdin.isatty():
        raise WrongUse("There is no terminal to ask for the token on.", hint="Pipe it in with --token-stdin.")
    return Secret(getpass("Token: "))
