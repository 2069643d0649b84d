"""What RFC 9113 and RFC 7541 say a server does with frames right and wrong: the cases of h2spec, as a table of our own.

Each case opens a connection, says something, and expects one of: the connection to be refused with a GOAWAY of a certain code, a
stream to be reset with a certain code, or everything to be fine. `c` is an Http2Client, already through its preface."""
import struct

import pytest

from support import http2_client as h2
from support.home_app import HomeApp
from support.http2_client import frame, settings

U32 = struct.Struct(">I").pack


class Connection:
    """A connection error (RFC 9113 5.4.1)."""

    def __init__(self, *codes):
        self.codes = codes

    def judge(self, c, _stream):
        code = c.read_to_end()
        return None if code in self.codes else f"GOAWAY with {code}, not one of {self.codes}"


class Stream:
    """A stream error (RFC 9113 5.4.2); other streams go on."""

    def __init__(self, *codes):
        self.codes = codes

    def judge(self, c, stream):
        answer = c.answers[stream]
        c.wait_until(lambda: answer.reset is not None or (answer.ended and not self.codes))
        if answer.reset not in self.codes:
            return f"RST_STREAM with {answer.reset}, not one of {self.codes}"
        return Fine().judge(c, None)


class Fine:
    """The request on `stream` is answered, and so is a further one."""

    def judge(self, c, stream):
        if stream is not None and c.answer(stream).status not in (200, 204):
            return f"the request was answered {c.answers[stream]}"
        after = c.ask()
        return None if after.status == 200 else f"a further request was answered {after}"


class Status:
    def __init__(self, status):
        self.status = status

    def judge(self, c, stream):
        answer = c.answer(stream)
        return None if answer.status == self.status else f"answered {answer}"


PROTOCOL = h2.PROTOCOL_ERROR
WHOLE = h2.END_HEADERS | h2.END_STREAM


def head(c, fields=None, flags=WHOLE, method="GET", path="/", extra=(), prefix=b"", suffix=b""):
    """HEADERS on a new stream."""
    stream = c.new_stream()
    block = c.encode(c.fields(method, path, extra=extra) if fields is None else fields)
    c.send(h2.HEADERS, flags, stream, prefix + block + suffix)
    return stream


def open_post(c, path="/hash", extra=()):
    return head(c, flags=h2.END_HEADERS, method="POST", path=path, extra=extra)


def with_extra(*extra):
    return lambda c: head(c, extra=extra)


def without(*names):
    return lambda c: head(c, [pair for pair in c.fields() if pair[0] not in names])


def raw(*what, **more):
    """Sends one frame and returns no stream."""
    return lambda c: c.send(*what, **more)


def on_idle(kind, payload=b"", flags=0):
    return lambda c: c.send(kind, flags, 41, payload)


def on_done(kind, flags, payload):
    """Behind a request that hangs, half-closed by us."""
    def say(c):
        stream = head(c, path="/hang")
        c.send(kind, flags, stream, payload(c) if callable(payload) else payload)
        return stream
    return say


def on_open(kind, flags, payload):
    def say(c):
        stream = open_post(c)
        c.send(kind, flags, stream, payload(c) if callable(payload) else payload)
        return stream
    return say


def after_reset(kind, flags, payload):
    def say(c):
        stream = open_post(c)
        c.send(h2.RST_STREAM, 0, stream, U32(h2.CANCEL))
        c.round_trip()
        c.send(kind, flags, stream, payload(c) if callable(payload) else payload)
    return say


def after_answer(kind, flags, payload):
    def say(c):
        stream = head(c)
        c.answer(stream)
        c.send(kind, flags, stream, payload(c) if callable(payload) else payload)
    return say


def cut_head(c, *between, flags=h2.END_STREAM):
    """HEADERS without END_HEADERS, then `between`."""
    stream = c.new_stream()
    block = c.encode(c.fields())
    c.send(h2.HEADERS, flags, stream, block[:4])
    for what in between:
        c.send_raw(what(stream, block[4:]) if callable(what) else what)
    return stream


def continued(pieces):
    def say(c):
        stream = c.new_stream()
        block = c.encode(c.fields(extra=[("x-a", "1" * 50)]))
        c.send(h2.HEADERS, h2.END_STREAM, stream, block[:1])
        for n in range(1, pieces):
            c.send(h2.CONTINUATION, 0, stream, block[n:n + 1])
        c.send(h2.CONTINUATION, h2.END_HEADERS, stream, block[pieces:])
        return stream
    return say


def second_head(c, fields, flags):
    stream = open_post(c)
    c.send(h2.DATA, 0, stream, b"a")
    c.send(h2.HEADERS, flags, stream, c.encode(fields))
    return stream


def post(content, extra, pieces=1):
    def say(c):
        stream = open_post(c, extra=extra)
        for n in range(pieces):
            c.send(h2.DATA, h2.END_STREAM if n + 1 == pieces else 0, stream, content)
        return stream
    return say


def one_octet_window(c):
    c.send(h2.SETTINGS, payload=settings((h2.INITIAL_WINDOW_SIZE, 1)))
    c.generous = False
    c.round_trip()
    stream = c.request()
    first = c.wait_for(h2.DATA, stream)
    assert len(first.payload) == 1 and not first.flags & h2.END_STREAM
    c.generous = True
    c.send(h2.WINDOW_UPDATE, 0, stream, U32(1000))
    return stream


def negative_window(c):
    c.generous = False
    c.send(h2.SETTINGS, payload=settings((h2.INITIAL_WINDOW_SIZE, 3)))
    c.round_trip()
    stream = c.request()
    c.wait_until(lambda: len(c.answers[stream].content) == 3)
    c.send(h2.SETTINGS, payload=settings((h2.INITIAL_WINDOW_SIZE, 1)))  # now -2
    c.send(h2.WINDOW_UPDATE, 0, stream, U32(2))                         # now 0
    c.round_trip()
    c.round_trip()
    assert len(c.answers[stream].content) == 3
    c.generous = True
    c.send(h2.WINDOW_UPDATE, 0, stream, U32(1000))
    return stream


def too_many_streams(c):
    for _ in range(c.settings[h2.MAX_CONCURRENT_STREAMS]):
        head(c, path="/hang")
    stream = c.new_stream()
    c.send(h2.HEADERS, WHOLE, stream, c.encode(c.fields()))
    return stream


def lower_stream(c):
    c._next = 5
    head(c, path="/hang")
    c._next = 3
    head(c)


def table_sized_at_the_end(c):
    head(c, suffix=b"\x20")


def settled(*pairs):
    return raw(h2.SETTINGS, payload=settings(*pairs))


PAIR = [("x-t", "1")]
CASES = [
    # --- generic: what is right
    ("generic GET", lambda c: head(c), Fine()),
    ("generic HEAD", lambda c: head(c, method="HEAD"), Fine()),
    ("generic POST", post(b"test", [("content-length", "4")]), Fine()),
    ("generic POST without length", post(b"test", []), Fine()),
    ("generic POST with trailers", lambda c: second_head(c, PAIR, WHOLE), Fine()),
    ("generic OPTIONS *", lambda c: head(c, method="OPTIONS", path="*"), Status(404)),  # as the home sees fit
    ("generic padded DATA", on_open(h2.DATA, h2.PADDED | h2.END_STREAM, b"\x03abc\0\0\0"), Fine()),
    ("generic padded HEADERS", lambda c: head(c, flags=WHOLE | h2.PADDED, prefix=b"\x02", suffix=b"\0\0"), Fine()),
    ("generic HEADERS with priority", lambda c: head(c, flags=WHOLE | h2.WITH_PRIORITY, prefix=U32(0) + b"\x10"), Fine()),
    ("generic PRIORITY", lambda c: c.send(h2.PRIORITY, 0, 1, U32(0) + b"\x10"), Fine()),
    ("generic GOAWAY, then requests under way end", lambda c: (head(c), c.send(h2.GOAWAY, payload=U32(0) + U32(0)))[0], Status(200)),
    ("generic CONTINUATIONs", continued(5), Fine()),
    ("generic fields of every representation", lambda c: head(c, suffix=b"\x40\x03x-a\x01b" + b"\x00\x03x-b\x01b" + b"\x10\x03x-c\x01b" + b"\xbe"), Status(200)),
    ("generic table size update in front", lambda c: head(c, prefix=b"\x20\x3f\xe1\x1f"), Fine()),
    ("RFC 9218 PRIORITY_UPDATE", lambda c: (c.send(h2.PRIORITY_UPDATE, 0, 0, U32(1) + b"u=0,i"), head(c))[1], Fine()),
    ("RFC 9218 priority field", with_extra(("priority", "u=7, i")), Fine()),

    # --- RFC 9113 4: frames
    ("4.1 unknown frame type", raw(0x77, 0xff, 0, b"abc"), Fine()),
    ("4.1 undefined flags", raw(h2.PING, 0xfe, 0, b"12345678"), Fine()),
    ("4.1 reserved bit", lambda c: c.send_raw(frame(h2.PING, 0, 0x80000000, b"12345678")), Fine()),
    ("4.2 DATA of the largest size", on_open(h2.DATA, h2.END_STREAM, b"a" * 16384), Fine()),
    ("4.2 DATA too large", on_open(h2.DATA, h2.END_STREAM, b"a" * 16385), Connection(h2.FRAME_SIZE_ERROR)),
    ("4.2 HEADERS too large", lambda c: head(c, suffix=b"\x00\x03x-a\x7f\x80\x7f" + b"a" * 16400), Connection(h2.FRAME_SIZE_ERROR)),
    ("4.3 broken field block", lambda c: c.send(h2.HEADERS, WHOLE, c.new_stream(), b"\xff\xff\xff\xff\xff\xff"), Connection(h2.COMPRESSION_ERROR)),
    ("4.3 PRIORITY within a field block", lambda c: cut_head(c, frame(h2.PRIORITY, 0, 1, U32(0) + b"\x10")), Connection(PROTOCOL)),
    ("4.3 HEADERS within another's field block", lambda c: cut_head(c, frame(h2.HEADERS, WHOLE, 3, b"\x82")), Connection(PROTOCOL)),

    # --- 5: streams
    ("5.1 DATA on an idle stream", on_idle(h2.DATA, b"a"), Connection(PROTOCOL)),
    ("5.1 RST_STREAM on an idle stream", on_idle(h2.RST_STREAM, U32(8)), Connection(PROTOCOL)),
    ("5.1 WINDOW_UPDATE on an idle stream", on_idle(h2.WINDOW_UPDATE, U32(1)), Connection(PROTOCOL)),
    ("5.1 CONTINUATION on an idle stream", on_idle(h2.CONTINUATION, b"\x82", h2.END_HEADERS), Connection(PROTOCOL)),
    ("5.1 DATA on a half-closed stream", on_done(h2.DATA, h2.END_STREAM, b"a"), Connection(h2.STREAM_CLOSED)),
    ("5.1 HEADERS on a half-closed stream", on_done(h2.HEADERS, WHOLE, lambda c: c.encode(PAIR)), Connection(h2.STREAM_CLOSED)),
    ("5.1 CONTINUATION on a half-closed stream", on_done(h2.CONTINUATION, h2.END_HEADERS, b"\x82"), Connection(PROTOCOL, h2.STREAM_CLOSED)),
    ("5.1 DATA after our own RST_STREAM", after_reset(h2.DATA, h2.END_STREAM, b"a"), Fine()),  # ignored: RFC 9113 leaves that open
    ("5.1 HEADERS after our own RST_STREAM", after_reset(h2.HEADERS, WHOLE, lambda c: c.encode(c.fields())), Connection(h2.STREAM_CLOSED, PROTOCOL)),
    ("5.1 WINDOW_UPDATE after our own RST_STREAM", after_reset(h2.WINDOW_UPDATE, 0, U32(1)), Fine()),
    ("5.1 DATA on a closed stream", after_answer(h2.DATA, h2.END_STREAM, b"a"), Fine()),
    ("5.1 HEADERS on a closed stream", after_answer(h2.HEADERS, WHOLE, lambda c: c.encode(c.fields())), Connection(h2.STREAM_CLOSED, PROTOCOL)),
    ("5.1 WINDOW_UPDATE on a closed stream", after_answer(h2.WINDOW_UPDATE, 0, U32(1)), Fine()),
    ("5.1 RST_STREAM on a closed stream", after_answer(h2.RST_STREAM, 0, U32(8)), Fine()),
    ("5.1.1 an even stream", lambda c: c.send(h2.HEADERS, WHOLE, 2, c.encode(c.fields())), Connection(PROTOCOL)),
    ("5.1.1 a lower stream", lower_stream, Connection(PROTOCOL, h2.STREAM_CLOSED)),
    ("5.1.2 too many streams", too_many_streams, Connection(PROTOCOL)),
    ("5.3.1 HEADERS that depend on themselves", lambda c: head(c, flags=WHOLE | h2.WITH_PRIORITY, prefix=U32(1) + b"\x10"), Connection(PROTOCOL)),
    ("5.5 unknown frame within a field block", lambda c: cut_head(c, frame(0x77, 0, 1, b"abc")), Connection(PROTOCOL)),

    # --- 6: frame definitions
    ("6.1 DATA on stream 0", raw(h2.DATA, h2.END_STREAM, 0, b"a"), Connection(PROTOCOL)),
    ("6.1 more padding than DATA", on_open(h2.DATA, h2.PADDED | h2.END_STREAM, b"\x09abc"), Connection(PROTOCOL)),
    ("6.2 HEADERS on stream 0", lambda c: c.send(h2.HEADERS, WHOLE, 0, c.encode(c.fields())), Connection(PROTOCOL)),
    ("6.2 more padding than HEADERS", lambda c: c.send(h2.HEADERS, WHOLE | h2.PADDED, c.new_stream(), b"\xff\x82"), Connection(PROTOCOL)),
    ("6.3 PRIORITY on stream 0", raw(h2.PRIORITY, 0, 0, U32(0) + b"\x10"), Connection(PROTOCOL)),
    ("6.3 PRIORITY of 4 octets", raw(h2.PRIORITY, 0, 1, U32(0)), Connection(h2.FRAME_SIZE_ERROR)),
    ("6.4 RST_STREAM on stream 0", raw(h2.RST_STREAM, 0, 0, U32(8)), Connection(PROTOCOL)),
    ("6.4 RST_STREAM of 3 octets", on_open(h2.RST_STREAM, 0, b"\0\0\0"), Connection(h2.FRAME_SIZE_ERROR)),
    ("6.5 acknowledgement with content", raw(h2.SETTINGS, h2.ACK, 0, settings((3, 1))), Connection(h2.FRAME_SIZE_ERROR)),
    ("6.5 SETTINGS on a stream", raw(h2.SETTINGS, 0, 1, b""), Connection(PROTOCOL)),
    ("6.5 SETTINGS of 3 octets", raw(h2.SETTINGS, 0, 0, b"\0\0\0"), Connection(h2.FRAME_SIZE_ERROR)),
    ("6.5.2 ENABLE_PUSH 2", settled((h2.ENABLE_PUSH, 2)), Connection(PROTOCOL)),
    ("6.5.2 INITIAL_WINDOW_SIZE 2^31", settled((h2.INITIAL_WINDOW_SIZE, 1 << 31)), Connection(h2.FLOW_CONTROL_ERROR)),
    ("6.5.2 MAX_FRAME_SIZE 16383", settled((h2.MAX_FRAME_SIZE, 16383)), Connection(PROTOCOL)),
    ("6.5.2 MAX_FRAME_SIZE 2^24", settled((h2.MAX_FRAME_SIZE, 1 << 24)), Connection(PROTOCOL)),
    ("6.5.2 unknown setting", settled((0x7777, 7)), Fine()),
    ("6.5.3 SETTINGS acknowledged", lambda c: (c.send(h2.SETTINGS, payload=settings((h2.MAX_FRAME_SIZE, 32768))), c.wait_for(h2.SETTINGS))[0], Fine()),
    ("6.6 PUSH_PROMISE", lambda c: c.send(h2.PUSH_PROMISE, h2.END_HEADERS, 1, U32(2) + c.encode(c.fields())), Connection(PROTOCOL)),
    ("6.7 PING", lambda c: c.round_trip(), Fine()),
    ("6.7 PING on a stream", raw(h2.PING, 0, 1, b"12345678"), Connection(PROTOCOL)),
    ("6.7 PING of 6 octets", raw(h2.PING, 0, 0, b"123456"), Connection(h2.FRAME_SIZE_ERROR)),
    ("6.7 unasked acknowledgement", raw(h2.PING, h2.ACK, 0, b"12345678"), Fine()),
    ("6.8 GOAWAY on a stream", raw(h2.GOAWAY, 0, 1, U32(0) + U32(0)), Connection(PROTOCOL)),
    ("6.9 increment 0 of the connection", raw(h2.WINDOW_UPDATE, 0, 0, U32(0)), Connection(PROTOCOL)),
    ("6.9 increment 0 of a stream", on_open(h2.WINDOW_UPDATE, 0, U32(0)), Connection(PROTOCOL)),
    ("6.9 WINDOW_UPDATE of 3 octets", raw(h2.WINDOW_UPDATE, 0, 0, b"\0\0\1"), Connection(h2.FRAME_SIZE_ERROR)),
    ("6.9.1 overflow of the connection's window", raw(h2.WINDOW_UPDATE, 0, 0, U32(0x7fffffff)), Connection(h2.FLOW_CONTROL_ERROR)),
    ("6.9.1 overflow of a stream's window", on_open(h2.WINDOW_UPDATE, 0, U32(0x7fffffff)), Stream(h2.FLOW_CONTROL_ERROR)),
    ("6.9.1 a window of one octet", one_octet_window, Fine()),
    ("6.9.2 a window below 0", negative_window, Fine()),
    ("6.10 CONTINUATION on stream 0", raw(h2.CONTINUATION, h2.END_HEADERS, 0, b"\x82"), Connection(PROTOCOL)),
    ("6.10 CONTINUATION behind complete HEADERS", lambda c: c.send(h2.CONTINUATION, h2.END_HEADERS, head(c, path="/hang"), b"\x82"), Connection(PROTOCOL)),
    ("6.10 CONTINUATION behind a complete CONTINUATION",
     lambda c: cut_head(c, lambda s, rest: frame(h2.CONTINUATION, h2.END_HEADERS, s, rest) * 2), Connection(PROTOCOL)),
    ("6.10 DATA before CONTINUATION", lambda c: cut_head(c, frame(h2.DATA, h2.END_STREAM, 1, b"a")), Connection(PROTOCOL)),

    # --- 7: error codes
    ("7 RST_STREAM with an unknown code", on_open(h2.RST_STREAM, 0, U32(0xff)), None),

    # --- 8: HTTP
    ("8.1 second HEADERS without END_STREAM", lambda c: second_head(c, PAIR, h2.END_HEADERS), Stream(PROTOCOL)),
    ("8.2 name in upper case", with_extra(("X-A", "1")), Stream(PROTOCOL)),
    ("8.2.1 name with a space", with_extra(("x a", "1")), Stream(PROTOCOL)),
    ("8.2.1 name with a colon", with_extra(("x:a", "1")), Stream(PROTOCOL)),
    ("8.2.1 empty name", with_extra(("", "1")), Stream(PROTOCOL)),
    ("8.2.1 name with CR LF", with_extra(("x-a\r\nx-b", "1")), Stream(PROTOCOL)),
    ("8.2.1 value with CR LF", with_extra(("x-a", "1\r\nx-b: 2")), Stream(PROTOCOL)),
    ("8.2.1 value with LF", with_extra(("x-a", "1\nx-b: 2")), Stream(PROTOCOL)),
    ("8.2.1 value with NUL", with_extra(("x-a", "1\x002")), Stream(PROTOCOL)),
    ("8.2.1 value that begins with a space", with_extra(("x-a", " 1")), Stream(PROTOCOL)),
    ("8.2.2 connection", with_extra(("connection", "x-a"), ("x-a", "1")), Stream(PROTOCOL)),
    ("8.2.2 keep-alive", with_extra(("keep-alive", "timeout=5")), Stream(PROTOCOL)),
    ("8.2.2 proxy-connection", with_extra(("proxy-connection", "close")), Stream(PROTOCOL)),
    ("8.2.2 transfer-encoding", with_extra(("transfer-encoding", "chunked")), Stream(PROTOCOL)),
    ("8.2.2 upgrade", with_extra(("upgrade", "websocket")), Stream(PROTOCOL)),
    ("8.2.2 te that is not trailers", with_extra(("te", "trailers, deflate;q=0.5")), Stream(PROTOCOL)),
    ("8.2.2 te that is trailers", with_extra(("te", "trailers")), Fine()),
    ("8.3 unknown pseudo-field", lambda c: head(c, [(":x", "1"), *c.fields()]), Stream(PROTOCOL)),
    ("8.3 pseudo-field of answers", lambda c: head(c, [(":status", "200"), *c.fields()]), Stream(PROTOCOL)),
    ("8.3 pseudo-field in trailers", lambda c: second_head(c, [(":method", "GET")], WHOLE), Stream(PROTOCOL)),
    ("8.3 pseudo-field behind a field", lambda c: head(c, [*c.fields()[:3], ("x-a", "1"), *c.fields()[3:]]), Stream(PROTOCOL)),
    ("8.3.1 empty :path", lambda c: head(c, path=""), Stream(PROTOCOL)),
    ("8.3.1 no :method", without(":method"), Stream(PROTOCOL)),
    ("8.3.1 no :scheme", without(":scheme"), Stream(PROTOCOL)),
    ("8.3.1 no :path", without(":path"), Stream(PROTOCOL)),
    ("8.3.1 two :method", lambda c: head(c, [(":method", "GET"), *c.fields()]), Stream(PROTOCOL)),
    ("8.3.1 two :scheme", lambda c: head(c, [(":scheme", "https"), *c.fields()]), Stream(PROTOCOL)),
    ("8.3.1 two :path", lambda c: head(c, [(":path", "/"), *c.fields()]), Stream(PROTOCOL)),
    ("8.3.1 two :authority", lambda c: head(c, [(":authority", "home.example.test"), *c.fields()]), Stream(PROTOCOL)),
    ("8.3.1 no authority at all", without(":authority"), Stream(PROTOCOL)),
    ("8.1.1 content-length below the content", post(b"test", [("content-length", "3")]), Stream(PROTOCOL)),
    ("8.1.1 content-length above the content", post(b"test", [("content-length", "5")]), Stream(PROTOCOL)),
    ("8.1.1 content-length of several DATA", post(b"test", [("content-length", "9")], pieces=2), Stream(PROTOCOL)),
    ("8.1.1 content-length without content", lambda c: head(c, method="POST", extra=[("content-length", "1")]), Stream(PROTOCOL)),
    ("8.1.1 content-length twice", with_extra(("content-length", "0"), ("content-length", "0")), Stream(PROTOCOL)),
    ("8.1.1 content-length with a sign", with_extra(("content-length", "+0")), Stream(PROTOCOL)),
    ("8.5 CONNECT with a path", lambda c: head(c, method="CONNECT"), Stream(PROTOCOL)),

    # --- RFC 7541: HPACK
    ("HPACK 2.3.3 index beyond the tables", lambda c: c.send(h2.HEADERS, WHOLE, c.new_stream(), b"\xff\x7f"), Connection(h2.COMPRESSION_ERROR)),
    ("HPACK 4.2 table size update at the end", table_sized_at_the_end, Connection(h2.COMPRESSION_ERROR)),
    ("HPACK 5.2 padding of a whole octet", lambda c: head(c, suffix=b"\x00\x03x-a\x82\x07\xff"), Connection(h2.COMPRESSION_ERROR)),
    ("HPACK 5.2 padding of zeroes", lambda c: head(c, suffix=b"\x00\x03x-a\x81\x00"), Connection(h2.COMPRESSION_ERROR)),
    ("HPACK 5.2 EOS", lambda c: head(c, suffix=b"\x00\x03x-a\x84\xff\xff\xff\xff"), Connection(h2.COMPRESSION_ERROR)),
    ("HPACK 6.1 index 0", lambda c: c.send(h2.HEADERS, WHOLE, c.new_stream(), b"\x80"), Connection(h2.COMPRESSION_ERROR)),
    ("HPACK 6.3 table larger than allowed", lambda c: head(c, prefix=b"\x3f\xe2\x1f"), Connection(h2.COMPRESSION_ERROR)),
    ("HPACK 5.1 an endless number", lambda c: c.send(h2.HEADERS, WHOLE, c.new_stream(), b"\xff" + b"\x80" * 40), Connection(h2.COMPRESSION_ERROR)),
]


@pytest.fixture
def tunnel(world):
    # Hanging requests must not use up what further ones need.
    return world.tunnel(world.origin(HomeApp()), agent_config={"concurrency_limit": 1000})


def judge(tunnel, say, expected):
    with h2.Http2Client(tunnel.relay.port, tunnel.hostname, tunnel.trust) as c:
        stream = None
        try:
            stream = say(c)
        except OSError:
            pass  # the relay has cut already while we still spoke
        if expected is None:
            return Fine().judge(c, None)
        return expected.judge(c, stream)


@pytest.mark.sanitize
def test_frames_right_and_wrong(tunnel):
    failures = {}
    for what, say, expected in CASES:
        try:
            if problem := judge(tunnel, say, expected):
                failures[what] = problem
        except AssertionError as error:
            failures[what] = repr(error)
    assert not failures, "\n".join(f"{what}: {problem}" for what, problem in failures.items())


@pytest.mark.parametrize("preface", [b"INVALID PREFACE\r\n\r\n" * 2, h2.PREFACE + frame(h2.PING, payload=b"12345678"), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_a_wrong_preface_ends_the_connection(tunnel, preface):
    with h2.Http2Client(tunnel.relay.port, tunnel.hostname, tunnel.trust, start=False) as c:
        c.send_raw(preface)
        assert c.read_to_end() in (None, h2.PROTOCOL_ERROR)
