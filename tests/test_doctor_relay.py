"""`sallyport doctor --relay`: the relay's machine, step by step, and what it says of each thing that can be wrong there."""
import datetime
import json
import os
import resource
import subprocess
import time

import pytest

from support.processes import DEADLINE_S
from support.relay import BINARY, clean_environment
from test_doctor import Report

STEPS = ["configuration", "state", "running", "listeners", "public_url", "certificates", "clock", "limits", "disk", "database", "upgrade",
         "service", "homes"]


def run(relay, *words):
    return subprocess.run(
        [BINARY, "doctor", "--relay", "--config", str(relay.folder / "relay.yaml"), *map(str, words)],
        capture_output=True, text=True, timeout=2 * DEADLINE_S, env=clean_environment())


def doctor(relay, *words):
    report = Report(run(relay, "--json", *words))
    assert [step["step"] for step in report.json["steps"]] == STEPS and report.json["doctor"] == "relay"
    assert report.code == (0 if report.json["ok"] else 1)
    return report


def assert_fails(report, step, *words):
    assert report.code == 1 and report.result(step) == "failed", report
    said = report[step]["detail"] + " " + report[step]["cure"]
    for word in words:
        assert word in said, report


def change(relay, **config):
    (relay.folder / "relay.yaml").write_text(json.dumps({**relay.config, **config}))


@pytest.mark.sanitize
def test_all_is_well(world):
    relay = world.relay()
    relay.add_agent("home", ["home.example.test"])
    before = sorted(path.name for path in relay.state_dir.iterdir())
    report = doctor(relay)
    assert report.failed() is None, report
    assert report["running"]["facts"]["pid"] == relay.program.pid
    assert "reached from this machine" in report["listeners"]["detail"]
    assert report["certificates"]["facts"]["days_left"] > 1000
    assert report["homes"]["facts"] == {"agents": 1, "online": 0}
    assert sorted(path.name for path in relay.state_dir.iterdir()) == before


def test_a_relay_that_does_not_run(world):
    relay = world.relay()
    relay.stop()
    report = doctor(relay)
    assert report.failed() == "running", report
    assert_fails(report, "running", "systemctl start sallyport-relay")
    assert report.result("database") == report.result("disk") == "ok"
    assert report.result("listeners") == report.result("limits") == "skipped"


def test_wrong_configuration(world):
    relay = world.relay()
    change(relay, drain_timeout="soon")
    report = doctor(relay)
    assert_fails(report, "configuration", "drain_timeout")
    assert report.result("state") == "not_tried"


def test_state_that_others_may_read(world):
    relay = world.relay()
    (relay.state_dir / "identity.pem").chmod(0o644)
    assert_fails(doctor(relay), "state", "identity.pem", "chmod 600")


def test_a_public_url_that_leads_elsewhere(world):
    relay = world.relay()
    other = world.relay()
    change(relay, public_url=f"https://127.0.0.1:{other.port}")
    assert_fails(doctor(relay), "public_url", "another")
    change(relay, public_url="https://no-such-relay.invalid")
    assert_fails(doctor(relay), "public_url", "no-such-relay.invalid")
    other.stop()
    change(relay, public_url=f"https://127.0.0.1:{other.port}")
    assert_fails(doctor(relay), "public_url", "firewall")


def test_certificates(world):
    relay = world.relay()
    relay.add_agent("home", ["home.example.test", "camera.other.test"])
    report = doctor(relay)
    assert_fails(report, "certificates", "camera.other.test")
    assert "home.example.test" not in report["certificates"]["detail"]
    relay.admin("route", "remove", "camera.other.test")
    assert doctor(relay).failed() is None

    soon = datetime.datetime.utcnow() + datetime.timedelta(days=5)
    short = world.authority.issue("*.example.test", stem="short", until=soon)
    change(relay, certificates=[{"certificate": str(short[0]), "key": str(short[1])}])
    assert_fails(doctor(relay), "certificates", "expires in", "renew")
    past = world.authority.issue("*.example.test", stem="past", until=datetime.datetime.utcnow() - datetime.timedelta(days=1))
    change(relay, certificates=[{"certificate": str(past[0]), "key": str(past[1])}])
    assert_fails(doctor(relay), "certificates", "has expired")
    fresh = world.authority.issue("*.example.test", stem="fresh")
    change(relay, certificates=[{"certificate": str(fresh[0]), "key": str(fresh[1])}])
    assert_fails(doctor(relay), "certificates", "another certificate", "reload")
    change(relay, certificates=[{"certificate": str(fresh[0]), "key": str(short[1])}])
    assert_fails(doctor(relay), "certificates", "fresh.pem")
    change(relay, certificates=[])
    assert_fails(doctor(relay), "certificates", "self-signed", "home.example.test")


def test_limits(world):
    relay = world.relay()
    resource.prlimit(relay.program.pid, resource.RLIMIT_NOFILE, (2000, 2000))
    report = doctor(relay)
    assert report.failed() is None and report["limits"]["facts"]["descriptors_limit"] == 2000 and report["limits"]["hints"]
    change(relay, max_connections=10_000)
    assert_fails(doctor(relay), "limits", "LimitNOFILE")


def test_a_damaged_database(world):
    relay = world.relay()
    relay.stop()
    file = relay.state_dir / "relay.db"
    octets = bytearray(file.read_bytes())
    octets[4096:] = b"\xff" * (len(octets) - 4096)
    file.write_bytes(octets)
    assert_fails(doctor(relay), "database", "restore")


def test_a_clock_that_was_set_back(world):
    relay = world.relay()
    relay.stop()
    tomorrow = time.time() + 86400
    os.utime(relay.state_dir / "relay.db", (tomorrow, tomorrow))
    assert_fails(doctor(relay), "clock", "timedatectl")


def test_what_a_broken_write_left(world):
    relay = world.relay()
    left = relay.state_dir / "identity.pem.AbCdEfGh.tmp"
    left.touch(mode=0o600)
    os.utime(left, (time.time() - 86400,) * 2)
    report = doctor(relay)
    assert report.failed() is None and report["upgrade"]["facts"]["left_over"] == 1 and str(left) in report["upgrade"]["hints"][0]


def test_lines_and_usage(world):
    relay = world.relay()
    done = run(relay)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "All is well."
    assert run(relay, "--pin", "A" * 43).returncode == 2
