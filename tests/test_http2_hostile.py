"""HTTP/2 visitors that attack. Each attack ends with the attacker told to calm down (or served, where it costs nothing), while a good
visitor is served before, meanwhile and after, and the relay's memory stays where it was."""
import contextlib
import struct
import threading

import pytest

from conftest import UNDER_SANITIZER
from support import http2_client as h2
from support.home_app import HomeApp
from support.http2_client import frame, settings
from support.processes import DEADLINE_S

U32 = struct.Struct(">I").pack
CALM = h2.ENHANCE_YOUR_CALM


@pytest.fixture
def home(world):
    return world.origin(HomeApp())


@pytest.fixture
def tunnel(world, home):
    return world.tunnel(home, agent_config={"concurrency_limit": 1000})


def judge_memory(relay, before, most_kib):
    if not UNDER_SANITIZER:  # which keeps what was freed
        assert relay.program.resident_kib() < before + most_kib


@pytest.fixture
def attacker(tunnel):
    with h2.Http2Client(tunnel.relay.port, tunnel.hostname, tunnel.trust) as client:
        yield client


def flood(c, octets, times):
    """Sends while somebody reads, so that neither side waits for the other; ends when the relay has had enough."""
    def say():
        with contextlib.suppress(OSError):
            for _ in range(times):
                c.send_raw(octets)
    c.generous = False
    speaker = threading.Thread(target=say, daemon=True)
    speaker.start()
    code = c.read_to_end()
    speaker.join(DEADLINE_S)
    return code


def open_post(c):
    stream = c.new_stream()
    c.send_head(stream, c.encode(c.fields("POST", "/hash")))
    return stream


# What is repeated (frames of unknown types are not among it: they are read over and cause nothing); each piece is some hundred frames. A stream for content is open (1).
FLOODS = {
    "PING (CVE-2019-9512)": frame(h2.PING, 0, 0, b"12345678") * 200,
    "PING acknowledgements": frame(h2.PING, h2.ACK, 0, b"12345678") * 200,
    "SETTINGS (CVE-2019-9515)": frame(h2.SETTINGS) * 200,
    "SETTINGS that change every window": frame(h2.SETTINGS, payload=settings((h2.INITIAL_WINDOW_SIZE, 1))) * 100 + frame(h2.SETTINGS, payload=settings((h2.INITIAL_WINDOW_SIZE, 2))) * 100,
    "empty DATA (CVE-2019-9518)": frame(h2.DATA, 0, 1) * 200,
    "DATA of padding": frame(h2.DATA, h2.PADDED, 1, b"\0") * 200,
    "WINDOW_UPDATE": frame(h2.WINDOW_UPDATE, 0, 1, U32(1)) * 200,
    "PRIORITY (CVE-2019-9513)": frame(h2.PRIORITY, 0, 3, U32(0) + b"\x10") * 200,
    "PRIORITY_UPDATE": frame(h2.PRIORITY_UPDATE, 0, 0, U32(1) + b"u=1") * 200,
    "RST_STREAM of a closed stream": frame(h2.RST_STREAM, 0, 1, U32(8)) * 200,
}


@pytest.mark.sanitize
def test_floods_of_frames_that_carry_nothing(tunnel):
    with h2.Http2Client(tunnel.relay.port, tunnel.hostname, tunnel.trust) as good:
        assert good.ask().status == 200
        before = tunnel.relay.program.resident_kib()
        for what, octets in FLOODS.items():
            with h2.Http2Client(tunnel.relay.port, tunnel.hostname, tunnel.trust) as c:
                open_post(c)
                try:
                    code = flood(c, octets, 5000)
                except AssertionError as error:
                    raise AssertionError(what) from error
                assert code in (CALM, None), what  # None: cut before the GOAWAY could be read
            assert good.ask().status == 200, what
        judge_memory(tunnel.relay, before, 64 * 1024)
        assert tunnel.relay.metrics()["sallyport_http2_connections_refused_total"] == len(FLOODS)


def test_rapid_reset(tunnel, home, attacker):
    """CVE-2023-44487: requests that are thrown away as soon as they are made. Those that were reset before they were read never
    reach the home."""
    with contextlib.suppress(OSError):
        for _ in range(40):
            attacker.send_raw(b"".join(request_and_reset(attacker) for _ in range(50)))
    assert attacker.read_to_end() in (CALM, None)
    assert len([r for r in home.requests.all() if r.target == "/content/100000"]) < 200
    assert tunnel.ask().status == 200


def request_and_reset(c):
    stream = c.new_stream()
    return frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, c.encode(c.fields(path="/content/100000"))) + \
        frame(h2.RST_STREAM, 0, stream, U32(h2.CANCEL))


def test_resets_that_the_relay_is_brought_to(tunnel, attacker):
    """MadeYouReset (CVE-2025-8671): the visitor breaks rules of its streams, the relay resets them, and the home works on."""
    def provoke():
        stream = attacker.new_stream()
        return frame(h2.HEADERS, h2.END_HEADERS, stream, attacker.encode(attacker.fields("POST", "/hash"))) + \
            frame(h2.WINDOW_UPDATE, 0, stream, U32(0x7fffffff))
    for _ in range(30):
        with contextlib.suppress(OSError):
            attacker.send_raw(b"".join(provoke() for _ in range(20)))
    # Or too many at once: those that were reset count until the visitor can have heard of it.
    assert attacker.read_to_end() in (CALM, h2.PROTOCOL_ERROR, None)
    assert tunnel.ask().status == 200


def test_requests_that_are_malformed_again_and_again(tunnel, attacker):
    with contextlib.suppress(OSError):
        for _ in range(1000):
            stream = attacker.new_stream()
            attacker.send(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, attacker.encode(attacker.fields(extra=[("connection", "x")])))
    assert attacker.read_to_end() in (CALM, h2.PROTOCOL_ERROR, None)
    assert tunnel.ask().status == 200


def test_endless_continuation(tunnel, attacker):
    """CVE-2024-27316 and its like: a field section without end."""
    stream = attacker.new_stream()
    attacker.send(h2.HEADERS, h2.END_STREAM, stream, attacker.encode(attacker.fields()))
    with contextlib.suppress(OSError):
        for _ in range(2000):
            attacker.send(h2.CONTINUATION, 0, stream, b"\x00\x01a\x01b" * 100)
    assert attacker.read_to_end() in (CALM, h2.PROTOCOL_ERROR, h2.INTERNAL_ERROR, None)
    assert tunnel.ask().status == 200


def test_empty_continuations(tunnel, attacker):
    stream = attacker.new_stream()
    attacker.send(h2.HEADERS, h2.END_STREAM, stream, attacker.encode(attacker.fields()))
    code = flood(attacker, frame(h2.CONTINUATION, 0, stream) * 200, 500)
    assert code in (CALM, h2.PROTOCOL_ERROR, h2.INTERNAL_ERROR, None)
    assert tunnel.ask().status == 200


def test_hpack_bomb(tunnel, attacker):
    """One field of 4 KiB in the table, and then one octet for each time it is meant again."""
    stream = attacker.new_stream()
    large = b"\x40\x01a\x7f\x81\x1e" + b"b" * 4000  # literal with incremental indexing: 127 + 0x81 0x1e = 4000 octets
    block = attacker.encode(attacker.fields()) + large + b"\xbe" * 16000
    before = tunnel.relay.program.resident_kib()
    attacker.send_head(stream, block, h2.END_STREAM)
    assert attacker.read_to_end() == CALM
    judge_memory(tunnel.relay, before, 32 * 1024)
    assert tunnel.ask().status == 200


def test_cookie_bomb(attacker):
    """CVE-2019-9516's like: many crumbs count as much as other fields."""
    answer = attacker.ask(extra=[("cookie", f"c{n}=" + "a" * 50) for n in range(900)])
    assert answer.status == 431


def test_windows_of_nothing_hold_little(tunnel, home):
    """Zero and one-octet windows: answers wait at the home, not in the relay."""
    before = tunnel.relay.program.resident_kib()
    with contextlib.ExitStack() as stack:
        for window in (0, 1) * 4:
            c = stack.enter_context(h2.Http2Client(tunnel.relay.port, tunnel.hostname, tunnel.trust, first_settings=[(h2.INITIAL_WINDOW_SIZE, window)], generous=False))
            for _ in range(20):
                c.request(path="/content/5000000")
        # One octet at a time: nobody may go on with that for long.
        c.wait_until(lambda: c.answers[1].content)
        with contextlib.suppress(OSError):
            for _ in range(5000):
                c.send(h2.WINDOW_UPDATE, 0, 1, U32(1))
        assert c.read_to_end() in (CALM, None)
        # 160 stalled answers of 5 MB: each holds its stream's window.
        judge_memory(tunnel.relay, before, 160 * 300)
        assert tunnel.ask().status == 200
    assert tunnel.ask().status == 200


def test_a_visitor_that_never_reads_is_not_answered_without_end(tunnel):
    """CVE-2019-9517: the socket isn't read while requests and PINGs go on."""
    before = tunnel.relay.program.resident_kib()
    with h2.Http2Client(tunnel.relay.port, tunnel.hostname, tunnel.trust, first_settings=[(h2.INITIAL_WINDOW_SIZE, (1 << 31) - 1)], receive_buffer=4096) as c:
        c.send(h2.WINDOW_UPDATE, 0, 0, U32(0x7ffe0000))
        for _ in range(50):
            c.request(path="/content/20000000")
        c.socket.settimeout(1)
        with contextlib.suppress(OSError):
            for _ in range(100):
                c.send_raw(frame(h2.PING, 0, 0, b"12345678") * 5)
        assert tunnel.ask().status == 200
        judge_memory(tunnel.relay, before, 96 * 1024)


def test_stream_numbers_run_out_of_order(tunnel, attacker):
    attacker._next = (1 << 31) - 1
    assert attacker.ask().status == 200  # the last one there is
    attacker.send(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1, attacker.encode(attacker.fields()))
    assert attacker.read_to_end() in (h2.PROTOCOL_ERROR, h2.STREAM_CLOSED, None)
    assert tunnel.ask().status == 200
