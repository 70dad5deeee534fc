"""Tokens at rest: AES-256-GCM under a key that is never in the database, each bound to the account it was given for."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headwater.errors import SecretUnavailable
from headwater.model.account import AccountAddress
from headwater.model.secret import Secret

_KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = b"\x01"
TOKEN, WEBHOOK, WAREHOUSE = "", "webhook:", "warehouse:"
"""What a sealed secret is for; one never opens in the place of the other."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The key that seals tokens; printing it shows nothing."""

    key: bytes = field(repr=False)


def read_sealing_key(text: str) -> SealingKey:
    """Read the key from the base64 text of the settings.

    Raises:
        SecretUnavailable: it is not the base64 of 32 bytes.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise SecretUnavailable("secret_key is not the base64 of 32 bytes.", hint="Make one: openssl rand -base64 32")
    return SealingKey(key)


def open_sealing_key(path: Path) -> SealingKey:
    """Read the key file, making it when first needed; only its owner may read it.

    Raises:
        SecretUnavailable: it cannot be read or made, is open to others, or is not a key.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(path)
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            key = file.read(_KEY_BYTES + 1)
    except OSError as error:
        raise SecretUnavailable(
            f"The key file {path} cannot be used: {error.strerror}.", hint="Set data_folder or secret_key."
        ) from error
    if mode & 0o077:
        raise SecretUnavailable(f"The key file {path} is open to others.", hint=f"Run: chmod 600 {path}")
    if len(key) != _KEY_BYTES:
        raise SecretUnavailable(
            f"The key file {path} does not hold a key of 32 bytes.", hint="Put the right file back from a backup."
        )
    return SealingKey(key)


def seal_token(key: SealingKey, address: AccountAddress, token: Secret, use: str = TOKEN) -> bytes:
    """Seal a token so that it opens only for the account at this address, and only for its use."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _FORMAT + nonce + AESGCM(key.key).encrypt(nonce, token.reveal().encode(), _bound_to(address, use, _FORMAT))


def open_token(key: SealingKey, address: AccountAddress, sealed: bytes, use: str = TOKEN) -> Secret:
    """Open a sealed token.

    Raises:
        SecretUnavailable: it was sealed with another key, for another account or use, or was changed.
    """
    nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        opened = AESGCM(key.key).decrypt(nonce, rest, _bound_to(address, use, sealed[:1]))
    except (InvalidTag, ValueError):
        raise _explain(address, use) from None
    return Secret(opened.decode())


def _explain(address: AccountAddress, use: str) -> SecretUnavailable:
    whose = f"account {address.account_id} at {address.origin}"
    if use == WEBHOOK:
        return SecretUnavailable(
            f"The webhook secret of {whose} does not open with this key.",
            hint="Put the key back that it was stored with, or run: headwater account webhook, with --remove first",
        )
    if use.startswith(WAREHOUSE):
        return SecretUnavailable(
            f"The address of a warehouse of {whose} does not open with this key.",
            hint="Put the key back that it was stored with, or remove the warehouse and add it again.",
        )
    return SecretUnavailable(
        f"The token of {whose} does not open with this key.",
        hint="Put the key back that it was stored with, or run: headwater account set-token",
    )


def _bound_to(address: AccountAddress, use: str, form: bytes) -> bytes:
    return form + f"{use}{address.account_id}@{address.origin}".encode()


def _create(path: Path) -> None:
    """Write a new key beside its place and link it there, so that nobody ever reads half a key or replaces one."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
