"""The simulator as a program, and over https."""

import json
import subprocess
import sys

import pytest
import urllib3
from tiny import make_archive

from headwater.simulator import Assumptions
from headwater.simulator.__main__ import main
from headwater.simulator.settings import WrongSettingError


def test_the_program_announces_itself(tmp_path):
    """One JSON line, first of all and only once connections are accepted; a signal ends it."""
    archive = make_archive(tmp_path / "tiny.tar.xz")
    command = [
        sys.executable,
        "-m",
        "headwater.simulator",
        "--days",
        "1",
        "--clock",
        "manual",
        "--recordings",
        str(archive),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        announced = json.loads(process.stdout.readline())
        account = announced["accounts"][0]
        assert set(account) == {"id", "name", "token", "tokens"}
        with urllib3.PoolManager(retries=False) as pool:
            headers = {"Authorization": f"Token {account['token']}"}
            reply = pool.request("GET", f"{announced['url']}/api/v2/accounts/{account['id']}/", headers=headers)
            assert reply.json()["data"]["name"] == account["name"]
        process.terminate()
        rest, errors = process.communicate(timeout=20)
    assert rest == ""
    assert "Traceback" not in errors


def test_missing_recordings_are_said_plainly(tmp_path, capsys):
    """One sentence on stderr and exit status 3."""
    assert main(["--recordings", str(tmp_path / "none.tar.xz")]) == 3
    assert "there are no recordings at" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["colour=blue", "list_honours_step=maybe", "rate_limit_body"])
def test_wrong_assumptions_are_refused(wrong):
    """An unknown name or value is told with what there is."""
    with pytest.raises(WrongSettingError):
        Assumptions().changed([wrong])
    with pytest.raises(SystemExit):
        main(["--assume", wrong])


def test_https_with_its_own_authority(simulate):
    """Clients that trust the announced authority are let in, for every name; others are not."""
    client = simulate(tls=True)
    assert client.simulator.url.startswith("https://")
    assert client.runs(limit=1).status == 200
    assert client.simulator.advance(1)
    address = client.simulator.url.replace("127.0.0.1", "localhost")
    with urllib3.PoolManager(retries=False, ca_certs=client.simulator.announcement.ca_path) as pool:
        assert pool.request("GET", f"{address}/").status == 200
    with urllib3.PoolManager(retries=False) as pool, pytest.raises(urllib3.exceptions.SSLError):
        pool.request("GET", f"{address}/")


def test_tokens_are_the_same_for_the_same_seed(simulate):
    """Ids, names and tokens depend on the seed alone."""
    assert simulate().simulator.accounts == simulate(days=1).simulator.accounts
    assert simulate().simulator.accounts != simulate(seed=2).simulator.accounts
