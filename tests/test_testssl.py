"""What testssl (Debian package testssl.sh) thinks of the relay's TLS."""
import json
import shutil
import subprocess

import pytest

from conftest import UNDER_SANITIZER
from support.home_app import HomeApp

BAD = ("MEDIUM", "HIGH", "CRITICAL")
SECTIONS = ("--protocols", "--std", "--vulnerable")


@pytest.mark.timeout(600)
@pytest.mark.skipif(not shutil.which("testssl"), reason="testssl is not installed (Debian package testssl.sh)")
@pytest.mark.skipif(UNDER_SANITIZER, reason="it judges OpenSSL and its settings")
def test_nothing_of_medium_severity_or_worse(world, tmp_path):
    tunnel = world.tunnel(world.origin(HomeApp()))
    report = tmp_path / "testssl.json"
    done = subprocess.run(
        ["testssl", "--quiet", "--warnings", "off", "--color", "0", "--nodns", "min", "--add-ca", tunnel.trust, "--ip", "127.0.0.1",
         *SECTIONS, "--jsonfile", report, f"{tunnel.hostname}:{tunnel.relay.port}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=580)
    found = json.loads(report.read_text())
    assert not [one for one in found if one["severity"] in BAD], done.stdout
    judged = {one["id"]: one["finding"] for one in found}
    # That it did look:
    for version in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
        assert "not offered" in judged[version], done.stdout
    assert {"TLS1_2", "TLS1_3", "cipherlist_STRONG", "secure_client_renego", "ROBOT", "heartbleed", "CCS", "ticketbleed", "CRIME_TLS", "SWEET32", "LUCKY13"} <= set(judged), done.stdout
    assert tunnel.ask().status == 200
