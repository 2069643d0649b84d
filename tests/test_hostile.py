"""Attacks of visitors and of homes on the real programs, beyond test_http1_strict.py, test_errors.py and test_http2_hostile.py. Each
ends with a good visitor served. docs/threat-model.md names the test of each."""
import contextlib
import json
import resource
import socket
import ssl
import subprocess
import threading
import time

import pytest

from conftest import HOSTNAME, UNDER_SANITIZER
from support import http2_client as h2
from support.home_app import HomeApp
from support.origins import read_head
from support.processes import DEADLINE_S, wait_until
from support.visitor import ConnectionEnded, Visitor, client_context

HOST = f"Host: {HOSTNAME}\r\n"
SMUGGLED = f"GET /smuggled HTTP/1.1\r\n{HOST}\r\n"


@pytest.fixture
def home(world):
    return world.origin(HomeApp())


@pytest.fixture
def tunnel(world, home):
    return world.tunnel(home)


def fields_of_echo(response):
    return [(name.lower(), value) for name, value in json.loads(response.content)["headers"]]


# ---- requests: framing

# Refused before anything of them reaches the home.
REFUSED = {
    "a negative length": f"POST / HTTP/1.1\r\n{HOST}Content-Length: -1\r\n\r\n{SMUGGLED}",
    "a length that overflows 64 bits": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 18446744073709551621\r\n\r\nhello{SMUGGLED}",
    "a length with a space in it": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 5 0\r\n\r\nhello{SMUGGLED}",
    "an empty length": f"POST / HTTP/1.1\r\n{HOST}Content-Length:\r\n\r\n{SMUGGLED}",
    "a length, then a coding": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a coding, then a length": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\nContent-Length: 44\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a coding on HTTP/1.0": f"POST / HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "identity": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: identity\r\n\r\n{SMUGGLED}",
    "gzip before chunked": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a coding with a parameter": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a coding in quotes": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a coding with a NUL": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "an empty coding": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding:\r\n\r\n{SMUGGLED}",
    "a tab before the colon": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a name with a space": f"GET / HTTP/1.1\r\n{HOST}X Forwarded-For: 6.6.6.6\r\n\r\n{SMUGGLED}",
    "a first field that is folded": f"GET / HTTP/1.1\r\n X: a\r\n{HOST}\r\n{SMUGGLED}",
    "a field folded by a tab": f"GET / HTTP/1.1\r\n{HOST}X: a\r\n\tb\r\n\r\n{SMUGGLED}",
    "a line without colon": f"GET / HTTP/1.1\r\n{HOST}Transfer-Encoding\r\n\r\n{SMUGGLED}",
    "one bare LF": f"GET / HTTP/1.1\r\n{HOST}X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "LF CR": f"GET / HTTP/1.1\r\n{HOST}X: a\n\rY: b\r\n\r\n{SMUGGLED}",
    "an empty line of LF": f"GET / HTTP/1.1\r\n{HOST}\n{SMUGGLED}\r\n\r\n",
    "a NUL in the target": f"GET /\0 HTTP/1.1\r\n{HOST}\r\n{SMUGGLED}",
    "a NUL in a name": f"GET / HTTP/1.1\r\n{HOST}X\0: a\r\n\r\n{SMUGGLED}",
    "two targets": f"GET / /smuggled HTTP/1.1\r\n{HOST}\r\n{SMUGGLED}",
    "two spaces": f"GET  / HTTP/1.1\r\n{HOST}\r\n{SMUGGLED}",
    "HTTP/0.9": "GET /smuggled\r\n\r\n",
    "an absolute form with another host": f"GET http://{HOSTNAME}.evil.test/ HTTP/1.1\r\n{HOST}\r\n{SMUGGLED}",
    "an absolute form with a user": f"GET https://evil@{HOSTNAME}/ HTTP/1.1\r\n{HOST}\r\n{SMUGGLED}",
    "an absolute form of another scheme": f"GET ftp://{HOSTNAME}/ HTTP/1.1\r\n{HOST}\r\n{SMUGGLED}",
    "an asterisk to GET": f"GET * HTTP/1.1\r\n{HOST}\r\n{SMUGGLED}",
    "an authority as target": f"GET {HOSTNAME}:443 HTTP/1.1\r\n{HOST}\r\n{SMUGGLED}",
    "a path without slash": f"GET smuggled HTTP/1.1\r\n{HOST}\r\n{SMUGGLED}",
    "two equal hosts apart": f"GET / HTTP/1.1\r\n{HOST}X: a\r\nhost: {HOSTNAME}\r\n\r\n{SMUGGLED}",
    "an empty host": f"GET / HTTP/1.1\r\nHost:\r\n\r\n{SMUGGLED}",
    "a host with a path": f"GET / HTTP/1.1\r\nHost: {HOSTNAME}/smuggled\r\n\r\n{SMUGGLED}",
    "a host with a space": f"GET / HTTP/1.1\r\nHost: {HOSTNAME} x\r\n\r\n{SMUGGLED}",
    "a host with no port": f"GET / HTTP/1.1\r\nHost: {HOSTNAME}:x\r\n\r\n{SMUGGLED}",
}


@pytest.mark.sanitize
def test_framing_tricks_are_refused(tunnel, home):
    for what, request in REFUSED.items():
        with tunnel.visitor() as visitor:
            visitor.send(request)
            response = visitor.read_response()
            assert response.status in (400, 404, 421, 501, 505), f"{what}: {response.status}"
            assert visitor.is_closed_by_peer(), f"{what}: the connection went on"
    assert not home.requests.all()
    assert tunnel.ask().status == 200


CARRIER = (f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n"
           "5;smuggled=\"GET /smuggled\"\r\nhello\r\n0;smuggled\r\n")


@pytest.mark.sanitize
def test_chunk_extensions_and_trailers_carry_nothing(world):
    seen = []

    def record(connection):
        data = b""
        while not (b"\r\n0\r\n" in data and data.endswith(b"\r\n\r\n")):
            data += connection.recv(65536) or pytest.fail(f"only {data!r}")
        seen.append(data)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    tunnel = world.tunnel(world.raw_origin(record))
    with tunnel.visitor() as visitor:
        visitor.send(CARRIER + "X-Forwarded-For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nRemote-User: smuggled\r\nX-Checksum: 1\r\n\r\n")
        assert visitor.read_response().status == 200
    for name in ("Content-Length", "Transfer-Encoding", "Host", "Connection", "Authorization", "Cookie", "Trailer", "Upgrade", "TE"):
        with tunnel.visitor() as visitor:
            visitor.send(CARRIER + f"{name}: smuggled\r\n\r\n")
            try:
                assert visitor.read_response().status in (200, 400)
            except ConnectionEnded:
                pass
    assert b"X-Checksum: 1" in seen[0], "a trailer that does no harm passes"
    for data in seen:
        assert b"smuggled" not in data and b"6.6.6.6" not in data and data.count(b"HTTP/1.1") == 1 and b"hello" in data, data


def test_pipelined_requests_are_answered_in_their_order(tunnel):
    with tunnel.visitor() as visitor:
        visitor.send("".join(f"POST /n{n} HTTP/1.1\r\n{HOST}Content-Length: 2\r\n\r\nhi" for n in range(20)))
        for n in range(20):
            assert json.loads(visitor.read_response().content)["target"] == f"/n{n}"


# ---- octets behind an Upgrade

UPGRADE = f"GET /ws HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: %s\r\n%s\r\n"
WEBSOCKET = UPGRADE % ("websocket", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
EARLY = {
    "websocket refused": (WEBSOCKET, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    "websocket answered 200": (WEBSOCKET, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "websocket answered with another protocol": (WEBSOCKET, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    "websocket answered 101 without Upgrade": (WEBSOCKET, b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "websocket of a version that is refused": (WEBSOCKET.replace("Version: 13", "Version: 1337"), b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n"),
    "h2c": (UPGRADE % ("h2c", "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"), b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    "another protocol": (UPGRADE % ("raw", ""), b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n"),
    "TLS": (UPGRADE % ("TLS/1.3", ""), b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: TLS/1.3\r\n\r\n"),
}


@pytest.mark.sanitize
def test_octets_behind_an_upgrade_pass_no_rule(world):
    """What follows an Upgrade that does not happen is one more request, judged like any other, and never raw octets."""
    received, answer = [], [b""]

    def refuse(connection):
        while data := connection.recv(65536):
            received.append(data)
            if b"\r\n\r\n" in data:
                connection.sendall(answer[0])

    tunnel = world.tunnel(world.raw_origin(refuse))
    tunnel.relay.admin("route", "set", HOSTNAME, "--deny-path", "/smuggled")
    for what, (request, answer[0]) in EARLY.items():
        with tunnel.visitor() as visitor:
            visitor.send(request + SMUGGLED + f"GET /smuggled HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
            assert visitor.read_head().status != 101, what
            assert visitor.is_closed_by_peer(), f"{what}: the last request was not heard as one"
        assert b"/smuggled" not in b"".join(received), f"{what}: {received}"
        assert b"h2c" not in b"".join(received).lower(), "what would lead past the relay's eyes is not asked for"


# ---- forged fields

FORGED = [
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-User", "X-Forwarded-Prefix", "Forwarded", "X-Real-IP",
    "Remote-User", "Remote-Groups", "X-Remote-User", "X-Remote-User-Id", "X-Remote-User-Name", "X-Ingress-Path", "X-Hass-Source", "X-Hass-User-ID", "X-Hass-Is-Admin",
    "X-Supervisor-Token", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "X-Original-URL", "X-Rewrite-URL", "Proxy", "X-Auth-Request-User", "Sallyport-Secret",
]
OURS = {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https", "x-forwarded-host": HOSTNAME}


def variants(name):
    """As gateways that speak CGI or WSGI would take for the same name."""
    found = {name, name.lower(), name.upper(), name.swapcase(), name.replace("-", "_"), name.replace("-", "_", 1).lower(), name.upper().replace("-", "_")}
    return sorted(found)


def judge_fields(fields):
    got = [(name.lower().replace("_", "-"), value) for name, value in fields]
    assert "forged" not in json.dumps(got), got
    forged = {name.lower() for name in FORGED}
    kept = [(name, value) for name, value in got if name in forged]
    assert sorted(kept) == sorted(OURS.items())


@pytest.mark.sanitize
def test_forged_fields_over_http1(tunnel):
    tunnel.relay.admin("route", "set", HOSTNAME, "--forward-client-ip", "always")
    for name in FORGED:
        with tunnel.visitor() as visitor:
            lines = "".join(f"{variant}: forged\r\n" for variant in variants(name))
            visitor.send(f"GET /x HTTP/1.1\r\n{HOST}{lines}{name}:forged\r\nX-Kept: 1\r\n\r\n")
            fields = fields_of_echo(visitor.read_response())
            assert ("x-kept", "1") in fields
            judge_fields(fields)


@pytest.mark.sanitize
def test_forged_fields_over_http2(tunnel):
    tunnel.relay.admin("route", "set", HOSTNAME, "--forward-client-ip", "always")
    with h2.Http2Client(tunnel.relay.port, tunnel.hostname, tunnel.trust) as c:
        for name in FORGED:
            extra = [(variant, "forged") for variant in sorted({name.lower(), name.lower().replace("-", "_"), name.lower().replace("-", "_", 1)})]
            answer = c.ask(path="/x", extra=[*extra, ("x-kept", "1")])
            assert answer.status == 200
            fields = [(key.lower(), value) for key, value in json.loads(answer.content)["headers"]]
            assert ("x-kept", "1") in fields
            judge_fields(fields)


def test_nominated_fields_take_nothing_of_ours_away(tunnel):
    """Connection names what ends at this hop; it can't make the home see no forwarded address, no Host and no length."""
    tunnel.relay.admin("route", "set", HOSTNAME, "--forward-client-ip", "always")
    with tunnel.visitor() as visitor:
        visitor.send(f"POST /x HTTP/1.1\r\n{HOST}Connection: X-Forwarded-For, x-forwarded-host, Host, Content-Length, Transfer-Encoding\r\nContent-Length: 5\r\n\r\nhello")
        seen = json.loads(visitor.read_response().content)
    assert seen["octets"] == 5
    judge_fields(seen["headers"])
    assert ("host", HOSTNAME) in [(name.lower(), value) for name, value in seen["headers"]]


# ---- homes that answer nonsense

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
NONSENSE = {
    "a second answer": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + POISON,
    "a second answer behind chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + POISON,
    "content behind 204": b"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n" + POISON,
    "content behind 304": b"HTTP/1.1 304 Not Modified\r\n\r\n" + POISON,
    "an answer, half": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + POISON,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\nok" + POISON,
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok" + POISON,
    "a length that overflows": b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nok" + POISON,
    "a broken chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n" + POISON,
    "a chunk longer than said": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n" + POISON,
    "a chunk's length that overflows": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\nok\r\n0\r\n\r\n" + POISON,
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok" + POISON,
    "a folded field": b"HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 2\r\n\r\n" + POISON,
    "CR in a field": b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: poison\r\nContent-Length: 0\r\n\r\n",
    "101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + POISON,
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + POISON,
    "an answer that nobody asked for first": POISON[:20] + b"\0" + POISON,
    "HTTP/2": h2.frame(h2.SETTINGS) + POISON,
    "a trailer section without end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: poison\r\n" * 20_000,
}


@pytest.mark.sanitize
def test_nonsense_of_a_home_poisons_nobody(world):
    """/good is answered well and kept alive; any other path with nonsense, after which the connection stays open."""
    nonsense = [b""]

    def converse(connection):
        while True:
            head, _ = read_head(connection)
            if not head:
                return
            good = head.startswith(b"GET /good ")
            connection.sendall(GOOD if good else nonsense[0])
            if not good and nonsense[0] and b"half" in head:
                return

    tunnel = world.tunnel(world.raw_origin(converse))
    with tunnel.visitor() as bystander:
        assert bystander.ask(path="/good").content == b"good"
        for what, nonsense[0] in NONSENSE.items():
            with tunnel.visitor() as visitor:
                assert visitor.ask(path="/good").content == b"good", what  # so that the nonsense comes on a kept stream
                for path in (("/half",) if "half" in what else ("/bad", "/good", "/good")):
                    try:
                        response = visitor.ask(path=path)
                    except ConnectionEnded:
                        break  # cut: an error too
                    assert b"poison" not in response.content and "poison" not in str(response.fields), f"{what}: {response}"
                    assert response.status != 101, what
                    if path == "/good":
                        assert (response.status, response.content) in ((200, b"good"), (502, response.content)), f"{what}: {response}"
            assert bystander.ask(path="/good").content == b"good", f"{what}: another visitor's answer"
            with tunnel.visitor() as newcomer:
                assert newcomer.ask(path="/good").content == b"good", what


# ---- slow peers

HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)  # the beginning of a ClientHello of 512 octets


@contextlib.contextmanager
def descriptors(wanted):
    """How many sockets a test may open: this process's limit is raised as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        yield min(wanted, hard - 500)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Resuming:
    """Visitors who share one TLS session: many are quickly there."""

    def __init__(self, tunnel):
        self._tunnel, self._context = tunnel, client_context(tunnel.trust)
        with self.connect("127.0.0.1", None) as first:
            first.sendall(f"GET / HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode())
            while first.recv(65536):
                pass
            self._session = first.session

    def connect(self, source, session="ours"):
        raw = socket.socket()
        raw.settimeout(DEADLINE_S)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.bind((source, 0))
        raw.connect(("127.0.0.1", self._tunnel.relay.port))
        return self._context.wrap_socket(raw, server_hostname=self._tunnel.hostname, session=self._session if session else None)


SLOW = {
    "slow headers": f"GET / HTTP/1.1\r\n{HOST}X: ",
    "slow bodies": f"POST /hash HTTP/1.1\r\n{HOST}Content-Length: 1000000\r\n\r\nx",
    "slow readers": f"GET /content/3000000 HTTP/1.1\r\n{HOST}\r\n",
}


@pytest.mark.timeout(300)
@pytest.mark.skipif(UNDER_SANITIZER, reason="it is about numbers")
def test_ten_thousand_slow_peers_keep_nobody_waiting(world, home):
    """With the limits as they come; the attackers are 26 addresses, none of them exempt."""
    tunnel = world.tunnel(home, unlimited_addresses=["127.0.0.1"], agent_config={"concurrency_limit": 2000})
    relay = tunnel.relay
    before = relay.program.resident_kib()
    with descriptors(10_000) as count, contextlib.ExitStack() as attackers:
        def source(number):
            return f"127.0.1.{1 + number % 26}"

        slow = Resuming(tunnel)
        for number in range(min(900, count // 4)):
            connection = attackers.enter_context(slow.connect(source(number)))
            connection.sendall(list(SLOW.values())[number % 3].encode())
        began = time.monotonic()
        for number in range(count - min(900, count // 4)):
            raw = attackers.enter_context(socket.socket())
            raw.bind((source(number), 0))
            raw.setblocking(False)
            raw.connect_ex(("127.0.0.1", relay.port))
            if number % 2:  # the others say nothing
                with contextlib.suppress(OSError):
                    raw.send(HALF_HELLO)
        opened = time.monotonic()
        wait_until(lambda: serves(tunnel, "127.0.2.1"), "a good visitor is served meanwhile")
        served = time.monotonic()
        with tunnel.visitor(source="127.0.2.1") as visitor:
            assert visitor.ask(path="/content/300000").status == 200
        metrics = relay.metrics()
        held = metrics['sallyport_limit_used{limit="connections"}']
        memory = relay.program.resident_kib() - before
        print(f"{count} slow peers in {opened - began:.1f} s, {held:.0f} held; a visitor is served after {served - opened:.3f} s; {memory} KiB more")
        assert memory < 400_000
    assert serves(tunnel, "127.0.2.1")
    wait_until(lambda: relay.metrics()['sallyport_limit_used{limit="connections"}'] == 0, "nothing is left of them")
    assert not relay.program.events("tunnel.closed")


def serves(tunnel, source=None):
    try:
        with tunnel.visitor(source=source) as visitor:
            return visitor.ask().status == 200
    except (OSError, ConnectionEnded):
        return False


# ---- storms of names

@pytest.mark.timeout(300)
def test_storms_of_unknown_names_leave_no_trace(world, tunnel):
    relay = tunnel.relay
    context = client_context(alpn=("http/1.1",))

    def by_server_name(beginning):
        for number in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", relay.port), timeout=DEADLINE_S) as raw, \
                    context.wrap_socket(raw, server_hostname=f"{beginning}{number}.storm.test") as tls:
                tls.sendall(f"GET / HTTP/1.1\r\nHost: {beginning}{number}.storm.test\r\nConnection: close\r\n\r\n".encode())
                assert tls.recv(65536).startswith((b"HTTP/1.1 404", b"HTTP/1.1 421"))

    def by_host(beginning, batches):
        answers = 0
        with Visitor(relay.port, None, tls=False) as plain:
            visitor = plain
            visitor.socket = context.wrap_socket(plain.socket)  # without server name
            for batch in range(batches):
                visitor.send("".join(f"GET / HTTP/1.1\r\nHost: {beginning}{batch}-{n}.{'x' * 50}.storm.test\r\n\r\n" for n in range(100)))
                for _ in range(100):
                    assert visitor.read_response().status == 404
                    answers += 1
        return answers

    assert by_host("first", 5) == 500
    by_server_name("first")
    before, names = relay.program.resident_kib(), set(relay.metrics())
    assert by_host("second", 50) == 5000
    by_server_name("second")
    assert set(relay.metrics()) == names, "no time series per name"
    if not UNDER_SANITIZER:
        assert relay.program.resident_kib() < before + 16 * 1024
    assert tunnel.ask().status == 200


# ---- TLS

@pytest.mark.sanitize
def test_renegotiation_is_refused(tunnel):
    client = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{tunnel.relay.port}", "-servername", tunnel.hostname, "-tls1_2", "-CAfile", tunnel.trust],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    client.stdin.write(b"R\n")
    client.stdin.flush()
    client.wait(60)  # with its input still open: its end would end it before the answer comes
    said, error = client.communicate()
    assert b"Secure Renegotiation IS supported" in said, "RFC 5746 is spoken, so that nobody can splice"
    assert b"RENEGOTIATING" in said + error and b"no renegotiation" in error, said + error
    assert tunnel.ask().status == 200


PLAIN = {
    "HTTP/1.1": f"GET / HTTP/1.1\r\n{HOST}\r\n".encode(),
    "HTTP/2 with prior knowledge": h2.PREFACE + h2.frame(h2.SETTINGS),
    "SMTP": b"EHLO evil.test\r\n",
    "MQTT": bytes.fromhex("101000044d5154540402003c000473656c66"),
    "PROXY v1": f"PROXY TCP4 6.6.6.6 127.0.0.1 1 443\r\nGET / HTTP/1.1\r\n{HOST}\r\n".encode(),
    "PROXY v2": b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c\6\6\6\6\x7f\0\0\1\0\1\1\xbb" + f"GET / HTTP/1.1\r\n{HOST}\r\n".encode(),
}


@pytest.mark.sanitize
def test_plain_text_on_the_tls_port_is_told_or_dropped(tunnel, home):
    for what, octets in PLAIN.items():
        with tunnel.visitor(tls=False) as visitor:
            visitor.send(octets)
            answer = b""
            with contextlib.suppress(ConnectionEnded):
                answer = visitor.read_to_end()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), f"{what}: {answer}"
    assert not home.requests.all()
    assert tunnel.ask().status == 200


@pytest.mark.sanitize
def test_tls_on_the_plain_port_is_dropped(world):
    relay = world.relay(http_listen="127.0.0.1:0")
    with pytest.raises((ssl.SSLError, ConnectionError)), socket.create_connection(("127.0.0.1", relay.http_port), timeout=DEADLINE_S) as raw:
        client_context().wrap_socket(raw, server_hostname=HOSTNAME)
    with Visitor(relay.http_port, tls=False) as visitor:
        assert visitor.ask().status in (301, 308)
