"""Octets in motion: what leaves at once, what stops when a reader stops, and how each side's end reaches the other."""
import select
import socket
import ssl
import threading

import pytest

from conftest import UNDER_SANITIZER
from support.home_app import HomeApp, content
from support.origins import read_head, reset
from support.processes import DEADLINE_S
from support.visitor import ConnectionEnded

MIB = 1 << 20
# Of one stalled stream, in relay and agent together (the bound), and what the sockets on its way may hold besides.
STALLED_STREAM_LIMIT = 4 * MIB
SOCKET_BUFFERS = 24 * MIB
STALL_S = 1.5  # nothing moved for so long: it has stopped. The only way to see that something does not happen.


class EndlessOrigin:
    """Sends content without end and notes how much its socket took."""

    def __init__(self, head=b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n"):
        self._head = head
        self.sent = 0
        self.stalled = threading.Event()
        self.ended = threading.Event()
        self.answering = threading.Event()

    def __call__(self, connection):
        read_head(connection)
        connection.sendall(self._head)
        self.answering.set()
        block = content(1 << 16)
        try:
            while True:
                if not select.select([], [connection], [], STALL_S)[1]:
                    self.stalled.set()
                    select.select([], [connection], [])
                self.sent += connection.send(block)
        finally:
            self.ended.set()


@pytest.mark.sanitize
def test_events_leave_one_by_one(world):
    app = HomeApp()
    origin = world.origin(app)
    tunnel = world.tunnel(origin)
    with tunnel.visitor() as visitor:
        visitor.request(path="/fed")
        visitor.read_head()
        visitor.read_until(b": open\n\n")
        for number in range(50):
            event = b"data: %d\n\n" % number
            origin.call(app.feed(event))
            visitor.read_until(event)  # there, while the answer is still open
        origin.call(app.feed(None))
        visitor.read_until(b"0\r\n\r\n")


@pytest.mark.sanitize
def test_a_visitor_who_stops_reading_stops_the_origin(world):
    endless = EndlessOrigin()
    tunnel = world.tunnel(world.raw_origin(endless), world.origin(HomeApp()))
    tunnel.relay.admin("route", "add", "other.example.test", "home", "t1")
    before = memory_kib(tunnel)
    with tunnel.visitor(receive_buffer=16384) as visitor:
        visitor.request()
        assert endless.stalled.wait(DEADLINE_S), "the origin was never stopped"
        taken = endless.sent
        assert taken < STALLED_STREAM_LIMIT + SOCKET_BUFFERS
        assert UNDER_SANITIZER or memory_kib(tunnel) - before < 3 * STALLED_STREAM_LIMIT // 1024
        with tunnel.visitor("other.example.test") as other:
            assert other.ask(path=f"/content/{20 * MIB}").content == content(20 * MIB), "others go on"
        assert endless.sent == taken
        visitor.read_head()
        received = 0
        while received < taken + MIB:  # it moves again as soon as the visitor reads
            received += len(visitor.read_some())


def memory_kib(tunnel):
    return tunnel.relay.program.resident_kib() + tunnel.agent.program.resident_kib()


@pytest.mark.sanitize
def test_an_origin_that_stops_reading_stops_the_visitor(world):
    reading = threading.Event()
    received = []

    def slow(connection):
        head, rest = read_head(connection)
        reading.wait(DEADLINE_S)
        octets = len(rest)
        while octets < 64 * MIB:
            octets += len(connection.recv(1 << 20))
        received.append(octets)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        connection.recv(1)

    tunnel = world.tunnel(world.raw_origin(slow))
    before = memory_kib(tunnel)
    with tunnel.visitor() as visitor:
        visitor.send(f"POST / HTTP/1.1\r\nHost: {tunnel.hostname}\r\nContent-Length: {64 * MIB}\r\n\r\n")
        visitor.socket.setblocking(False)
        sent = send_until_stalled(visitor.socket, 64 * MIB)
        assert sent < STALLED_STREAM_LIMIT + SOCKET_BUFFERS
        assert UNDER_SANITIZER or memory_kib(tunnel) - before < 3 * STALLED_STREAM_LIMIT // 1024
        reading.set()
        visitor.socket.settimeout(DEADLINE_S)
        visitor.socket.sendall(bytes(64 * MIB - sent))
        assert visitor.read_response().content == b"ok"
    assert received == [64 * MIB]


def send_until_stalled(tls, most):
    """How much a non-blocking TLS socket takes before nothing moves for STALL_S."""
    sent, block = 0, bytes(1 << 16)
    while sent < most:
        try:
            sent += tls.send(block[:most - sent])
        except ssl.SSLWantWriteError:
            if not select.select([], [tls], [], STALL_S)[1]:
                return sent
        except ssl.SSLWantReadError:
            select.select([tls], [], [], STALL_S)
    return sent


@pytest.mark.sanitize
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_visitor_who_leaves_cuts_the_origins_connection(world, how):
    endless = EndlessOrigin()
    tunnel = world.tunnel(world.raw_origin(endless))
    visitor = tunnel.visitor()
    visitor.request()
    visitor.read_some()
    getattr(visitor, how)()
    assert endless.ended.wait(DEADLINE_S), "the origin still sends to nobody"


@pytest.mark.sanitize
def test_a_visitor_who_leaves_before_the_answer_cancels_the_request(world):
    app = HomeApp()
    origin = world.origin(app)
    tunnel = world.tunnel(origin)
    visitor = tunnel.visitor()
    visitor.request(path="/hang")
    origin.wait_for_request("/hang")
    visitor.reset()
    app.cancelled.wait_for(lambda target: target == "/hang", "the cancel")


@pytest.mark.sanitize
def test_the_origins_end_passes_on_at_once(world):
    ended = threading.Event()

    def close_after_answer(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")
        connection.shutdown(socket.SHUT_WR)
        ended.wait(DEADLINE_S)  # the other direction stays open: only the FIN tells

    tunnel = world.tunnel(world.raw_origin(close_after_answer))
    with tunnel.visitor() as visitor:
        response = visitor.ask()
        assert response.content == b"all of it"
    ended.set()


@pytest.mark.sanitize
@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("how", [socket.socket.close, reset])
def test_an_answer_that_breaks_off_is_never_passed_off_as_whole(world, framing, how):
    def break_off(connection):
        read_head(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        connection.sendall(content(5000) if "Length" in framing else b"1388\r\n" + content(5000) + b"\r\n")
        visitor_has_read.wait(DEADLINE_S)
        how(connection)

    visitor_has_read = threading.Event()
    tunnel = world.tunnel(world.raw_origin(break_off))
    with tunnel.visitor() as visitor:
        visitor.request()
        head = visitor.read_head()
        first = visitor.read_exactly(4000)
        visitor_has_read.set()
        visitor.put_back(first)
        with pytest.raises(ConnectionEnded):
            visitor.read_content(head)


def test_two_visitors_never_share_an_origin_connection(world):
    peers = set()

    def note(connection):
        while True:
            head, _ = read_head(connection)
            if not head:
                return
            peers.add((connection.getpeername()[1], head.split(b"X-Who: ")[1].split(b"\r\n")[0]))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    tunnel = world.tunnel(world.raw_origin(note))
    with tunnel.visitor() as one, tunnel.visitor() as two:
        for _ in range(3):
            assert one.ask(X_Who="one").status == 200
            assert two.ask(X_Who="two").status == 200
    ports = [port for port, _ in peers]
    assert len(ports) == len(set(ports)), f"one origin connection served two visitors: {peers}"
    assert len(ports) == 2, f"a visitor's origin connection was not kept: {peers}"


@pytest.mark.sanitize
def test_a_kept_origin_connection_that_died_is_replaced_for_safe_requests(world):
    first = threading.Event()

    def once(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if not first.is_set():
            first.set()
            # Reads the next request and dies without a word, as a server does whose keep-alive time ran out.
            read_head(connection)
            reset(connection)
        else:
            connection.recv(1)

    tunnel = world.tunnel(world.raw_origin(once))
    with tunnel.visitor() as visitor:
        assert visitor.ask().status == 200
        assert visitor.ask().status == 200, "GET goes once more on a fresh connection"


def test_an_unsafe_request_is_never_sent_twice(world):
    requests = []

    def once(connection):
        while True:
            head, _ = read_head(connection)
            if not head:
                return
            requests.append(head.split(b" ")[0])
            if head.startswith(b"POST"):
                reset(connection)
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    tunnel = world.tunnel(world.raw_origin(once))
    with tunnel.visitor() as visitor:
        assert visitor.ask().status == 200
        assert visitor.ask("POST", content=b"pay").status == 502
    assert requests.count(b"POST") == 1
