"""The tree of errors. A message says what happened and where; a hint says what to do next.

HeadwaterError
├── WrongUse                    the caller can put it right: exit status 2
│   ├── ConfigurationInvalid    every fault of the settings at once
│   ├── CheckFailed             a token that cannot do what is needed, permission by permission
│   ├── NotKnown                no such account, run, job, token
│   ├── TooManyTries            passwords were guessed too fast
│   └── Ambiguous               a name means several things
├── DbtCloudError               dbt Cloud could not be asked: exit status 3
│   ├── Unreachable             no connection, timeout, TLS
│   ├── TokenRejected           401
│   ├── AccessDenied            403
│   ├── NotVisible              404
│   ├── RateLimited             429, after the retries
│   ├── ServerFault             5xx, after the retries
│   ├── AnswerUnreadable        not the JSON that was asked for, or larger than the cap
│   └── OriginRefused           an address this way of entry may not use
├── ArtifactUnreadable          a dbt file that cannot be read: exit status 3
├── StoreError                  the database could not be asked: exit status 3
│   ├── StoreBusy               locked by somebody else
│   ├── StoreFull               no space left
│   └── StoreUnavailable        not there, refused, or of another version
├── WarehouseError              a warehouse could not be read: exit status 3
│   └── WarehouseBusy           somebody else holds its file
├── SecretUnavailable           the key is missing, open to others, or does not fit: exit status 3
├── ServerUnreachable           HEADWATER_URL did not take what the SDK sent
└── Stopping                    the process was told to end; whatever waits gives up
"""

from __future__ import annotations


class HeadwaterError(Exception):
    """Anything Headwater can explain; `hint` says what to do next and may be empty."""

    exit_status = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class WrongUse(HeadwaterError):
    """A request that cannot be carried out as it was put."""

    exit_status = 2


class ConfigurationInvalid(WrongUse):
    """Settings with one or more faults; `faults` holds a sentence for each."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("The configuration has faults: " + " ".join(faults))
        self.faults = faults


class CheckFailed(WrongUse):
    """A token that cannot do what is needed; `lines` holds a sentence for each thing that was tried."""

    def __init__(self, message: str, *, lines: tuple[str, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.lines = lines


class NotKnown(WrongUse):
    """A name or an id that means nothing here."""


class NotAllowed(WrongUse):
    """Something that the one who asks may not do, though others may."""


class TooManyTries(WrongUse):
    """Passwords that were tried faster than anybody mistypes one."""


class TooMany(WrongUse):
    """More at a time than this server serves; the hint says what else there is."""


class Ambiguous(WrongUse):
    """A name that means several things; `candidates` lists them."""

    def __init__(self, message: str, *, candidates: tuple[str, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.candidates = candidates


class DbtCloudError(HeadwaterError):
    """dbt Cloud could not be asked; `status` is the HTTP status, if there was one."""

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Unreachable(DbtCloudError):
    """No answer: name resolution, connection, TLS or a deadline."""


class TokenRejected(DbtCloudError):
    """401: the token is wrong, revoked, or of another host."""


class AccessDenied(DbtCloudError):
    """403: an IP allow-list or a missing permission."""


class NotVisible(DbtCloudError):
    """404: not there, or not visible to this token."""


class RateLimited(DbtCloudError):
    """429 after the last retry; `retry_after` is in seconds, if dbt Cloud named it."""

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint, status=429)
        self.retry_after = retry_after


class ServerFault(DbtCloudError):
    """5xx after the last retry."""


class AnswerUnreadable(DbtCloudError):
    """An answer that is not what was asked for: HTML for JSON, cut off, or over the size cap."""


class OriginRefused(DbtCloudError):
    """An address that this way of entry may not use."""


class ArtifactUnreadable(HeadwaterError):
    """A dbt artifact that cannot be read."""


class StoreError(HeadwaterError):
    """The database could not be asked."""


class StoreBusy(StoreError):
    """The database is locked by another process for longer than we wait."""


class StoreFull(StoreError):
    """No space is left for the database."""


class StoreUnavailable(StoreError):
    """The database is not there, refuses us, or has a schema of another version."""


class WarehouseError(HeadwaterError):
    """A warehouse could not be reached or read."""


class WarehouseBusy(WarehouseError):
    """Somebody else holds the warehouse for longer than we wait."""


class SecretUnavailable(HeadwaterError):
    """The key for the stored tokens is missing, readable by others, or is not the one they were sealed with."""


class ServerUnreachable(HeadwaterError):
    """The Headwater server did not take what the SDK sent."""


class Stopping(HeadwaterError):
    """The process was told to end; whatever waits gives up, and what it was doing goes on at the next start."""

    def __init__(self) -> None:
        super().__init__("The process is stopping.")
