"""Terminals through the gateway over a network that fails: user and gateway on side a, the remote on side b."""
import re

import pytest

from support.gateway import RunningGateway, RunningSshd, public
from support.processes import wait_until
from support.terminal import ESCAPE
from support.wan import ADDRESS
from test_gateway_sessions import Desk


class DistantDesk(Desk):
    def __init__(self, folder, wan):
        super().__init__(folder)
        self.wan = wan

    def remote(self, *authorized, **options):
        with self.wan.inside("b"):
            self.sshd = RunningSshd(self.folder / "remote", authorized, **{"ListenAddress": ADDRESS["b"], **options})
        self.started.append(self.sshd)
        return self.sshd

    def gateway(self, **config):
        with self.wan.inside("a"):
            gateway = RunningGateway(self.folder / "gateway", self.sshd, **{"remote_host": ADDRESS["b"], "metrics_listen": None, **config})
        self.started.append(gateway)
        return gateway

    def terminal(self, argv, *rest, **given):
        with self.wan.inside("a"):
            return super().terminal(argv, *rest, **given)


@pytest.fixture
def desk(tmp_path, wan):
    desk = DistantDesk(tmp_path, wan)
    yield desk
    desk.stop()


@pytest.mark.parametrize("mosh, line", [("auto", "mosh: Last contact"), ("off", "sallyport: last contact")])
def test_an_outage_is_shown_and_the_session_goes_on(desk, mosh, line):
    desk.wan.set(delay_ms=20)
    gateway = desk.usual(mosh=mosh)
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>")
    with desk.wan.outage():
        terminal.type("echo typed $((40+2)) meanwhile\r")
        terminal.wait_for(line)
        assert terminal.screen().lower().count("last contact") == 1, "once, not twice"
    terminal.wait_for("typed 42 meanwhile", deadline_s=60)
    wait_until(lambda: "ast contact" not in terminal.screen(), "the line is gone")
    terminal.type("exit 4\r")
    assert terminal.wait() == 4


@pytest.mark.soak
def test_half_a_minute_without_a_network(desk):
    desk.wan.set(delay_ms=50, loss=10)
    gateway = desk.usual()
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>", deadline_s=60)
    with desk.wan.outage():
        wait_until(lambda: re.search(r"Last contact ([3-9]\d seconds|\d+:\d\d)", terminal.screen()), "half a minute is over", deadline_s=90)
    terminal.type("echo back $((40+2))\r")
    terminal.wait_for("back 42", deadline_s=60)
    terminal.type("exit 4\r")
    assert terminal.wait() == 4


def test_the_gateways_address_changes(desk):
    desk.wan.set(delay_ms=20)
    gateway = desk.usual()
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>")
    desk.wan.change_address("a", ADDRESS["a"], "198.18.0.77")
    terminal.type("echo moved $((40+2))\r")
    terminal.wait_for("moved 42", deadline_s=60)
    terminal.type("exit 4\r")
    assert terminal.wait() == 4


def test_a_user_can_leave_during_an_outage_and_come_back(desk):
    desk.wan.set(delay_ms=20)
    gateway = desk.usual()
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>")
    with desk.wan.outage():
        terminal.wait_for("Last contact")
        terminal.type(ESCAPE + "d")
        assert terminal.wait() == 0
        back = desk.login(gateway)
        back.wait_for("resume? [Y/n]")
        back.type("y")
        back.wait_for("Last contact")
    back.type("echo back $((40+2))\r")
    back.wait_for("back 42", deadline_s=60)
