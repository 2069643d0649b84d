"""What curl sees through the tunnel: every framing, both directions, octet for octet."""
import json
import subprocess

import pytest

from support.home_app import HomeApp, content, content_sha256
from support.origins import read_head

MIB = 1 << 20


@pytest.fixture
def tunnel(world):
    return world.tunnel(world.origin(HomeApp()))


@pytest.mark.sanitize
def test_page(tunnel):
    got = tunnel.curl("/")
    assert (got.code, got.status, got.http_version, got.content) == (0, 200, "1.1", b"<h1>home</h1>")


@pytest.mark.sanitize
@pytest.mark.parametrize("octets", [0, 1, 16384, 65536, 65537, 8 * MIB])
@pytest.mark.parametrize("framing", ["content", "chunked"])
def test_download(tunnel, framing, octets):
    got = tunnel.curl(f"/{framing}/{octets}")
    assert (got.code, got.status) == (0, 200)
    assert got.content == content(octets)


def test_large_download(tunnel, tmp_path):
    got = tunnel.curl(f"/content/{128 * MIB}", "-o", tmp_path / "out")
    assert got.code == 0, got.error
    digest = subprocess.run(["sha256sum", tmp_path / "out"], capture_output=True, text=True, check=True).stdout.split()[0]
    assert digest == content_sha256(128 * MIB)


@pytest.mark.sanitize
@pytest.mark.parametrize("octets", [1, 65536, 8 * MIB])
@pytest.mark.parametrize("options", [(), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect:")], ids=["length", "chunked", "no-expect"])
def test_upload(tunnel, tmp_path, octets, options):
    file = tmp_path / "in"
    file.write_bytes(content(octets))
    got = tunnel.curl("/hash", "-T", file, *options)
    assert got.code == 0, got.error
    assert json.loads(got.content) == {"octets": octets, "sha256": content_sha256(octets)}


@pytest.mark.parametrize("framing", ["Content-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"])
def test_empty_upload(tunnel, framing):
    with tunnel.visitor() as visitor:
        visitor.send(f"PUT /hash HTTP/1.1\r\nHost: {tunnel.hostname}\r\n{framing}")
        assert json.loads(visitor.read_response().content)["octets"] == 0


def test_large_upload(tunnel, tmp_path):
    file = tmp_path / "in"
    file.write_bytes(content(128 * MIB))
    got = tunnel.curl("/hash", "-T", file)
    assert json.loads(got.content)["sha256"] == content_sha256(128 * MIB)


@pytest.mark.sanitize
def test_expect_100_continue_reaches_the_origin_and_its_answer_comes_back(tunnel):
    with tunnel.visitor() as visitor:
        visitor.send(f"POST /hash HTTP/1.1\r\nHost: {tunnel.hostname}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert visitor.read_head().status == 100  # before any content was sent
        visitor.send(b"12345")
        assert json.loads(visitor.read_response().content)["octets"] == 5


def test_a_refusal_comes_instead_of_100_continue(world):
    def refuse(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch")
        connection.recv(1)

    tunnel = world.tunnel(world.raw_origin(refuse))
    with tunnel.visitor() as visitor:
        visitor.send(f"POST / HTTP/1.1\r\nHost: {tunnel.hostname}\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n")
        response = visitor.read_response()
        assert (response.status, response.content, response.informational) == (413, b"much", [])


@pytest.mark.sanitize
def test_early_hints_pass(world):
    def hint(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        connection.recv(1)

    tunnel = world.tunnel(world.raw_origin(hint))
    with tunnel.visitor() as visitor:
        visitor.request()
        hints = visitor.read_head()
        assert (hints.status, hints.value("Link")) == (103, "</a.css>; rel=preload")
        assert visitor.read_response().content == b"ok"


@pytest.mark.sanitize
def test_head_has_fields_and_no_content(tunnel):
    with tunnel.visitor() as visitor:
        response = visitor.ask("HEAD", "/content/12345")
        assert (response.status, response.value("Content-Length"), response.content) == (200, "12345", b"")
        assert visitor.ask(path="/").content == b"<h1>home</h1>", "the connection goes on"


@pytest.mark.sanitize
@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content(tunnel, status):
    with tunnel.visitor() as visitor:
        response = visitor.ask(path=f"/status/{status}")
        assert (response.status, response.value("X-From"), response.content) == (status, "home", b"")
        assert visitor.ask(path="/").status == 200


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 418, 500, 503, 599])
def test_statuses_of_the_origin_pass(tunnel, status):
    response = tunnel.ask(path=f"/status/{status}")
    assert (response.status, response.value("X-From")) == (status, "home")
    assert response.value("Sallyport-Error") is None


@pytest.mark.sanitize
def test_chunked_content_with_trailers_both_ways(world):
    received = []

    def echo_with_trailers(connection):
        head, rest = read_head(connection)
        while not rest.endswith(b"\r\n\r\n"):
            rest += connection.recv(65536)
        received.append((head, rest))
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n"
                           b"4;name=value\r\nwiki\r\n5\r\npedia\r\n0\r\nX-Checksum: down\r\n\r\n")
        connection.recv(1)

    tunnel = world.tunnel(world.raw_origin(echo_with_trailers))
    with tunnel.visitor() as visitor:
        visitor.send(f"POST / HTTP/1.1\r\nHost: {tunnel.hostname}\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-Up\r\n\r\n"
                     "3\r\nabc\r\n0\r\nX-Up: up\r\n\r\n")
        response = visitor.read_response()
    assert response.content == b"wikipedia"
    assert ("X-Checksum", "down") in [(name.title(), value) for name, value in response.trailers]
    assert b"abc" in received[0][1] and b"x-up: up" in received[0][1].lower()


def test_content_until_close_arrives_whole(world):
    def old_style(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content(300_000))

    got = world.tunnel(world.raw_origin(old_style)).curl("/")
    assert (got.code, got.content) == (0, content(300_000))


def test_http_1_0_origin_and_http_1_0_visitor(world):
    def old(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nold")

    tunnel = world.tunnel(world.raw_origin(old))
    assert tunnel.ask().content == b"old"
    got = tunnel.curl("/", "--http1.0")
    assert (got.code, got.content) == (0, b"old")


def test_connection_is_kept_for_the_next_request(tunnel):
    got = tunnel.curl("/[1-3]")  # curl makes three requests of it
    assert (got.code, got.connects) == (0, 0)


@pytest.mark.sanitize
def test_pipelined_requests_are_answered_in_order(tunnel):
    with tunnel.visitor() as visitor:
        for number in range(20):
            visitor.request(path=f"/order/{number}")
        for number in range(20):
            assert json.loads(visitor.read_response().content)["target"] == f"/order/{number}"


def test_connection_close_is_honoured(tunnel):
    with tunnel.visitor() as visitor:
        response = visitor.ask(Connection="close")
        assert response.status == 200
        assert visitor.read_to_end() == b""


@pytest.mark.parametrize("target", [
    "/a%2Fb", "/a//b///c", "/a/./b/../c", "/%e2%82%ac?x=%00%ff", "/a;p=1?q=a+b&q=%20#", "/q?", "/q??x", "/a?b=c?d", "/~user/'()*!", "/" + "a" * 6000,
])
def test_the_request_target_passes_octet_for_octet(tunnel, target):
    expected = target.rstrip("#")  # a fragment is never sent
    assert json.loads(tunnel.curl(target).content)["target"] == expected


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND", "REPORT", "M-SEARCH"])
def test_methods_pass(tunnel, method):
    assert json.loads(tunnel.curl("/x", "-X", method).content)["method"] == method


def test_answer_before_the_upload_ended_arrives(world):
    def answer_early(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlogin")
        while connection.recv(65536):
            pass

    tunnel = world.tunnel(world.raw_origin(answer_early))
    with tunnel.visitor() as visitor:
        visitor.send(f"POST / HTTP/1.1\r\nHost: {tunnel.hostname}\r\nContent-Length: 100000000\r\n\r\n" + "x" * 200_000)
        assert visitor.read_response().status == 401
