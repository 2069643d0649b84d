"""HTTP/2 to visitors: many requests on one connection, each passed on over HTTP/1.1, and everything that HTTP/1.1 can, too."""
import json
import signal
import struct
import threading

import pytest

from support import http2_client as h2
from support.home_app import HomeApp, content, content_sha256
from support.origins import read_head
from support.processes import DEADLINE_S, wait_until

U32 = struct.Struct(">I").pack


@pytest.fixture
def app():
    return HomeApp()


@pytest.fixture
def home(world, app):
    return world.origin(app)


@pytest.fixture
def tunnel(world, home):
    return world.tunnel(home)


@pytest.fixture
def connect(request):
    """Opens connections that end with the test."""
    opened = []

    def open_one(hostname=None, of=None, **options):
        of = of or request.getfixturevalue("tunnel")
        opened.append(h2.Http2Client(of.relay.port, hostname or of.hostname, of.trust, **options))
        return opened[-1]
    yield open_one
    for client in opened:
        client.close()


def echoed(answer):
    """What the home's echo has seen: fields in lower case."""
    seen = json.loads(answer.content)
    seen["fields"] = [(name.lower(), value) for name, value in seen["headers"]]
    return seen


# --- requests as they reach the home ---

@pytest.mark.sanitize
def test_a_request_becomes_an_http1_request(tunnel, connect):
    c = connect()
    seen = echoed(c.ask("POST", "/a%2Fb?x=%20", extra=[("x-a", "1"), ("cookie", "a=1"), ("x-b", "2"), ("cookie", "b=2"), ("te", "trailers")], content=b"hello"))
    fields = dict(seen["fields"])
    assert (seen["method"], seen["target"], seen["octets"]) == ("POST", "/a%2Fb?x=%20", 5)
    assert fields["host"] == tunnel.hostname
    assert fields["cookie"] == "a=1; b=2"  # crumbs joined: RFC 9113 8.2.3
    assert fields["transfer-encoding"] == "chunked" and fields["x-a"] == "1" and fields["x-b"] == "2"
    assert fields["x-forwarded-for"] == "127.0.0.1" and "te" not in fields
    assert [name for name, _ in seen["fields"]].count("cookie") == 1


def test_forged_fields_end_here(connect):
    seen = echoed(connect().ask(path="/x", extra=[("x-forwarded-for", "6.6.6.6"), ("x_real_ip", "6.6.6.6"), ("forwarded", "for=6.6.6.6"), ("x-real-ip", "6.6.6.6")]))
    assert "6.6.6.6" not in json.dumps(seen["headers"])


def test_host_stands_in_for_authority_and_may_say_the_same(tunnel, connect):
    c = connect()
    pseudo = [(":method", "GET"), (":scheme", "https"), (":path", "/x")]
    assert dict(echoed(c.ask(fields=[*pseudo, ("host", tunnel.hostname)]))["fields"])["host"] == tunnel.hostname
    assert c.ask(fields=[*pseudo, (":authority", tunnel.hostname), ("host", tunnel.hostname.upper())]).status == 200


@pytest.mark.sanitize
def test_requests_that_http1_would_read_differently_are_refused(tunnel, home, connect):
    c = connect()
    def fields(**changed):
        return [(f":{name}", value) for name, value in {"method": "GET", "scheme": "https", "authority": tunnel.hostname, "path": "/x", **changed}.items()]
    refused = {
        "host unlike authority": [*fields(), ("host", "other.example.test")],
        "two hosts": [*fields(), ("host", tunnel.hostname), ("host", tunnel.hostname)],
        "a space in the path": fields(path="/a b"),
        "a request line in the path": fields(path="/ HTTP/1.1"),
        "a fragment": fields(path="/a#b"),
        "a path of another kind": fields(path="x"),
        "an authority with user": fields(authority=f"a@{tunnel.hostname}"),
        "an authority with a path": fields(authority=f"{tunnel.hostname}/x"),
        "a space in the method": fields(method="GET /smuggled"),
        "no http": fields(scheme="ftp"),
        "asterisk to GET": fields(path="*"),
    }
    for what, sent in refused.items():
        answer = c.ask(fields=sent)
        assert answer.status in (400, 421) or answer.reset == h2.PROTOCOL_ERROR, f"{what}: {answer}"
    assert c.ask(fields=fields(method="CONNECT")[:1] + [(":authority", f"{tunnel.hostname}:443")]).status == 400
    for what, status, extra in [("a long field", 431, [("x-a", "a" * 70_000)]), ("many fields", 431, [(f"x-{n}", "1") for n in range(200)])]:
        assert c.ask(extra=extra).status == status, what
    assert c.ask(path="/" + "a" * 40_000).status == 414
    assert not home.requests.all()
    assert c.ask().status == 200


# --- answers ---

def test_answers_of_every_kind(connect):
    c = connect()
    page = c.ask()
    assert page.content == b"<h1>home</h1>" and page.value("content-length") == str(len(page.content)) and page.value("etag") == '"page"'
    bare = c.ask("HEAD", "/content/77")
    assert (bare.status, bare.value("content-length"), bare.content) == (200, "77", b"")
    assert c.ask(path="/status/204").heads[0][0] == (":status", "204")
    assert c.ask(path="/status/304").content == b""
    assert c.ask(path="/content/0").content == b""
    chunked = c.ask(path="/chunked/100000")
    assert chunked.content == content(100000)
    assert not {"transfer-encoding", "connection", "keep-alive"} & {name for name, _ in chunked.head}


def test_error_pages_and_unknown_hosts(world, home, connect):
    tunnel = world.tunnel(home, offline_grace="100ms")
    c = connect(of=tunnel)
    tunnel.agent.program.stop()
    tunnel.relay.wait_for_event("tunnel.closed")
    offline = c.ask(extra=[("accept", "application/json")])
    assert offline.status == 503 and json.loads(offline.content)["error"]["hop"] == "agent"
    assert offline.value("sallyport-error")
    post = c.ask("POST", "/x", content=b"a" * 1000)  # an answer before the content was taken
    assert post.status == 503 and post.ended
    assert "HTTP/2" == tunnel.relay.wait_for_event("access")["protocol"]


def test_trailers_pass_both_ways(world, connect):
    heard = []

    def converse(connection):
        head, rest = read_head(connection)
        while not rest.endswith(b"\r\n\r\n"):
            rest += connection.recv(65536)
        heard.append((head, rest))
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\nContent-Length: 9\r\n\r\n")
        connection.recv(1)
    tunnel = world.tunnel(world.raw_origin(converse))
    c = connect(of=tunnel)
    stream = c.request("POST", "/t", content=b"abc", end=False)
    c.send(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, c.encode([("x-check", "1"), ("content-length", "3")]))
    answer = c.answer(stream)
    assert answer.content == b"hello" and answer.trailers == [("x-sum", "abc")]
    assert heard[0][1] == b"3\r\nabc\r\n0\r\nx-check: 1\r\n\r\n"


def test_interim_answers_pass(world, connect):
    def converse(connection):
        head, _ = read_head(connection)
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        if b"100-continue" in head.lower():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert connection.recv(5) == b"hello"
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        connection.recv(1)
    c = connect(of=world.tunnel(world.raw_origin(converse)))
    assert c.ask().interim == [103]
    stream = c.request("PUT", "/x", extra=[("expect", "100-continue"), ("content-length", "5")], end=False)
    c.wait_until(lambda: 100 in c.answers[stream].interim)
    c.send(h2.DATA, h2.END_STREAM, stream, b"hello")
    answer = c.answer(stream)
    assert answer.interim == [103, 100] and answer.content == b"ok"


def test_a_cut_answer_is_reset(world, connect):
    def converse(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    c = connect(of=world.tunnel(world.raw_origin(converse)))
    answer = c.ask()
    assert answer.reset == h2.INTERNAL_ERROR and not answer.ended
    assert c.ask().reset == h2.INTERNAL_ERROR  # and the connection lives


# --- many at once, and how octets flow ---

@pytest.mark.sanitize
def test_many_requests_at_once_are_each_answered(home, connect):
    c = connect()
    streams = {c.request(path=f"/content/{1000 + n}"): 1000 + n for n in range(100)}
    for stream, octets in streams.items():
        assert c.answer(stream).content == content(octets)


def test_large_transfers_in_both_directions_at_once(connect):
    c = connect()
    size = 3_000_000
    down = c.request(path=f"/content/{size}")
    up = c.request("PUT", "/hash", extra=[("content-length", str(size))], end=False)
    window = {0: 65535, up: c.settings[h2.INITIAL_WINDOW_SIZE]}
    left = memoryview(content(size))

    def read_credit():
        got = c.read_frame()
        if got.kind == h2.WINDOW_UPDATE and got.stream in window:
            window[got.stream] += struct.unpack(">I", got.payload)[0]
    while left:
        room = min(window[0], window[up], 16384, len(left))
        if room == 0:
            read_credit()
            continue
        c.send(h2.DATA, h2.END_STREAM if room == len(left) else 0, up, bytes(left[:room]))
        left = left[room:]
        window[0] -= room
        window[up] -= room
    assert json.loads(c.answer(up).content) == {"octets": size, "sha256": content_sha256(size)}
    assert c.answer(down).content == content(size)


def test_a_stream_without_window_stops_no_other(connect):
    c = connect(first_settings=[(h2.INITIAL_WINDOW_SIZE, 0)], generous=False)
    stalled = [c.request(path="/content/2000000") for _ in range(5)]
    free = c.request(path="/content/30000")
    c.send(h2.WINDOW_UPDATE, 0, free, U32(1_000_000))
    assert c.answer(free).content == content(30000)
    assert all(not c.answers[stream].content for stream in stalled)
    c.generous = True
    c.send(h2.WINDOW_UPDATE, 0, 0, U32(1_000_000))
    for stream in stalled:
        c.send(h2.WINDOW_UPDATE, 0, stream, U32(100_000))
    for stream in stalled:
        assert c.answer(stream).content == content(2000000)


def test_content_beyond_the_window_resets_the_stream(world, connect):
    """A home that doesn't read gives no credit, and nobody may go on without."""
    over = threading.Event()
    c = connect(of=world.tunnel(world.raw_origin(lambda connection: over.wait(DEADLINE_S))))
    stream = c.request("PUT", "/x", end=False)
    for _ in range(1000):  # 16 MB, more than all buffers on the way
        c.send(h2.DATA, 0, stream, b"a" * 16384)
    assert c.answer(stream).reset == h2.FLOW_CONTROL_ERROR
    over.set()


def test_a_visitor_that_gives_up_is_heard_at_home(app, home, connect):
    c = connect()
    stream = c.request(path="/hang?1")
    home.wait_for_request("/hang?1")
    c.send(h2.RST_STREAM, 0, stream, U32(h2.CANCEL))
    app.cancelled.wait_for(lambda target: target == "/hang?1", "the cancelled request")
    assert c.ask().status == 200


def test_urgent_answers_come_first(connect):
    """RFC 9218: both wait for the connection's window; once both have content, the more urgent one gets all of it."""
    c = connect(generous=False)
    for_window = c.request(path="/content/65535")
    c.wait_until(lambda: len(c.answers[for_window].content) == 65535)
    late = c.request(path="/content/30000", extra=[("priority", "u=7")])
    early = c.request(path="/content/30000", extra=[("priority", "u=1")])
    for stream in (late, early):
        c.wait_until(lambda: c.answers[stream].heads)
    in_a_row = 0
    for _ in range(800):  # octets, one by one; the first may find only the less urgent one's content there
        c.send(h2.WINDOW_UPDATE, 0, 0, U32(1))
        in_a_row = in_a_row + 1 if c.wait_for(h2.DATA).stream == early else 0
        if in_a_row == 50:
            return
    raise AssertionError(f"{len(c.answers[early].content)} octets of the urgent answer, {len(c.answers[late].content)} of the other")


# --- WebSocket (RFC 8441) ---

def websocket(c, path="/ws", extra=()):
    fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", c.authority), (":path", path),
              ("sec-websocket-version", "13"), *extra]
    stream = c.new_stream()
    c.send(h2.HEADERS, h2.END_HEADERS, stream, c.encode(fields))
    c.wait_until(lambda: c.answers[stream].heads or c.answers[stream].reset is not None)
    return stream


def text_frame(text):
    return bytes((0x81, 0x80 | len(text))) + b"\0\0\0\0" + text  # a masking key of zeroes


@pytest.mark.sanitize
def test_websockets_beside_requests(home, tunnel, connect):
    c = connect()
    assert c.settings[h2.ENABLE_CONNECT_PROTOCOL] == 1
    streams = [websocket(c, extra=[("sec-websocket-protocol", "chat.v1")]) for _ in range(3)]
    for n, stream in enumerate(streams):
        answer = c.answers[stream]
        assert answer.status == 200 and answer.value("sec-websocket-protocol") == "chat.v1"
        assert not {"upgrade", "connection", "sec-websocket-accept"} & {name for name, _ in answer.head}
        c.send(h2.DATA, 0, stream, text_frame(b"hello %d" % n))
    assert c.ask().status == 200
    for n, stream in enumerate(streams):
        c.wait_until(lambda: c.answers[stream].content)
        assert c.answers[stream].content == b"\x81\x07hello %d" % n
    c.send(h2.DATA, 0, streams[0], b"\x88\x82\0\0\0\0\x03\xe8")  # close 1000
    answer = c.answer(streams[0])
    assert answer.content.endswith(b"\x88\x02\x03\xe8")
    c.send(h2.DATA, h2.END_STREAM, streams[0])
    c.send(h2.RST_STREAM, 0, streams[1], U32(h2.CANCEL))
    wait_until(lambda: tunnel.relay.metrics()["sallyport_upgraded_streams"] == 1, "two WebSockets to end")
    seen = next(r for r in home.requests.all() if r.target == "/ws")
    assert seen.method == "GET" and len(seen.value("Sec-WebSocket-Key")) == 24 and seen.value("Upgrade") == "websocket"


def test_websockets_that_are_refused(connect):
    c = connect()
    refused = c.answers[websocket(c, "/no-websocket")]
    assert refused.status == 403
    unknown = c.new_stream()
    c.send(h2.HEADERS, h2.END_HEADERS, unknown, c.encode([(":method", "CONNECT"), (":protocol", "masque"), *c.fields()[1:]]))
    assert c.answer(unknown).status == 501


def test_an_origin_that_accepts_without_proof_is_no_websocket(world, connect):
    def converse(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n")
        connection.recv(1)
    c = connect(of=world.tunnel(world.raw_origin(converse)))
    assert c.answers[websocket(c)].status == 502


# --- which names one connection serves ---

def test_names_that_the_certificate_covers_are_served_on_one_connection(world, tunnel, connect):
    other_home = world.origin(HomeApp("other"))
    code = tunnel.relay.add_agent("other", ["other.example.test", "alien.example.org"], [f"t0={other_home.url}"])["enroll"]
    world.agent(code, name="other").wait_until_connected()
    tunnel.relay.wait_for_event("tunnel.opened", agent="other")
    c = connect()
    assert c.ask().content == b"<h1>home</h1>"
    assert c.ask(authority="other.example.test").content == b"<h1>other</h1>"
    assert c.ask(authority="alien.example.org").status == 421    # ours, but not of this certificate
    assert c.ask(authority="nobody.example.test").status == 421  # covered, but no route of ours
    assert c.ask().content == b"<h1>home</h1>"


# --- leaving ---

def test_a_stopping_relay_says_goodbye_and_finishes_what_is_under_way(app, home, tunnel, connect):
    c = connect()
    stream = c.request(path="/fed")
    c.wait_until(lambda: c.answers[stream].content)
    tunnel.relay.program.signal(signal.SIGTERM)
    c.wait_for(h2.GOAWAY)
    assert c.goaway.error == h2.NO_ERROR and struct.unpack(">I", c.goaway.payload[:4])[0] == stream
    home.call(app.feed(b"data: last\n\n"))
    home.call(app.feed(None))
    answer = c.answer(stream)
    assert answer.ended and answer.content.endswith(b"data: last\n\n")
    assert c.read_to_end() == h2.NO_ERROR


# --- real peers ---

def test_curl(tunnel):
    got = tunnel.curl("/content/1000000", "--http2")
    assert (got.code, got.http_version, got.content) == (0, "2", content(1_000_000))
    sent = tunnel.curl("/hash", "--http2", "--data-binary", "hello")
    assert json.loads(sent.content)["octets"] == 5
