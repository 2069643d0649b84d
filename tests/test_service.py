"""What a service manager hears from relay and agent, and the systemd units."""
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from support.relay import BINARY
from support.service_manager import ServiceManager

UNITS = pathlib.Path(__file__).parent.parent / "deploy"


@pytest.fixture(params=["abstract", "path"])
def manager(request, tmp_path_factory):
    made = ServiceManager(None if request.param == "abstract" else tmp_path_factory.mktemp("m"), watchdog_us=200_000)
    yield made
    made.close()


def test_a_relay_tells_how_it_is(world, manager):
    relay = world.relay(env=manager.env)
    manager.wait_for(READY="1")
    manager.wait_for(WATCHDOG="1")
    relay.program.signal(signal.SIGHUP)
    assert manager.wait_for(RELOADING="1")["MONOTONIC_USEC"].isdigit()
    assert "failed" not in manager.wait_for(READY="1")["STATUS"]

    (relay.folder / "relay.yaml").write_text("no_such_key: 1\n")
    assert relay.admin("reload", check=False).returncode == 1
    manager.wait_for(RELOADING="1")
    assert "no_such_key" in manager.wait_for(READY="1")["STATUS"]

    relay.program.signal(signal.SIGTERM)
    manager.wait_for(STOPPING="1")
    assert relay.program.wait() == 0


def test_an_upgrade_makes_the_new_process_the_service(world, manager):
    relay = world.relay(env={**manager.env, "WATCHDOG_PID": "1"})  # ours is not watched; its successor would be
    old = relay.program.pid
    pid = relay.upgrade()["pid"]
    assert pid != old
    manager.wait_for(MAINPID=str(pid))
    manager.wait_for(READY="1")
    manager.wait_for(WATCHDOG="1")
    assert relay.program.wait_for_replaced() == [0]


def test_an_agent_tells_how_it_is(world, manager):
    relay = world.relay()
    agent = world.agent(relay.add_agent()["enroll"], env=manager.env)
    manager.wait_for(READY="1")
    manager.wait_for(STATUS="connected")
    manager.wait_for(WATCHDOG="1")
    agent.program.signal(signal.SIGTERM)
    manager.wait_for(STOPPING="1")
    assert agent.program.wait() == 0


def test_units_are_what_systemd_understands(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    units = []
    for unit in sorted(UNITS.glob("*.service")):
        units.append(tmp_path / unit.name)
        units[-1].write_text(unit.read_text().replace("/usr/bin/sallyport", BINARY))
    assert len(units) == 3
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60)
    own = [line for line in verified.stderr.splitlines() if "sallyport-" in line]
    assert own == []
    for unit in units:
        judged = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit], capture_output=True, text=True, timeout=60)
        exposure = re.search(r"exposure level for \S+: ([\d.]+)", judged.stdout)
        assert exposure and float(exposure[1]) <= 2.0, judged.stdout + judged.stderr
