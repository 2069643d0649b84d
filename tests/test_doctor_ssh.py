"""`sallyport doctor` where the far end is a stock sshd: handshake, host key, credential and forward, beside a running agent and without."""
import json

import pytest

from home_assistant.double import HomeAssistant
from support.processes import wait_until
from support.relay import free_port
from support.sshd import USER, Sshd
from test_doctor import LOOPBACK, doctor

STEPS = ["configuration", "dns", "tcp", "ssh", "credential", "tunnel", "relay_view", "target_port", "target_scheme", "forwarded_for", "public_way"]
PUBLIC_STEPS = ["public_dns", "public_tls", "public_page", "websocket", "external_url"]  # with --public-url


class Home:
    """An sshd, a double of Home Assistant, and an agent between them."""

    def __init__(self, world, *settings, let_in=True, double=None, **config):
        self.world = world
        self.sshd = world.keep_origin(Sshd(world.folder / "sshd", *settings))
        self.double = world.keep_origin(double or HomeAssistant(use_x_forwarded_for=True, trusted_proxies=LOOPBACK))
        self.port = free_port()
        self.agent = world.agent(hostname="127.0.0.1", ssh_port=self.sshd.port, username=USER, remote_port=self.port, local_ip_address="127.0.0.1",
                                 local_port=int(self.double.url.rsplit(":", 1)[1]), **config)
        line = self.agent.wait_for_event("agent.ssh_key")["authorized_keys"]
        if let_in:
            self.sshd.authorize(line)
            self.agent.wait_until_connected()

    def doctor(self, *words, **options):
        report = doctor(self.world, self.agent, *words, **options)
        assert [step["step"] for step in report.json["steps"]] == STEPS + (PUBLIC_STEPS if "--public-url" in words else [])
        return report


def assert_stops_at(report, step, *words):
    assert report.code == 1 and report.failed() == step, report
    said = report[step]["detail"] + " " + report[step]["cure"]
    for word in words:
        assert word in said, report
    assert all(report.result(behind) == "not_tried" for behind in STEPS[STEPS.index(step) + 1:]), report


@pytest.mark.sanitize
def test_all_is_well_beside_a_running_agent_and_without(world):
    home = Home(world)
    report = home.doctor()
    assert report.code == 0 and report.json["ok"], report
    assert [report.result(step) for step in STEPS[:6]] == ["ok"] * 6
    assert f"127.0.0.1:{home.port}" in report["tunnel"]["detail"] and "200" in report["public_way"]["detail"]
    assert "known one" in report["ssh"]["detail"] and report["ssh"]["facts"]["fingerprint"] == home.sshd.fingerprint()
    assert report.result("relay_view") == "skipped" and "can't be asked" in report["relay_view"]["detail"]
    assert report["target_scheme"]["facts"]["home_assistant"] and report["forwarded_for"]["facts"]["verdict"] == "accepted"
    assert not home.agent.program.events("agent.disconnected")

    home.agent.stop()
    before = {path.name: path.read_bytes() for path in home.agent.state_dir.iterdir()}
    report = home.doctor()
    assert report.code == 0 and "allows" in report["tunnel"]["detail"], report
    assert {path.name: path.read_bytes() for path in home.agent.state_dir.iterdir()} == before
    home.agent.start()
    home.agent.wait_until_connected()


def test_nobody_listens_there(world):
    home = Home(world)
    home.sshd.stop()
    assert_stops_at(home.doctor(), "tcp", str(home.sshd.port))


def test_something_else_than_ssh_listens(world):
    home = Home(world)
    other = world.keep_origin(HomeAssistant())
    home.agent.config["ssh_port"] = int(other.url.rsplit(":", 1)[1])
    (home.agent.folder / f"agent-{home.agent.name}.yaml").write_text(json.dumps(home.agent.config))
    assert_stops_at(home.doctor(), "ssh", "no SSH")


def test_a_changed_host_key(world):
    home = Home(world)
    home.sshd.stop()
    home.sshd.change_host_key()
    home.sshd.start()
    assert_stops_at(home.doctor(), "ssh", "has changed", home.sshd.fingerprint(), "sallyport agent trust")


def test_a_key_that_the_server_does_not_take(world):
    home = Home(world, let_in=False)
    assert_stops_at(home.doctor(), "credential", "doesn't take this agent's key", "authorized_keys", "restrict,port-forwarding,permitlisten=")


def test_a_forward_that_the_server_does_not_allow(world):
    home = Home(world)
    home.agent.stop()
    home.sshd.stop()
    home.sshd.settings.append("AllowTcpForwarding no")
    home.sshd.start()
    assert_stops_at(home.doctor(), "tunnel", "refuses to listen", "AllowTcpForwarding")


def test_a_running_agent_without_its_forward(world):
    home = Home(world)
    home.sshd.stop()
    home.sshd.settings.append("PermitListen 127.0.0.1:1")
    home.sshd.start()
    wait_until(lambda: home.agent.program.events("agent.not_connected"), "the agent is refused")
    report = home.doctor()
    assert report.code == 1 and report.failed() == "tunnel" and "nobody listens" in report["tunnel"]["detail"], report
    assert "agent.not_connected" in report["tunnel"]["cure"]


@pytest.mark.parametrize("trusts", [True, False])
def test_the_public_url_of_a_proxy_at_the_server(world, site_certificate, trusts):
    """A TLS proxy in front of the forwarded port, as nginx would be."""
    from support.meddler import Meddler
    home = Home(world, double=HomeAssistant(**({"use_x_forwarded_for": True, "trusted_proxies": LOOPBACK} if trusts else {})))
    public = free_port("127.0.0.2")
    proxy = world.keep_origin(Meddler(public, site_certificate, to=home.port))
    report = home.doctor("--public-url", f"https://home.example.test:{public}/", public_address=proxy.host)
    assert report.result("public_tls") == report.result("public_page") == report.result("websocket") == "ok", report
    assert report.failed() == (None if trusts else "forwarded_for")
