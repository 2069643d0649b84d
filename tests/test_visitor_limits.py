"""What one visitor address, and all together, may have; and what happens where descriptors or memory run out."""
import contextlib
import json
import os
import resource
import socket

import pytest

from conftest import UNDER_SANITIZER
from support.home_app import HomeApp
from support.origins import read_head
from support.processes import wait_until
from support.visitor import ConnectionEnded, Visitor

MIB = 1 << 20
HERE, ELSEWHERE = "127.0.0.7", "127.0.0.8"  # two addresses that visitors come from


def limited(world, **config):
    """A tunnel whose relay takes no exception of loopback, whence everybody comes here."""
    config.setdefault("unlimited_addresses", ["127.0.0.1"])  # the agent, and who asks as usual
    return world.tunnel(world.origin(HomeApp()), **config)


def refusals(relay, limit):
    return relay.metrics()[f'sallyport_limit_refusals_total{{limit="{limit}"}}']


def knock(port, source):
    connection = socket.socket()
    connection.settimeout(60)
    connection.bind((source, 0))
    connection.connect(("127.0.0.1", port))
    return connection


@contextlib.contextmanager
def all_closed():
    connections = []
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def test_an_address_has_so_many_connections(world):
    tunnel = limited(world, max_connections_per_address=2)
    first, second = tunnel.visitor(source=HERE), tunnel.visitor(source=HERE)
    assert first.ask().status == second.ask().status == 200
    with knock(tunnel.relay.port, HERE) as third:
        assert third.recv(1) == b""
    assert refusals(tunnel.relay, "address_connections") == 1
    event = tunnel.relay.wait_for_event("relay.limit_reached", limit="address_connections")
    assert event["peer"] == HERE and event["bound"] == "2"
    with tunnel.visitor(source=ELSEWHERE) as other:
        assert other.ask().status == 200
    assert first.ask().status == 200
    first.close()
    wait_until(lambda: tunnel.relay.metrics()['sallyport_limit_used{limit="connections"}'] == 1, "the first is gone")
    with tunnel.visitor(source=HERE) as again:
        assert again.ask().status == 200


def test_an_address_that_keeps_connecting_is_refused_until_it_calms_down(world):
    tunnel = limited(world, max_connection_rate_per_address=1)
    with all_closed() as held:
        for _ in range(60):
            held.append(knock(tunnel.relay.port, HERE))
        wait_until(lambda: refusals(tunnel.relay, "address_connection_rate") > 0, "some of them are refused")
        with tunnel.visitor(source=ELSEWHERE) as other:
            assert other.ask().status == 200
    wait_until(lambda: serves(tunnel, HERE), "it has calmed down")


def serves(tunnel, source):
    try:
        with tunnel.visitor(source=source) as visitor:
            return visitor.ask().status == 200
    except (OSError, ConnectionEnded):
        return False


def test_an_address_that_keeps_giving_up_is_refused_until_it_calms_down(world):
    tunnel = limited(world, max_reset_rate_per_address=1)
    for _ in range(200):
        try:
            visitor = tunnel.visitor(source=HERE)
            visitor.request(path="/hang")
            visitor.reset()
        except OSError:
            break
    wait_until(lambda: serves(tunnel, ELSEWHERE), "others are served")
    assert refusals(tunnel.relay, "address_reset_rate") > 0
    assert not tunnel.relay.program.events("tunnel.closed")
    wait_until(lambda: serves(tunnel, HERE), "it has calmed down")


def test_above_all_bounds_visitors_hear_503_and_agents_get_in(world):
    relay = world.relay(max_connections=2, offline_grace="100ms")
    code = relay.add_agent("home", ["home.example.test"], [f"web={world.origin(HomeApp()).url}"])["enroll"]
    with all_closed() as held:
        for _ in range(2):
            held.append(knock(relay.port, "127.0.0.1"))
        wait_until(lambda: relay.metrics()['sallyport_limit_used{limit="connections"}'] == 2, "both are counted")
        world.agent(code).wait_until_connected()
        with Visitor(relay.port) as visitor:
            answer = visitor.ask(Accept="application/json")
            assert (answer.status, json.loads(answer.content)["error"]["hop"]) == (503, "relay")
            assert int(answer.value("Retry-After")) > 0
        assert relay.admin("status").returncode == 0
    wait_until(lambda: relay.metrics()['sallyport_limit_used{limit="connections"}'] == 0, "they are gone")
    with Visitor(relay.port) as visitor:
        assert visitor.ask().status == 200


def test_a_reload_changes_limits_and_drops_nobody(world):
    tunnel = limited(world, offline_grace="30s")
    kept = tunnel.visitor(source=HERE)
    assert kept.ask().status == 200
    tunnel.relay.config.update(max_connections_per_address=1, offline_grace="100ms")
    (tunnel.relay.folder / "relay.yaml").write_text(json.dumps(tunnel.relay.config))
    tunnel.relay.admin("reload")
    with knock(tunnel.relay.port, HERE) as second:
        assert second.recv(1) == b""
    assert kept.ask().status == 200
    tunnel.agent.stop()
    assert kept.ask().status == 503  # at once: half a minute would end the test's patience


# ---- descriptors


def no_more_descriptors(pid):
    """No further descriptor can be opened by the process; those it has go on. The limit that was, to give back."""
    limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    lowest_free = next(number for number in range(len(used) + 1) if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, limit[1]))
    return limit


@pytest.mark.skipif(UNDER_SANITIZER, reason="sanitizers open descriptors of their own")
def test_without_descriptors_the_relay_keeps_serving_what_it_has(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    kept = tunnel.visitor()
    assert kept.ask().status == 200
    pid = tunnel.relay.program.pid
    before = no_more_descriptors(pid)
    with knock(tunnel.relay.port, "127.0.0.1"):
        event = tunnel.relay.wait_for_event("relay.limit_reached", limit="descriptors")
        assert event["level"] == "warn"
        assert kept.ask().status == 200
        assert tunnel.relay.admin("status").returncode == 0
        assert tunnel.relay.metrics()["sallyport_agents_online"] == 1
        spent = cpu_ticks(pid)
        assert kept.ask(path="/content/1000").status == 200
        waited = len(tunnel.relay.program.events("relay.limit_reached"))
        assert waited == 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        assert tunnel.ask().status == 200
    tunnel.relay.wait_for_event("relay.limit_eased", limit="descriptors")
    assert len(tunnel.relay.program.events("relay.limit_reached")) == 1
    assert cpu_ticks(pid) - spent < 5 * os.sysconf("SC_CLK_TCK"), "ten seconds of waiting cost CPU"


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.skipif(UNDER_SANITIZER, reason="sanitizers open descriptors of their own")
def test_without_descriptors_at_home_visitors_are_told(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    # With `auto` a service that could not be reached is looked at anew before anything is sent to it, over a stream of its own.
    tunnel.relay.admin("route", "set", tunnel.hostname, "--forward-client-ip", "always")
    kept = tunnel.visitor()
    assert kept.ask().status == 200
    before = no_more_descriptors(tunnel.agent.program.pid)
    answer = tunnel.ask(Accept="application/json")
    assert (answer.status, json.loads(answer.content)["error"]["hop"]) == (502, "agent")
    assert tunnel.relay.wait_for_event("edge.error", cause="agent_exhausted")["status"] == "502"
    assert kept.ask().status == 200
    resource.prlimit(tunnel.agent.program.pid, resource.RLIMIT_NOFILE, before)
    assert tunnel.ask().status == 200


# ---- memory


def test_near_the_bound_of_memory_the_newest_are_refused(world):
    def endless(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        block = bytes(1 << 16)
        connection.settimeout(None)
        while True:
            connection.send(block)

    tunnel = world.tunnel(
        world.raw_origin(endless), world.origin(HomeApp()), max_buffered="4MiB", agent_config={"concurrency_limit": 1000})
    tunnel.relay.admin("route", "add", "other.example.test", "home", "t1")
    def other():
        return tunnel.ask(hostname="other.example.test", path=f"/content/{MIB}", Accept="application/json")

    with all_closed() as stalled:
        for _ in range(60):  # each leaves at least a stream's first window with the relay
            stalled.append(Visitor(tunnel.relay.port, tunnel.hostname, receive_buffer=4096))
            stalled[-1].request()
        wait_until(lambda: other().status == 503, "the relay holds as much as it may")
        refused = other()
        if refused.status == 503:
            assert json.loads(refused.content)["error"]["hop"] == "relay" and int(refused.value("Retry-After")) > 0
        tunnel.relay.wait_for_event("relay.limit_reached", limit="buffered_octets")
        assert tunnel.relay.metrics()['sallyport_limit_used{limit="buffered_octets"}'] >= 3 * MIB
        assert not tunnel.relay.program.events("tunnel.closed")
    wait_until(lambda: other().status == 200, "all is well again")
    wait_until(lambda: tunnel.relay.metrics()['sallyport_limit_used{limit="buffered_octets"}'] < MIB, "what was held is gone")
