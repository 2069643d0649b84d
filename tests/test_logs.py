"""What the operator reads: the access log, metrics, and nothing that is a visitor's secret."""
import json

import pytest

from support.home_app import HomeApp
from support.processes import parse_event, wait_until

SECRETS = ["hunter2", "sessionid=31337", "ticket=777"]


@pytest.fixture
def tunnel(world):
    return world.tunnel(world.origin(HomeApp()))


@pytest.mark.sanitize
def test_one_line_for_each_request(tunnel):
    tunnel.ask("POST", "/hash?ticket=777", content=b"x" * 1000)
    line = tunnel.relay.wait_for_event("access", method="POST", host=tunnel.hostname)
    assert line["status"] == "200"
    assert int(line["octets"]) > 0 and float(line["ms"]) >= 0


@pytest.mark.sanitize
def test_no_query_string_cookie_or_authorization_is_logged(tunnel):
    tunnel.ask(path="/x?password=hunter2&ticket=777", Cookie="sessionid=31337", Authorization="Bearer hunter2")
    tunnel.ask(path="/x?ticket=777", hostname="stranger.example.test", Cookie="sessionid=31337")
    with tunnel.visitor() as visitor:
        visitor.send("GET /?ticket=777 HTTP/1.1\r\nHost: home.example.test\r\nCookie : sessionid=31337\r\n\r\n")
        visitor.read_response()
    tunnel.relay.wait_for_event("access", method="GET")
    tunnel.relay.stop()
    tunnel.agent.stop()
    for program in (tunnel.relay.program, tunnel.agent.program):
        for secret in SECRETS:
            assert not [line for line in program.lines if secret in line]


def test_the_access_log_can_be_off(world):
    tunnel = world.tunnel(world.origin(HomeApp()), access_log=False)
    tunnel.ask()
    tunnel.relay.stop()
    assert not tunnel.relay.program.events("access")


def test_a_flood_does_not_flood_the_log(world):
    tunnel = world.tunnel(world.origin(HomeApp()), log_level="info")
    count = 3000
    with tunnel.visitor() as visitor:
        for _ in range(count // 100):
            for _ in range(100):
                visitor.request(path="/status/204")
            for _ in range(100):
                assert visitor.read_response().status == 204
    tunnel.relay.stop()
    lines = len(tunnel.relay.program.events("access"))
    left_out = sum(int(event["lines"]) for event in tunnel.relay.program.events("access.suppressed"))
    assert 0 < lines <= count and (lines == count or left_out > 0)


@pytest.mark.sanitize
def test_control_octets_of_strangers_never_reach_the_log(tunnel):
    for host in ("evil\x1b[31m.example.test", "a\tb", "x" * 5000):
        with tunnel.visitor() as visitor:
            visitor.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            visitor.read_response()
    tunnel.relay.stop()
    for line in tunnel.relay.program.lines:
        assert "\x1b" not in line and len(line) < 4000


@pytest.mark.sanitize
def test_metrics(tunnel):
    tunnel.ask()
    tunnel.ask(path="/status/404")
    with tunnel.visitor(tls=False) as visitor:
        visitor.ask()

    def sample(*words):
        """The sum of the samples whose name and labels hold all the words."""
        return sum(value for name, value in tunnel.relay.metrics().items() if all(word in name for word in words))

    wait_until(lambda: sample("requests", tunnel.hostname) >= 2, "two requests of the route")
    assert sample("agents", "online") + sample("agents_online") >= 1
    assert sample("requests", "2xx") + sample("requests", "200") >= 1
    assert sample("requests", "4xx") + sample("requests", "404") >= 1
    assert sample("handshakes", "plain_http") >= 1
    for what in ("octets", "streams", "round_trip", "lag"):
        assert any(what in name for name in tunnel.relay.metrics()), f"no metric for {what}"


@pytest.mark.sanitize
def test_metrics_are_on_loopback_and_on_nothing_else(tunnel):
    assert tunnel.relay.metrics_address.startswith("127.0.0.1:")
    assert tunnel.ask(path="/metrics").status == 200, "a visitor's /metrics is the home's"
    assert json.loads(tunnel.ask(path="/metrics").content)["home"] == "home"


@pytest.mark.sanitize
def test_every_line_is_an_event(tunnel):
    tunnel.ask()
    tunnel.relay.stop()
    tunnel.agent.stop()
    for program in (tunnel.relay.program, tunnel.agent.program):
        for line in program.lines:
            if line.startswith("time="):
                assert parse_event(line)["level"] in ("debug", "info", "warn", "error", "trace"), line
