"""Many at once and rude ones: the tunnel stays up, memory stays bounded, and who behaves is served."""
import concurrent.futures
import hashlib
import re
import socket
import subprocess
import threading

import pytest

from conftest import UNDER_SANITIZER
from support.home_app import HomeApp, content_sha256
from support.origins import read_head, reset
from support.processes import wait_until
from support.visitor import Visitor, client_context

MIB = 1 << 20


class Crowd:
    """Visitors that resume one TLS session, so that there can be many quickly."""

    def __init__(self, tunnel):
        self._tunnel = tunnel
        self._context = client_context(tunnel.trust)
        self._session = None
        with self.connect() as first:
            first.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % tunnel.hostname.encode())
            while first.recv(65536):
                pass
            self._session = first.session

    def connect(self, receive_buffer=None):
        raw = socket.socket()
        raw.settimeout(60)
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.connect(("127.0.0.1", self._tunnel.relay.port))
        return self._context.wrap_socket(raw, server_hostname=self._tunnel.hostname, session=self._session)

    def abort_requests(self, count):
        """Each asks and is gone, by reset, before the answer."""
        request = b"GET /hang HTTP/1.1\r\nHost: %s\r\n\r\n" % self._tunnel.hostname.encode()
        for _ in range(count):
            connection = self.connect()
            connection.sendall(request)
            reset(socket.socket(fileno=connection.detach()))


def abort_with(tunnel, count, workers=4):
    crowd = Crowd(tunnel)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(crowd.abort_requests, count // workers) for _ in range(workers)]:
            done.result()


@pytest.mark.sanitize
def test_aborted_requests_leave_the_tunnel_up(world):
    aborted_requests_leave_the_tunnel_up(world, 400 if UNDER_SANITIZER else 4000)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_fifty_thousand_aborted_requests_leave_the_tunnel_up(world):
    aborted_requests_leave_the_tunnel_up(world, 50_000)


def aborted_requests_leave_the_tunnel_up(world, count):
    tunnel = world.tunnel(world.origin(HomeApp()), agent_config={"concurrency_limit": 5000})
    abort_with(tunnel, count)
    assert tunnel.ask().status == 200
    assert not tunnel.relay.program.events("tunnel.closed")
    metrics = tunnel.relay.metrics()
    assert metrics
    descriptors = tunnel.agent.program.thread_and_fd_count
    wait_until(lambda: descriptors()[1] < 60, "the agent has closed what nobody asks for any more")


@pytest.mark.timeout(300)
def test_a_thousand_stalled_visitors_do_not_stop_the_next(world):
    def endless(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        block = bytes(1 << 16)
        connection.settimeout(None)
        while True:
            connection.send(block)

    count = 1000
    tunnel = world.tunnel(
        world.raw_origin(endless, backlog=2048), world.origin(HomeApp()), agent_config={"concurrency_limit": 5000})
    tunnel.relay.admin("route", "add", "other.example.test", "home", "t1")
    assert tunnel.ask(hostname="other.example.test").status == 200
    before = memory_kib(tunnel)
    stalled = []
    lock = threading.Lock()

    def stall(share):
        request = b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % tunnel.hostname.encode()
        for _ in range(share):
            visitor = Visitor(tunnel.relay.port, tunnel.hostname, receive_buffer=4096)
            visitor.send(request)
            visitor.read_some()  # its answer has begun; nothing more is read
            with lock:
                stalled.append(visitor)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(stall, count // 8) for _ in range(8)]:
            done.result()
    assert tunnel.ask(hostname="other.example.test", path=f"/content/{MIB}").status == 200
    assert (memory_kib(tunnel) - before) / count < 4 * 1024, "KiB for each stalled visitor, relay and agent together"
    for visitor in stalled:
        visitor.close()
    assert tunnel.ask(hostname="other.example.test").status == 200


def memory_kib(tunnel):
    return tunnel.relay.program.resident_kib() + tunnel.agent.program.resident_kib()


@pytest.mark.sanitize
def test_many_downloads_at_once_are_all_whole(world):
    octets = 3 * MIB + 17
    tunnel = world.tunnel(world.origin(HomeApp()))

    def download(_):
        with Visitor(tunnel.relay.port, tunnel.hostname) as visitor:
            return hashlib.sha256(visitor.ask(path=f"/content/{octets}").content).hexdigest()

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        assert set(pool.map(download, range(72))) == {content_sha256(octets)}


def test_wrk_meets_no_error(world):
    tunnel = world.tunnel(world.origin(HomeApp()), log_level="info")
    done = subprocess.run(
        ["wrk", "-t2", "-c64", "-d2s", "-H", f"Host: {tunnel.hostname}", f"https://127.0.0.1:{tunnel.relay.port}/"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Socket errors" not in done.stdout and "Non-2xx" not in done.stdout, done.stdout
    assert int(re.search(r"(\d+) requests in", done.stdout)[1]) > 100


@pytest.mark.sanitize
def test_many_agents_on_one_relay_each_serve_their_own(world):
    relay = world.relay()
    count = 5 if UNDER_SANITIZER else 20
    for number in range(count):
        hostname = f"n{number}.example.test"
        code = relay.add_agent(f"a{number}", [hostname], [f"web={world.origin(HomeApp(f'home {number}')).url}"])["enroll"]
        world.agent(code, name=f"a{number}")
    for number in range(count):
        relay.wait_for_event("tunnel.opened", agent=f"a{number}")
    for number in range(count):
        with Visitor(relay.port, f"n{number}.example.test", trust=world.authority.file) as visitor:
            assert visitor.ask().content.decode() == f"<h1>home {number}</h1>"


def test_agents_beyond_the_most_are_refused(world):
    relay = world.relay(max_agents=1)
    first, second = (relay.add_agent(name, [f"{name}.example.test"])["enroll"] for name in ("one", "two"))
    world.agent(first, name="one").wait_until_connected()
    refused = world.agent(second, name="two")
    relay.wait_for_event("tunnel.refused")
    assert not refused.program.events("agent.connected")


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_hours_of_traffic_in_minutes_leave_memory_where_it_was(world):
    tunnel = world.tunnel(world.origin(HomeApp()))

    def traffic():
        for turn in range(200):
            with tunnel.visitor() as visitor:
                for path in ("/", f"/content/{MIB}", f"/chunked/{100_000}", "/status/304"):
                    assert visitor.ask(path=path).status in (200, 304)
        abort_with(tunnel, 400)

    traffic()
    before = memory_kib(tunnel)
    for _ in range(20):
        traffic()
    assert memory_kib(tunnel) - before < 8 * 1024
