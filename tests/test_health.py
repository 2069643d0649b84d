"""The relay looks whether the services behind its routes can be reached, and says what fails first."""
import contextlib
import socket
import threading

import pytest

from support.home_app import HomeApp
from support.origins import read_head
from support.processes import wait_until

OFTEN = "150ms"


class Service:
    """Something that takes connections, on an address of its own so that its port stays free while it is stopped."""

    def __init__(self):
        self.port = 0
        self.start()

    def start(self):
        self._listener = socket.create_server(("127.0.0.77", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(30)
                    assert connection.recv(1) == b"", "a probe sends nothing, and ends in order"

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def health(relay, hostname="home.example.test"):
    routes = relay.admin_json("route", "list")["routes"]
    return next(route for route in routes if route["hostname"] == hostname)["health"]


def wait_for(relay, hostname="home.example.test", **wanted):
    wait_until(lambda: wanted.items() <= health(relay, hostname).items(), f"{wanted}, not {health(relay, hostname)}")
    return health(relay, hostname)


@pytest.mark.sanitize
def test_a_stopped_service_is_told_apart_from_a_home_that_is_away(world):
    service = world.keep_origin(Service())
    tunnel = world.tunnel(f"tcp://127.0.0.77:{service.port}", health_interval=OFTEN)
    relay = tunnel.relay
    assert wait_for(relay, state="healthy")["probed_at"]
    assert relay.metrics()['sallyport_route_healthy{route="home.example.test/"}'] == 1
    assert relay.admin_json("status")["health"] == {"healthy": 1, "unhealthy": 0, "unknown": 0}

    service.stop()
    event = relay.wait_for_event("route.unhealthy", route="home.example.test/")
    assert (event["hop"], event["cause"], event["agent"]) == ("target", "target_refused", "home")
    told = wait_for(relay, state="unhealthy")
    assert (told["hop"], told["cause"]) == ("target", "target_refused") and told["since"]
    assert relay.metrics()['sallyport_route_healthy{route="home.example.test/"}'] == 0
    assert relay.metrics()['sallyport_routes_unhealthy{hop="target"}'] == 1
    assert "target_refused" in relay.admin("status").stdout
    assert "target: target_refused" in relay.admin("route", "list").stdout
    assert "target: target_refused" in relay.admin("agent", "show", "home").stdout

    service.start()
    relay.wait_for_event("route.healthy", route="home.example.test/")
    wait_for(relay, state="healthy")

    mark = relay.program.mark()
    service.stop()
    relay.wait_for_event("route.unhealthy", after=mark, cause="target_refused")
    tunnel.agent.kill()
    event = relay.wait_for_event("route.unhealthy", after=mark, cause="agent_offline")
    assert event["hop"] == "agent"
    assert health(relay)["hop"] == "agent"
    assert relay.admin_json("status")["health"]["unhealthy"] == 1
    # Said once each, however often it was looked at.
    assert len(relay.program.events("route.unhealthy")) == 3 and len(relay.program.events("route.healthy")) == 1


@pytest.mark.sanitize
def test_a_health_path_is_asked_as_a_visitor_would(world):
    status = "200 OK"
    seen = []

    def answer(connection):
        head, _ = read_head(connection)
        if not head:
            return
        seen.append(head.decode())
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode())

    origin = world.raw_origin(answer)
    tunnel = world.tunnel(origin, health_interval=OFTEN)
    relay = tunnel.relay
    route = relay.admin_json("route", "list")["routes"][0]["id"]
    wait_for(relay, state="healthy")
    assert not seen, "without a path nothing is sent"
    relay.admin("route", "set", route, "--health-path", "/up?deep=1")
    wait_until(lambda: seen, "it is asked at once")
    request = seen[0].split("\r\n")
    assert request[0] == "GET /up?deep=1 HTTP/1.1"
    assert f"Host: home.example.test:{relay.port}" in request
    assert "--health-path" in relay.admin("route", "add", "--help").stdout
    assert "health-path=/up?deep=1" in relay.admin("route", "list").stdout

    status = "500 Broken"
    assert relay.wait_for_event("route.unhealthy")["cause"] == "health_status"
    assert "500" in wait_for(relay, state="unhealthy", hop="target")["detail"]
    status = "302 Found"
    relay.wait_for_event("route.healthy")

    # A login is not tried again and again: a Home Assistant would shut the agent's address out.
    status = "401 Unauthorized"
    mark = relay.program.mark()
    relay.wait_for_event("route.unhealthy", after=mark, cause="health_path_login")
    asked, first = len(seen), health(relay)["probed_at"]
    wait_until(lambda: health(relay)["probed_at"] > first, "it is still looked at")
    assert len(seen) == asked and health(relay)["cause"] == "health_path_login"
    relay.admin("route", "set", route, "--health-path", "off")
    wait_for(relay, state="healthy")
    assert len(seen) == asked
    bad = relay.admin("route", "set", route, "--health-path", "up", check=False)
    assert bad.returncode == 1 and "begin it with '/'" in bad.stderr


def test_routes_to_one_target_share_a_probe_and_a_disabled_one_has_none(world):
    origin = world.origin(HomeApp())
    tunnel = world.tunnel(origin, health_interval="1h")
    relay = tunnel.relay
    relay.admin("route", "add", "other.example.test", "home", "t0")
    relay.admin("route", "add", "nowhere.example.test", "home", "nothing")
    relay.admin("route", "add", "off.example.test", "home", "t0", "--disabled")
    assert wait_for(relay, state="healthy")["probed_at"] == wait_for(relay, "other.example.test", state="healthy")["probed_at"]
    refused = wait_for(relay, "nowhere.example.test", state="unhealthy")
    assert (refused["hop"], refused["cause"]) == ("agent", "target_not_allowed")
    assert health(relay, "off.example.test") is None
    relay.admin("agent", "disable", "home")
    disabled = wait_for(relay, state="unhealthy", hop="relay")
    assert disabled["cause"] == "agent_disabled"
    relay.admin("agent", "remove", "home")
    wait_until(lambda: not [name for name in relay.metrics() if name.startswith("sallyport_route_healthy{")], "nothing is left of it")


def test_it_can_be_off_and_a_target_that_hangs_is_given_up(world):
    silent = threading.Event()
    hanging = world.raw_origin(lambda connection: silent.wait(60))
    tunnel = world.tunnel(hanging, health_interval="0s")
    relay = tunnel.relay
    assert health(relay)["state"] == "unknown"
    relay.config["health_interval"] = "1s"
    relay.restart()
    relay.admin("route", "set", relay.admin_json("route", "list")["routes"][0]["id"], "--health-path", "/")
    event = relay.wait_for_event("route.unhealthy")
    assert (event["hop"], event["cause"]) == ("target", "origin_timeout")
    silent.set()
