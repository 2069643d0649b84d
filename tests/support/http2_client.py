"""An HTTP/2 visitor that says exactly the frames a test wants said (RFC 9113), right or wrong, and reads what comes back."""
import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass, field

import hpack

from support.processes import DEADLINE_S
from support.visitor import client_context

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PRIORITY_UPDATE = 0x10
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, WITH_PRIORITY = 0x4, 0x8, 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, \
    CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(12)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8
NO_RFC7540_PRIORITIES = 9


@dataclass
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def error(self):
        """Of RST_STREAM and GOAWAY."""
        return struct.unpack(">I", self.payload[:4] if self.kind == RST_STREAM else self.payload[4:8])[0]


@dataclass
class Answer:
    """What has come on one stream."""
    heads: list = field(default_factory=list)  # each a list of (name, value); interim ones and trailers too
    content: bytes = b""
    ended: bool = False
    reset: int | None = None

    @property
    def status(self):
        return next((int(head[0][1]) for head in self.heads if not head[0][1].startswith("1")), None)

    @property
    def interim(self):
        return [int(head[0][1]) for head in self.heads if head[0][0] == ":status" and head[0][1].startswith("1")]

    @property
    def head(self):
        return next((head for head in self.heads if head[0][0] == ":status" and not head[0][1].startswith("1")), None)

    @property
    def trailers(self):
        return self.heads[-1] if self.heads and self.heads[-1][0][0] != ":status" else []

    def value(self, name):
        return next((value for key, value in self.head if key == name), None)


class Closed(AssertionError):
    """The relay has ended the connection."""


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def settings(*pairs):
    return b"".join(struct.pack(">HI", key, value) for key, value in pairs)


class Http2Client:
    """One connection. Answers nothing by itself but SETTINGS and PING, and gives credit only if `generous`."""

    def __init__(self, port, hostname="home.example.test", trust=None, host="127.0.0.1", first_settings=(), generous=True, start=True,
                 receive_buffer=None):
        self.hostname = hostname
        self.authority = hostname
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(DEADLINE_S)
        raw.connect((host, port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = client_context(trust, ("h2",)).wrap_socket(raw, server_hostname=hostname)
        assert self.socket.selected_alpn_protocol() == "h2"
        self._data = bytearray()
        self._encoder, self._decoder = hpack.Encoder(), hpack.Decoder()
        self._decoder.max_header_list_size = 1 << 20
        self._next = 1
        self._block = b""
        self.generous = generous
        self.answers = {}  # Answer by stream
        self.settings = {}  # the relay's
        self.goaway = None  # its last GOAWAY
        self.goaways = []
        if start:
            self.start(*first_settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()

    # --- saying ---

    def start(self, *first_settings):
        self.send_raw(PREFACE + frame(SETTINGS, payload=settings(*first_settings)))
        self.wait_until(lambda: self.settings)

    def send_raw(self, octets):
        self.socket.sendall(octets)

    def send(self, kind, flags=0, stream=0, payload=b""):
        self.send_raw(frame(kind, flags, stream, payload))

    def encode(self, fields):
        return self._encoder.encode(fields)

    def fields(self, method="GET", path="/", authority=None, extra=()):
        return [(":method", method), (":scheme", "https"), (":authority", authority or self.authority), (":path", path), *extra]

    def new_stream(self):
        stream = self._next
        self._next += 2
        self.answers[stream] = Answer()
        return stream

    def request(self, method="GET", path="/", extra=(), content=None, authority=None, end=True, fields=None):
        """Sends a request and says on which stream; content within the first windows only."""
        stream = self.new_stream()
        block = self.encode(self.fields(method, path, authority, extra) if fields is None else fields)
        self.send_head(stream, block, END_STREAM if end and content is None else 0)
        if content is not None:
            for at in range(0, max(len(content), 1), 16384):
                last = at + 16384 >= len(content)
                self.send(DATA, END_STREAM if last and end else 0, stream, content[at:at + 16384])
        return stream

    def send_head(self, stream, block, flags=0):
        """HEADERS, and as many CONTINUATIONs as frames of 16 KiB make of the block."""
        pieces = [block[at:at + 16384] for at in range(0, len(block), 16384)]
        for n, piece in enumerate(pieces):
            last = END_HEADERS if n + 1 == len(pieces) else 0
            self.send(CONTINUATION if n else HEADERS, last | (0 if n else flags), stream, piece)

    def ask(self, *arguments, **options):
        return self.answer(self.request(*arguments, **options))

    # --- reading ---

    def _read(self, octets):
        while len(self._data) < octets:
            try:
                data = self.socket.recv(1 << 18)
            except TimeoutError as error:
                raise AssertionError("the relay says nothing more") from error
            except (ConnectionError, ssl.SSLError) as error:
                raise Closed(f"cut: {error}") from error
            if not data:
                raise Closed("closed")
            self._data += data
        found = bytes(self._data[:octets])
        del self._data[:octets]
        return found

    def read_frame(self):
        """The next frame; what it says is noted, and SETTINGS and PING are answered."""
        header = self._read(9)
        length = int.from_bytes(header[:3], "big")
        got = Frame(header[3], header[4], int.from_bytes(header[5:], "big") & 0x7fffffff, self._read(length))
        self._note(got)
        return got

    def _note(self, got):
        answer = self.answers.get(got.stream)
        if got.kind == SETTINGS and not got.flags & ACK:
            self.settings |= dict(struct.unpack_from(">HI", got.payload, at) for at in range(0, len(got.payload), 6))
            self._say_if_possible(SETTINGS, ACK)
        elif got.kind == PING and not got.flags & ACK:
            self._say_if_possible(PING, ACK, 0, got.payload)
        elif got.kind == GOAWAY:
            self.goaway = got
            self.goaways.append(got)
        elif got.kind == RST_STREAM and answer:
            answer.reset = got.error
        elif got.kind in (HEADERS, CONTINUATION):
            self._block += got.payload
            if got.flags & END_HEADERS:
                head = self._decoder.decode(self._block)
                self._block = b""
                if answer:
                    answer.heads.append(head)
            if got.kind == HEADERS and answer and got.flags & END_STREAM:
                answer.ended = True
        elif got.kind == DATA and answer:
            answer.content += got.payload
            answer.ended = bool(got.flags & END_STREAM)
            if self.generous and got.payload:
                credit = struct.pack(">I", len(got.payload))
                self._say_if_possible(WINDOW_UPDATE, 0, 0, credit)
                if not answer.ended:
                    self._say_if_possible(WINDOW_UPDATE, 0, got.stream, credit)

    def _say_if_possible(self, *what):
        with contextlib.suppress(OSError):
            self.send(*what)

    def wait_until(self, done):
        while not done():
            self.read_frame()

    def wait_for(self, kind, stream=None):
        while True:
            got = self.read_frame()
            if got.kind == kind and stream in (None, got.stream):
                return got

    def answer(self, stream):
        """The whole answer on a stream, or how far it came before a reset."""
        answer = self.answers[stream]
        self.wait_until(lambda: answer.ended or answer.reset is not None)
        return answer

    def round_trip(self):
        """All that was sent so far has been looked at."""
        mark = struct.pack(">Q", self._next)
        self.send(PING, 0, 0, mark)
        while True:
            got = self.read_frame()
            if got.kind == PING and got.flags & ACK and got.payload == mark:
                return

    def read_to_end(self):
        """Until the relay has closed; the code of its GOAWAY, or None."""
        with contextlib.suppress(Closed):
            while True:
                self.read_frame()
        return self.goaway.error if self.goaway else None
