"""TLS as visitors meet it: versions, certificates by server name, and a ClientHello however it is cut."""
import json
import socket
import ssl
import subprocess

import pytest

from support.certificates import self_signed
from support.home_app import HomeApp
from support.origins import reset
from support.visitor import Visitor, client_context

REQUEST = b"GET / HTTP/1.1\r\nHost: home.example.test\r\nConnection: close\r\n\r\n"


@pytest.fixture
def tunnel(world):
    return world.tunnel(world.origin(HomeApp()))


class HandTls:
    """A TLS client whose octets a test carries itself, to cut them as it likes."""

    def __init__(self, hostname="home.example.test", alpn=("http/1.1",)):
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = client_context(alpn=alpn).wrap_bio(self._in, self._out, server_hostname=hostname)
        with_handshake_begun(self._tls)
        self.hello = self._out.read()

    def finish(self, connection):
        """Shakes hands over a socket that has the ClientHello already; then asks for the page."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(self._out.read())
                self._feed(connection)
        self._tls.write(REQUEST)
        connection.sendall(self._out.read())
        answer = b""
        while b"\r\n\r\n" not in answer:
            try:
                answer += self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._feed(connection)
        return answer

    def _feed(self, connection):
        data = connection.recv(65536)
        if not data:
            raise AssertionError("the relay closed during the handshake")
        self._in.write(data)


def with_handshake_begun(tls):
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def in_records_of(hello, octets):
    """The same handshake message in TLS records of so many octets (RFC 8446 5.1)."""
    message = b""
    while hello:
        length = int.from_bytes(hello[3:5], "big")
        message += hello[5:5 + length]
        hello = hello[5 + length:]
    parts = [message[at:at + octets] for at in range(0, len(message), octets)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


@pytest.mark.sanitize
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_s_client(tunnel, version):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{tunnel.relay.port}", "-servername", tunnel.hostname, version,
         "-CAfile", tunnel.trust, "-verify_return_error", "-verify_hostname", tunnel.hostname, "-alpn", "http/1.1", "-quiet", "-ign_eof"],
        input=REQUEST, capture_output=True, timeout=30)
    assert b"200 OK" in done.stdout and b"<h1>home</h1>" in done.stdout, done.stderr


@pytest.mark.sanitize
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(tunnel, version):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{tunnel.relay.port}", "-servername", tunnel.hostname, version,
         "-cipher", "ALL:@SECLEVEL=0"], input=b"", capture_output=True, timeout=30)
    assert done.returncode != 0


@pytest.mark.sanitize
def test_a_client_hello_cut_at_every_octet(tunnel):
    for cut in range(1, len(HandTls().hello)):
        client = HandTls()
        with connect(tunnel.relay.port) as connection:
            connection.sendall(client.hello[:cut])
            connection.sendall(client.hello[cut:])
            assert b" 200 " in client.finish(connection), f"cut at {cut}"


@pytest.mark.sanitize
@pytest.mark.parametrize("octets", [1, 5, 64, 300])
def test_a_client_hello_in_many_records(tunnel, octets):
    client = HandTls()
    with connect(tunnel.relay.port) as connection:
        connection.sendall(in_records_of(client.hello, octets))
        assert b" 200 " in client.finish(connection)


@pytest.mark.sanitize
def test_a_client_hello_of_17_kib(tunnel):
    padding = [f"{number:04d}" + "x" * 200 for number in range(85)]
    client = HandTls(alpn=(*padding, "http/1.1"))
    assert len(client.hello) > 17 * 1024
    with connect(tunnel.relay.port) as connection:
        for at in range(0, len(client.hello), 1000):
            connection.sendall(client.hello[at:at + 1000])
        assert b" 200 " in client.finish(connection)


@pytest.mark.sanitize
@pytest.mark.parametrize("octets", [
    b"\x16\x03\x01\xff\xff" + bytes(100), b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", b"\x16\x03\x01\x00\x00" * 200, b"\x80\x2e\x01\x00\x02",
    b"\x15\x03\x01\x00\x02\x02\x28", b"\x00" * 1000, b"SSH-2.0-OpenSSH_9.2\r\n", b"\xff" * 70_000,
], ids=["long record", "long message", "empty records", "SSL 2", "alert", "zeros", "SSH", "noise"])
def test_what_is_no_client_hello_is_dropped_and_nothing_else_happens(tunnel, octets):
    with connect(tunnel.relay.port) as connection:
        try:
            connection.sendall(octets)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass  # dropped while we were still talking
    assert tunnel.ask().status == 200


def test_certificate_by_server_name(world, site_certificate, authority):
    special = authority.issue("special.example.test", stem="special")
    relay = world.relay(certificates=[site_certificate, special])
    for hostname, expected in (("home.example.test", "*.example.test"), ("special.example.test", "special.example.test")):
        with Visitor(relay.port, hostname, trust=authority.file) as visitor:
            names = [name for _, name in visitor.socket.getpeercert()["subjectAltName"]]
            assert expected in names


@pytest.mark.sanitize
def test_without_certificates_the_relay_makes_one_that_can_be_trusted_by_file(world, tmp_path):
    tunnel = world.tunnel(world.origin(HomeApp()), certificates=[])
    certificate = tunnel.relay.state_dir / "self-signed.pem"
    assert certificate.stat().st_mode & 0o777 == 0o600
    with tunnel.visitor(trust=certificate) as visitor:
        assert visitor.ask().status == 200


def test_an_unknown_server_name_is_refused_early_or_told(tunnel):
    try:
        with tunnel.visitor("stranger.other.test", trust=None) as visitor:
            assert visitor.ask().status in (404, 421)
    except (ssl.SSLError, ConnectionError):
        pass


def test_no_server_name_still_gets_an_answer_by_host(tunnel):
    context = client_context()
    with socket.create_connection(("127.0.0.1", tunnel.relay.port), timeout=30) as raw, context.wrap_socket(raw) as tls:
        tls.sendall(REQUEST)
        assert b" 200 " in tls.recv(65536)


def test_reload_takes_a_renewed_certificate(world, tmp_path, site_certificate):
    certificate, key = tmp_path / "live.pem", tmp_path / "live.key"

    def install(source):
        certificate.write_bytes(source[0].read_bytes())
        key.write_bytes(source[1].read_bytes())

    install(site_certificate)
    relay = world.relay(certificates=[(certificate, key)])
    renewed = self_signed(tmp_path, "home.example.test", stem="renewed")
    install(renewed)
    relay.admin("reload")
    with Visitor(relay.port, trust=renewed[0]) as visitor:
        assert visitor.socket.getpeercert()

    certificate.write_text("broken")
    assert relay.admin("reload", check=False).returncode != 0, "a broken file is told"
    with Visitor(relay.port, trust=renewed[0]) as visitor:
        assert visitor.socket.getpeercert(), "and the old one stays"


@pytest.mark.sanitize
def test_connections_that_say_nothing_cost_nobody_else(tunnel):
    silent = [connect(tunnel.relay.port) for _ in range(300)]
    half = [connect(tunnel.relay.port) for _ in range(100)]
    for connection in half:
        connection.sendall(HandTls().hello[:50])
    assert tunnel.ask().status == 200
    for connection in half:
        reset(connection)
    for connection in silent:
        connection.close()
    assert tunnel.ask().status == 200


def test_session_resumption_works(tunnel):
    context = client_context(tunnel.trust)

    def visit(session):
        with socket.create_connection(("127.0.0.1", tunnel.relay.port), timeout=30) as raw, \
                context.wrap_socket(raw, server_hostname=tunnel.hostname, session=session) as tls:
            tls.sendall(REQUEST)
            assert b" 200 " in tls.recv(65536)
            return tls.session, tls.session_reused

    session, _ = visit(None)
    assert visit(session)[1]


def resume(relay, session, trust, hostname="home.example.test"):
    """Shakes hands, if it may with `session`, and asks for something; what the next may begin with, and whether this one resumed."""
    context = session.context if session else client_context(trust)
    with socket.create_connection(("127.0.0.1", relay.port), timeout=30) as raw, \
            context.wrap_socket(raw, server_hostname=hostname, session=session.ticket if session else None) as tls:
        tls.sendall(REQUEST)
        assert tls.recv(65536).startswith(b"HTTP/1.1 ")
        return Session(context, tls.session), tls.session_reused


class Session:
    def __init__(self, context, ticket):
        self.context, self.ticket = context, ticket


def test_sessions_resume_on_every_loop_and_after_a_reload(world, authority, site_certificate):
    special = authority.issue("special.example.test", stem="special-resumed")
    relay = world.relay(threads=4, certificates=[site_certificate, special])
    session, _ = resume(relay, None, authority.file)
    for _ in range(20):  # whichever loop takes them
        session, resumed = resume(relay, session, authority.file)
        assert resumed
    relay.admin("reload")
    assert resume(relay, session, authority.file)[1]
    relay.restart()
    assert not resume(relay, session, authority.file)[1], "the keys were in the old process's memory alone"


def test_a_reload_with_other_certificates_cuts_nobody(world, tmp_path, site_certificate, authority):
    tunnel = world.tunnel(world.origin(HomeApp()))
    with tunnel.visitor() as kept:
        assert kept.ask().status == 200
        tunnel.relay.config["certificates"] = [{"certificate": str(file), "key": str(key)} for file, key in (
            authority.issue("*.example.test", stem="anew"), authority.issue("special.example.test", stem="added"))]
        (tunnel.relay.folder / "relay.yaml").write_text(json.dumps(tunnel.relay.config))
        tunnel.relay.admin("reload")
        with tunnel.visitor("special.example.test") as other:
            assert ("DNS", "special.example.test") in other.socket.getpeercert()["subjectAltName"]
        assert kept.ask().status == 200
    assert not tunnel.relay.program.events("tunnel.closed")


@pytest.mark.sanitize
def test_the_oldest_version_is_configured(world, tmp_path):
    tunnel = world.tunnel(world.origin(HomeApp()), tls_min_version="1.3")

    def speak(version):
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{tunnel.relay.port}", "-servername", tunnel.hostname, version, "-quiet", "-ign_eof"],
            input=REQUEST, capture_output=True, timeout=30).stdout

    assert speak("-tls1_2") == b"" and b"200 OK" in speak("-tls1_3")
    tunnel.relay.config["tls_min_version"] = "1.2"
    (tunnel.relay.folder / "relay.yaml").write_text(json.dumps(tunnel.relay.config))
    tunnel.relay.admin("reload")
    assert b"200 OK" in speak("-tls1_2")


@pytest.mark.sanitize
def test_the_relays_identity_is_shown_in_tls_1_3_only(world):
    relay = world.relay()

    def offer(version):
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-alpn", "sallyport/1", version, "-ign_eof"],
            input=REQUEST, capture_output=True, timeout=30).stdout

    assert b"sallyport-relay" not in offer("-tls1_2")
    spoken = offer("-tls1_3")
    assert b"sallyport-relay" in spoken and b"404 Not Found" in spoken
    assert b"New Session Ticket" not in spoken
