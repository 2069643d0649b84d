"""Ends that come without warning: what breaks off is an error to its visitor, and the other side recovers by itself."""
import signal
import threading

import pytest

from support.home_app import HomeApp, content
from support.origins import read_head
from support.processes import wait_until
from support.visitor import ConnectionEnded

MIB = 1 << 20


class PausedOrigin:
    """Sends the first MiB of an announced large answer and then waits: a download that is under way."""

    def __init__(self, head=b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"):
        self._head = head
        self.ended = threading.Event()

    def __call__(self, connection):
        read_head(connection)
        connection.sendall(self._head + content(MIB))
        try:
            connection.recv(1)
        finally:
            self.ended.set()


def download_under_way(tunnel):
    visitor = tunnel.visitor()
    visitor.request()
    head = visitor.read_head()
    assert head.status == 200
    visitor.put_back(visitor.read_exactly(1000))
    return visitor, head


@pytest.mark.sanitize
@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"], ids=["length", "until close"])
def test_an_agent_killed_in_mid_download(world, head):
    origin = PausedOrigin(head)
    tunnel = world.tunnel(world.raw_origin(origin))
    visitor, answer = download_under_way(tunnel)
    tunnel.agent.kill()
    assert origin.ended.wait(30), "the home still waits for nobody"
    mark = tunnel.relay.program.mark()
    tunnel.agent.start()  # a new session: now it is sure that the old one won't go on
    with pytest.raises(ConnectionEnded):
        visitor.read_content(answer)
    tunnel.relay.wait_for_event("tunnel.opened", after=mark)
    download_under_way(tunnel)


def test_curl_reports_the_broken_download(world, tmp_path):
    origin = PausedOrigin()
    tunnel = world.tunnel(world.raw_origin(origin), resume_window="200ms")
    results = []
    client = threading.Thread(target=lambda: results.append(tunnel.curl("/", "--no-buffer", "-o", tmp_path / "part")))
    client.start()
    wait_until(lambda: (tmp_path / "part").exists() and (tmp_path / "part").stat().st_size > 0, "the first octets in the file")
    tunnel.agent.kill()
    client.join(60)
    assert results[0].code in (18, 56), results


@pytest.mark.sanitize
def test_a_relay_killed_in_mid_download(world):
    origin = PausedOrigin()
    tunnel = world.tunnel(world.raw_origin(origin))
    visitor, answer = download_under_way(tunnel)
    tunnel.relay.program.kill()
    with pytest.raises(ConnectionEnded):
        visitor.read_content(answer)
    mark = tunnel.agent.program.mark()
    tunnel.relay.start()  # which knows nothing of the session
    tunnel.agent.wait_until_connected(after=mark)
    assert origin.ended.wait(30), "the agent keeps a dead visitor's connection"
    download_under_way(tunnel)


@pytest.mark.sanitize
def test_a_relay_that_stops_in_order_lets_answers_end(world):
    app = HomeApp()
    origin = world.origin(app)
    tunnel = world.tunnel(origin, drain_timeout="20s")
    with tunnel.visitor() as visitor:
        visitor.request(path="/fed")
        visitor.read_until(b": open\n\n")
        stopping = threading.Thread(target=tunnel.relay.stop)
        stopping.start()
        tunnel.agent.wait_for_event("agent.relay_drains")
        origin.call(app.feed(b"data: last\n\n"))
        origin.call(app.feed(None))
        visitor.read_until(b"data: last\n\n")
        visitor.read_until(b"0\r\n\r\n")
        assert visitor.read_to_end() == b"", "the last answer of this connection"
    stopping.join(10)
    assert not stopping.is_alive(), "nothing is left to wait for"
    mark = tunnel.agent.program.mark()
    tunnel.relay.start()
    tunnel.agent.wait_until_connected(after=mark)
    assert tunnel.ask().status == 200


def test_an_agent_started_before_its_relay_finds_it_later(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    tunnel.agent.stop()
    tunnel.relay.stop()
    tunnel.agent.start()
    tunnel.agent.wait_for_event("agent.dial_failed")
    tunnel.relay.start()
    tunnel.agent.wait_until_connected()
    assert tunnel.ask().status == 200


def test_a_home_service_that_comes_back_is_served_again(world):
    origin = world.origin(HomeApp())
    tunnel = world.tunnel(origin)
    assert tunnel.ask().status == 200
    port = origin.port
    origin.stop()
    assert tunnel.ask().status == 502
    world.origin(HomeApp(), port=port)
    assert tunnel.ask().status == 200


@pytest.mark.sanitize
def test_a_relay_that_falls_silent_is_left(world):
    """SIGSTOP is a relay behind a network that swallows everything: only heartbeats tell."""
    tunnel = world.tunnel(world.origin(HomeApp()), agent_config={"heartbeat_interval": "200ms", "heartbeat_timeout": "300ms"})
    mark = tunnel.agent.program.mark()
    tunnel.relay.program.signal(signal.SIGSTOP)
    try:
        tunnel.agent.wait_for_event("agent.disconnected", after=mark)
    finally:
        tunnel.relay.program.signal(signal.SIGCONT)
    tunnel.agent.wait_until_connected(after=mark)
    assert tunnel.ask().status == 200


def test_many_restarts_leave_nothing_behind(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    tunnel.ask()
    threads, descriptors = tunnel.relay.program.thread_and_fd_count()
    for _ in range(10):
        mark = tunnel.relay.program.mark()
        tunnel.agent.restart()
        tunnel.relay.wait_for_event("tunnel.opened", after=mark)
        assert tunnel.ask().status == 200
    later_threads, later_descriptors = tunnel.relay.program.thread_and_fd_count()
    assert later_threads == threads and later_descriptors <= descriptors + 3
