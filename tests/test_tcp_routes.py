"""Public TCP ports that lead to a target at home: octets both ways, nothing understood."""
import contextlib
import hashlib
import json
import os
import socket
import ssl
import subprocess
import threading

import pytest

from support.origins import RawOrigin
from support.processes import DEADLINE_S, wait_until
from support.proxy_header import V2_SIZE, read_v2, v1_header, v2_header
from support.relay import free_port


def serve_hash(connection):
    """Takes everything up to the visitor's end, then says how much and which it was."""
    digest, count = hashlib.sha256(), 0
    while octets := connection.recv(65536):
        digest.update(octets)
        count += len(octets)
    connection.sendall(f"{count} {digest.hexdigest()}".encode())


def serve_echo(connection):
    while octets := connection.recv(65536):
        connection.sendall(octets)


def read_all(connection):
    octets = b""
    while more := connection.recv(65536):
        octets += more
    return octets


class Ports:
    """A tunnel, and TCP routes of its relay."""

    def __init__(self, tunnel):
        self.tunnel, self.relay = tunnel, tunnel.relay

    def add(self, target="t0", *options, listen="127.0.0.1:0"):
        route = self.relay.admin_json("tcp-route", "add", listen, "home", target, *options)["tcp_route"]
        return int(route["address"].rsplit(":", 1)[1])

    @staticmethod
    def connect(port, source="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S, source_address=(source, 0))


def is_cut(connection):
    """Whether the relay has ended it without a word."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def is_turned_away(ports, port):
    """Whether a connection is ended before anything was said: the reset may even come before connect() returns."""
    try:
        with ports.connect(port) as visitor:
            return is_cut(visitor)
    except ConnectionError:
        return True


@pytest.fixture
def echo(world):
    """Ports to an echo."""
    origin = world.raw_origin(serve_echo)
    return Ports(world.tunnel(("t0", f"tcp://127.0.0.1:{origin.port}")))


def say(connection, text):
    connection.sendall(text)
    answer = b""
    while len(answer) < len(text):
        more = connection.recv(len(text) - len(answer))
        assert more, f"ended behind {answer!r}"
        answer += more
    assert answer == text


def read_named(connection, size=5):
    """(source, destination, `size` octets) as they have come to an echo that is told by a PROXY header who the visitor is."""
    octets = b""
    while len(octets) < V2_SIZE + size:
        more = connection.recv(V2_SIZE + size - len(octets))
        assert more, f"ended behind {octets!r}"
        octets += more
    return *read_v2(octets), octets[V2_SIZE:]


@pytest.mark.sanitize
def test_octets_pass_both_ways_and_ends_too(world):
    origin = world.raw_origin(serve_hash)
    ports = Ports(world.tunnel(("t0", f"tcp://127.0.0.1:{origin.port}")))
    octets = os.urandom(16 << 20)
    with ports.connect(ports.add()) as visitor:
        visitor.sendall(octets)
        visitor.shutdown(socket.SHUT_WR)
        assert read_all(visitor).decode() == f"{len(octets)} {hashlib.sha256(octets).hexdigest()}"
    event = ports.relay.wait_for_event("access.tcp", listen="127.0.0.1:0")
    assert int(event["octets_in"]) == len(octets)


@pytest.mark.sanitize
def test_a_large_download_arrives_whole(world):
    octets = os.urandom(16 << 20)

    def give(connection):
        assert connection.recv(1) == b"x"
        connection.sendall(octets)

    origin = world.raw_origin(give)
    ports = Ports(world.tunnel(("t0", f"tcp://127.0.0.1:{origin.port}")))
    with ports.connect(ports.add()) as visitor:
        visitor.sendall(b"x")
        assert hashlib.sha256(read_all(visitor)).digest() == hashlib.sha256(octets).digest()


def test_fifty_visitors_at_once(echo):
    port = echo.add()
    failures = []

    def visit(number):
        try:
            with echo.connect(port) as visitor:
                for turn in range(20):
                    say(visitor, f"{number}/{turn}".encode() * 50)
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert failures == []
    metrics = echo.relay.metrics()
    assert metrics['sallyport_tcp_connections_total{listen="127.0.0.1:0",result="carried"}'] == 50
    wait_until(lambda: echo.relay.metrics()['sallyport_tcp_open_connections{listen="127.0.0.1:0"}'] == 0, "no open connection")


def test_the_target_hears_who_the_visitor_is(echo):
    with echo.connect(echo.add("t0", "--proxy-protocol")) as visitor:
        visitor.sendall(b"hello")
        assert read_named(visitor) == (visitor.getsockname(), visitor.getpeername(), b"hello")


@pytest.mark.sanitize
def test_tls_ends_at_the_relay_where_asked_for(echo, authority):
    port = echo.add("t0", "--tls")
    context = ssl.create_default_context(cafile=authority.file)
    with context.wrap_socket(echo.connect(port), server_hostname="home.example.test") as visitor:
        say(visitor, b"over TLS")
    with echo.connect(port) as visitor:
        visitor.sendall(b"this is no TLS\r\n\r\n")
        with contextlib.suppress(ConnectionError):  # the reset may overtake the alert
            while octets := visitor.recv(100):
                assert octets[0] == 21, "a TLS alert and nothing else"
    with context.wrap_socket(echo.connect(port), server_hostname="home.example.test") as visitor:
        say(visitor, b"still there")


def test_only_those_on_the_list_may_come(echo):
    port = echo.add("t0", "--allow", "192.0.2.0/24", "--allow", "2001:db8::/32")
    assert is_turned_away(echo, port)
    echo.relay.admin("tcp-route", "set", "127.0.0.1:0", "--allow", "127.0.0.0/8")
    with echo.connect(port) as visitor:
        say(visitor, b"come in")
    echo.relay.admin("tcp-route", "set", "127.0.0.1:0", "--allow", "all")
    with echo.connect(port) as visitor:
        say(visitor, b"everybody")
    refused = echo.relay.admin("tcp-route", "set", "127.0.0.1:0", "--allow", "10.0.0.1/8", check=False)
    assert refused.returncode != 0 and "write 10.0.0.0/8" in refused.stderr


@pytest.fixture
def behind_a_proxy(world):
    """Ports to an echo, in front of which a proxy at 127.0.0.1 stands."""
    origin = world.raw_origin(serve_echo)
    return Ports(world.tunnel(("t0", f"tcp://127.0.0.1:{origin.port}"), proxy_protocol=["tcp"], trusted_proxies=["127.0.0.1"],
                              max_connections_per_address=1))


def refused(relay, reason):
    return relay.metrics()[f'sallyport_handshakes_refused_total{{side="visitor",reason="{reason}"}}']


PROXY = (("192.0.2.9", 4711), ("198.51.100.1", 443), b"hello")


@pytest.mark.sanitize
def test_a_trusted_proxy_names_the_visitor(behind_a_proxy):
    ports, relay = behind_a_proxy, behind_a_proxy.relay
    port = ports.add("t0", "--proxy-protocol", "--allow", "192.0.2.0/24")
    with ports.connect(port) as proxy:
        proxy.sendall(v1_header() + b"hello")
        assert read_named(proxy) == PROXY
        with ports.connect(port) as another:  # the limits are about the address in the header, too
            another.sendall(v1_header() + b"hello")
            assert is_cut(another)
        assert refused(relay, "overload") == 1
        with ports.connect(port) as another:
            another.sendall(v2_header("192.0.2.10") + b"hello")
            assert read_named(another)[0] == ("192.0.2.10", 4711)
    with ports.connect(port) as proxy:
        for octet in v2_header("192.0.2.12"):  # in pieces
            proxy.sendall(bytes([octet]))
        proxy.sendall(b"hello")
        assert read_named(proxy) == (("192.0.2.12", 4711), *PROXY[1:])
    for header in (v1_header("198.51.100.7"), v2_header("198.51.100.7"), v2_header(command=0x20), b"PROXY UNKNOWN\r\n"):
        with ports.connect(port) as proxy:  # not on the list: the visitor, or the proxy itself
            proxy.sendall(header + b"hello")
            assert is_cut(proxy), header
    assert relay.metrics()['sallyport_tcp_connections_total{listen="127.0.0.1:0",result="refused"}'] == 4
    for number, octets in enumerate([b"hello, this is no header", b"PROXY TCP4 nonsense\r\n"], 1):
        with ports.connect(port) as proxy:
            proxy.sendall(octets)
            assert is_cut(proxy)
        assert refused(relay, "proxy_header") == number
    relay.admin("tcp-route", "set", "127.0.0.1:0", "--target", "nowhere")
    with ports.connect(port) as proxy:
        proxy.sendall(v1_header("192.0.2.11"))
        assert is_cut(proxy)
    assert relay.wait_for_event("edge.tcp_error")["visitor"] == "192.0.2.11"


def test_nobody_else_is_believed_who_the_visitor_is(behind_a_proxy):
    ports = behind_a_proxy
    port = ports.add("t0", "--proxy-protocol", "--allow", "192.0.2.0/24", "--allow", "127.0.0.8")
    with ports.connect(port, source="127.0.0.8") as visitor:
        visitor.sendall(b"hello")
        assert read_named(visitor) == (visitor.getsockname(), visitor.getpeername(), b"hello")
        with ports.connect(port, source="127.0.0.8") as liar:
            lie = v1_header() + b"hello"
            liar.sendall(lie)
            assert read_named(liar, len(lie)) == (liar.getsockname(), liar.getpeername(), lie)
    with ports.connect(port, source="127.0.0.9") as liar:
        liar.sendall(v2_header() + b"hello")
        assert is_cut(liar)


def test_a_proxy_header_comes_before_tls(behind_a_proxy, authority):
    port = behind_a_proxy.add("t0", "--tls", "--proxy-protocol", "--allow", "192.0.2.0/24")
    context = ssl.create_default_context(cafile=authority.file)
    for header in (v1_header("192.0.2.1"), v2_header("192.0.2.2")):
        connection = behind_a_proxy.connect(port)
        connection.sendall(header)
        with context.wrap_socket(connection, server_hostname="home.example.test") as visitor:
            visitor.sendall(b"hello")
            assert read_named(visitor)[1:] == PROXY[1:]


@pytest.mark.sanitize
def test_a_route_that_goes_takes_along_who_has_not_been_named_yet(behind_a_proxy):
    port = behind_a_proxy.add()
    with behind_a_proxy.connect(port) as silent, behind_a_proxy.connect(port) as slow, behind_a_proxy.connect(port) as named:
        slow.sendall(v1_header("192.0.2.1")[:20])
        named.sendall(v1_header("192.0.2.2"))
        say(named, b"hello")
        behind_a_proxy.relay.admin("tcp-route", "set", "127.0.0.1:0", "--disabled")
        assert [is_cut(connection) for connection in (silent, slow, named)] == [True] * 3


def test_a_forward_line_makes_a_route(world):
    origin = world.raw_origin(serve_echo)
    services = {f"127.0.0.1:{origin.port}": f"tcp://127.0.0.1:{origin.port}"}
    tunnel = world.tunnel(agent_config={"services": services})
    port = free_port()
    shown = tunnel.relay.admin("route", "add", "--forward", f"127.0.0.1:{port}:127.0.0.1:{origin.port}", "home").stdout
    assert f"port 127.0.0.1:{port} leads to 127.0.0.1:{origin.port} of home" in shown
    with Ports.connect(port) as visitor:
        say(visitor, b"as with ssh -R")
    listed = tunnel.relay.admin("tcp-route", "list").stdout
    assert f"127.0.0.1:{port}" in listed and "listens" in listed
    broken = tunnel.relay.admin("route", "add", "--forward", "1883:mosquitto", "home", check=False)
    assert broken.returncode != 0 and "no forwarding" in broken.stderr


def test_curl_reaches_an_http_service_by_a_port(world):
    def answer(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhome")
    origin = world.raw_origin(answer)
    ports = Ports(world.tunnel(("t0", f"tcp://127.0.0.1:{origin.port}")))
    done = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{ports.add()}/"], capture_output=True, text=True, timeout=DEADLINE_S)
    assert (done.stdout, done.stderr) == ("home", "")


def test_a_port_in_use_is_refused_and_nothing_stored(echo):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = echo.relay.admin("tcp-route", "add", where, "home", "t0", check=False)
        assert refused.returncode != 0 and "in use" in refused.stderr
    own = echo.relay.admin("tcp-route", "add", f"127.0.0.1:{echo.relay.port}", "home", "t0", check=False)
    assert own.returncode != 0 and "in use" in own.stderr
    assert echo.relay.admin_json("tcp-route", "list")["tcp_routes"] == []


def test_a_route_that_goes_takes_its_connections_along(echo):
    port = echo.add()
    with echo.connect(port) as first, echo.connect(port) as second:
        say(first, b"one")
        echo.relay.admin("tcp-route", "set", "127.0.0.1:0", "--disabled")
        assert is_cut(first)
        assert is_cut(second)
    with pytest.raises(ConnectionRefusedError):
        echo.connect(port)
    echo.relay.admin("tcp-route", "set", "127.0.0.1:0", "--enabled")
    echo.relay.admin("agent", "remove", "home")
    assert echo.relay.admin_json("tcp-route", "list")["tcp_routes"] == []


def test_a_visitor_waits_for_an_agent_that_comes_back(world):
    origin = world.raw_origin(serve_echo)
    ports = Ports(world.tunnel(("t0", f"tcp://127.0.0.1:{origin.port}"), offline_grace="30s"))
    port = ports.add()
    ports.tunnel.agent.stop()
    ports.relay.wait_for_event("tunnel.closed")
    with ports.connect(port) as visitor:
        visitor.sendall(b"anybody home?")
        ports.tunnel.agent.start()
        answer = b""
        while len(answer) < 13:
            answer += visitor.recv(100)
        assert answer == b"anybody home?"


@pytest.mark.parametrize("target, cause", [("t0", "target_refused"), ("nowhere", "target_not_allowed")])
def test_the_log_says_why_a_connection_came_to_nothing(world, target, cause):
    ports = Ports(world.tunnel(("t0", f"tcp://127.0.0.1:{free_port()}")))
    assert is_turned_away(ports, ports.add(target))
    assert ports.relay.wait_for_event("edge.tcp_error")["cause"] == cause


def test_the_relay_looks_after_the_service_behind_a_port(world):
    origin = world.raw_origin(serve_echo)
    ports = Ports(world.tunnel(("t0", f"tcp://127.0.0.1:{origin.port}"), ("t1", f"tcp://127.0.0.1:{free_port()}"), health_interval="60s"))
    ports.add("t0")
    ports.add("t1", listen=f"127.0.0.1:{free_port()}")
    assert ports.relay.wait_for_event("route.unhealthy", target="t1")["cause"] == "target_refused"

    def health():
        return [(route["target"], route["health"]["state"]) for route in ports.relay.admin_json("tcp-route", "list")["tcp_routes"]]
    wait_until(lambda: sorted(health()) == [("t0", "healthy"), ("t1", "unhealthy")], "both verdicts")
    assert "target_refused" in ports.relay.admin("status").stdout


def test_ports_outlive_a_restart_and_an_upgrade(echo):
    listen = f"127.0.0.1:{free_port()}"
    port = echo.add(listen=listen)
    echo.relay.restart()
    with echo.connect(port) as visitor:
        say(visitor, b"after the restart")
        answer = json.loads(echo.relay.admin("--json", "upgrade").stdout)
        echo.relay.program.replaced_by(answer["pid"])
        with echo.connect(port) as another:
            say(another, b"in the new process")


def test_hurried_visitors_never_meet_a_closed_port_in_an_upgrade(echo):
    port = echo.add(listen=f"127.0.0.1:{free_port()}")
    ended, failures, visits = threading.Event(), [], []

    def visit():
        while not ended.is_set():
            try:
                with echo.connect(port) as visitor:
                    say(visitor, b"quick")
                visits.append(1)
            except Exception as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=visit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        wanted = len(visits) + 20
        wait_until(lambda: len(visits) >= wanted or failures, "visits")
        echo.relay.upgrade()
    wanted = len(visits) + 20
    wait_until(lambda: len(visits) >= wanted or failures, "visits")
    ended.set()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert failures == []
