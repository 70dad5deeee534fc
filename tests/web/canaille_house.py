"""Canaille, a real identity provider, in an environment and a process of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "oidc"
PASSWORD = "the password at the provider"
CLIENT_SECRET = "a secret of the client & more"


def install_canaille() -> Path:
    """Install Canaille below `.cache`, once for each list of versions, and give its Python."""
    requirements = HERE / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    house = ROOT / ".cache" / "canaille" / digest
    if not house.exists():
        own = ROOT / ".cache" / "uv" / "bin" / "uv"
        uv = shutil.which("uv") or (str(own) if own.exists() else None)
        if uv is None:
            if os.environ.get("CI"):
                raise AssertionError("There is no uv to install Canaille with.")
            pytest.skip("There is no uv to install Canaille with.")
        house.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=house.parent))
        subprocess.run([uv, "venv", "--quiet", "--clear", "--relocatable", "--python", "3.11", draft], check=True)
        installing = [uv, "pip", "install", "--quiet", "--python", draft / "bin" / "python", "-r", requirements]
        subprocess.run(installing, check=True)
        draft.rename(house)
    return house / "bin" / "python"


@contextmanager
def running_canaille(redirect_uri: str) -> Iterator[str]:
    """Run it with one client that may come back to an address; gives its issuer."""
    command = [install_canaille(), HERE / "serve_canaille.py", redirect_uri]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            issuer = process.stdout.readline().strip()
            assert issuer, "Canaille did not start"
            yield issuer
        finally:
            process.kill()
