"""Visitors: a raw TLS socket that says exactly what a test wants said, and curl as people use it."""
import contextlib
import socket
import ssl
import subprocess
from dataclasses import dataclass, field

from support.origins import reset
from support.processes import DEADLINE_S


class ConnectionEnded(AssertionError):
    """The relay closed before the message was complete."""


@dataclass
class Response:
    status: int
    reason: str
    fields: list  # (name, value) in order of arrival
    content: bytes = b""
    trailers: list = field(default_factory=list)
    informational: list = field(default_factory=list)  # statuses of the 1xx answers before it

    def value(self, name, default=None):
        return next((value for key, value in self.fields if key.lower() == name.lower()), default)

    def values(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]


class Visitor:
    """One connection. `trust` is a CA file; None looks at no certificate (where that is not what the test is about)."""

    def __init__(self, port, hostname="home.example.test", trust=None, host="127.0.0.1", alpn=("http/1.1",), receive_buffer=None, tls=True, source=None):
        self.hostname = hostname
        self._data = bytearray()  # received, not yet asked for
        raw = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(DEADLINE_S)
        if source:
            raw.bind((source, 0))  # another address of 127.0.0.0/8: another visitor
        raw.connect((host, port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = raw
        if tls:
            self.socket = client_context(trust, alpn).wrap_socket(raw, server_hostname=hostname)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode("latin-1"))

    def request(self, method="GET", path="/", content=None, host=None, **fields):
        """Sends one request; underscores in field names stand for hyphens."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or self.hostname}"]
        if content is not None:
            lines.append(f"Content-Length: {len(content)}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        self.send("\r\n".join(lines) + "\r\n\r\n")
        if content:
            self.send(content)

    def ask(self, method="GET", path="/", content=None, host=None, **fields):
        self.request(method, path, content, host, **fields)
        return self.read_response(head=method == "HEAD")

    # --- reading ---

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            raise ConnectionEnded(f"cut: {error}; before it came {bytes(self._data[:200])!r}") from error
        if not data:
            raise ConnectionEnded(f"closed; before it came {bytes(self._data[:200])!r}")
        self._data += data

    def read_until(self, mark):
        looked_at = 0
        while (at := self._data.find(mark, looked_at)) < 0:
            looked_at = max(0, len(self._data) - len(mark) + 1)
            self._more()
        found = self._take(at)
        del self._data[:len(mark)]
        return found

    def _take(self, octets):
        found = bytes(self._data[:octets])
        del self._data[:octets]
        return found

    def read_exactly(self, octets):
        while len(self._data) < octets:
            self._more()
        return self._take(octets)

    def put_back(self, octets):
        self._data[:0] = octets

    def read_some(self):
        if not self._data:
            self._more()
        return self._take(len(self._data))

    def read_to_end(self):
        """All until an orderly close; a cut raises ConnectionEnded."""
        while True:
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError) as error:
                raise ConnectionEnded(str(error)) from error
            if not data:
                return self._take(len(self._data))
            self._data += data

    def read_head(self):
        """Status line and fields of the next answer, 1xx included."""
        lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, *reason = lines[0].split(" ", 2)
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise AssertionError(f"no status line: {lines[0]!r}")
        return Response(int(status), reason[0] if reason else "", [_field(line) for line in lines[1:]])

    def read_response(self, head=False):
        """The next final answer, whole."""
        informational = []
        response = self.read_head()
        while 100 <= response.status < 200 and response.status != 101:
            informational.append(response.status)
            response = self.read_head()
        response.informational = informational
        if not head and response.status not in (101, 204, 304):
            self.read_content(response)
        return response

    def read_content(self, response):
        if "chunked" in response.value("Transfer-Encoding", "").lower():
            chunks = []
            while octets := int(self.read_until(b"\r\n").split(b";")[0], 16):
                chunks.append(self.read_exactly(octets))
                assert self.read_exactly(2) == b"\r\n"
            response.content = b"".join(chunks)
            while line := self.read_until(b"\r\n"):
                response.trailers.append(_field(line.decode("latin-1")))
        elif (length := response.value("Content-Length")) is not None:
            response.content = self.read_exactly(int(length))
        else:
            response.content = self.read_to_end()

    # --- leaving ---

    def is_closed_by_peer(self):
        """Waits for the relay to end the connection, whichever way."""
        try:
            while True:
                if not self.socket.recv(65536):
                    return True
        except (ConnectionError, ssl.SSLError):
            return True
        except TimeoutError:
            return False

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()

    def reset(self):
        """Leaves as a crashed client or a dead network does."""
        plain = self.socket
        if isinstance(plain, ssl.SSLSocket):
            plain = socket.socket(fileno=plain.detach())
        reset(plain)


def _field(line):
    name, _, value = line.partition(":")
    return name, value.strip()


def client_context(trust=None, alpn=("http/1.1",)):
    if trust is None:  # not create_default_context(), which would read all the system's authorities: 20 ms each time
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cafile=trust)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


@dataclass
class CurlResult:
    code: int  # curl's exit code
    status: int
    http_version: str
    content: bytes
    error: str
    connects: int  # made for the last of the URLs


def curl(port, trust, path="/", *options, hostname="home.example.test", deadline_s=60):
    """Runs curl against https://hostname:port/path. It reads no .curlrc and trusts only `trust`."""
    done = subprocess.run(
        ["curl", "-q", "--silent", "--show-error", "--http1.1", "--path-as-is", "--max-time", str(deadline_s), "--cacert", str(trust),
         "--resolve", f"{hostname}:{port}:127.0.0.1", "--write-out", "%{stderr}\n%{http_code} %{http_version} %{num_connects}",
         *map(str, options), f"https://{hostname}:{port}{path}"],
        capture_output=True, timeout=deadline_s + 10)
    error, _, summary = done.stderr.decode(errors="replace").rpartition("\n")
    status, version, connects = summary.split()
    return CurlResult(done.returncode, int(status), version, done.stdout, error.strip(), int(connects))
