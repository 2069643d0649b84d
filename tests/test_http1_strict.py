"""Requests that two implementations could read differently are refused, and nothing of them reaches the home."""
import json

import pytest

from support.home_app import HomeApp
from support.visitor import ConnectionEnded

HOST = "Host: home.example.test\r\n"
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: home.example.test\r\n\r\n"

REFUSED = {
    "both lengths": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "two lengths": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 5\r\nContent-Length: 0\r\n\r\n{SMUGGLED}",
    "two equal lengths": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 0\r\nContent-Length: 0\r\n\r\n{SMUGGLED}",
    "a list of lengths": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 0, 0\r\n\r\n{SMUGGLED}",
    "a signed length": f"POST / HTTP/1.1\r\n{HOST}Content-Length: +5\r\n\r\nhello{SMUGGLED}",
    "a hexadecimal length": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 0x5\r\n\r\nhello{SMUGGLED}",
    "a length too long": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 99999999999999999999\r\n\r\n{SMUGGLED}",
    "an unknown coding": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "chunked twice": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "chunked not last": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a coding behind a vertical tab": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a space before the colon": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a folded field": f"POST / HTTP/1.1\r\n{HOST}X: a\r\n Transfer-Encoding: chunked\r\n\r\n",
    "a bare CR in a field": f"GET / HTTP/1.1\r\n{HOST}X: a\rTransfer-Encoding: chunked\r\n\r\n",
    "a NUL in a field": f"GET / HTTP/1.1\r\n{HOST}X: a\0b\r\n\r\n",
    "bare LF line ends": "GET / HTTP/1.1\nHost: home.example.test\n\n",
    "no host": "GET / HTTP/1.1\r\n\r\n",
    "two hosts": f"GET / HTTP/1.1\r\n{HOST}{HOST}\r\n",
    "a host of two names": "GET / HTTP/1.1\r\nHost: home.example.test, other.example.test\r\n\r\n",
    "a host with user": "GET / HTTP/1.1\r\nHost: a@home.example.test\r\n\r\n",
    "another host in the target": f"GET http://other.example.test/ HTTP/1.1\r\n{HOST}\r\n",
    "a space in the target": f"GET /a b HTTP/1.1\r\n{HOST}\r\n",
    "a control in the target": f"GET /a\x01 HTTP/1.1\r\n{HOST}\r\n",
    "no target": f"GET HTTP/1.1\r\n{HOST}\r\n",
    "version 2": f"GET / HTTP/2.0\r\n{HOST}\r\n",
    "version 1.10": f"GET / HTTP/1.10\r\n{HOST}\r\n",
    "a method that is no token": f"G(T / HTTP/1.1\r\n{HOST}\r\n",
    "an empty field name": f"GET / HTTP/1.1\r\n{HOST}: x\r\n\r\n",
    "CONNECT": "CONNECT home.example.test:443 HTTP/1.1\r\nHost: home.example.test:443\r\n\r\n",
}
TOO_LONG = {
    "a target longer than a head may be": (414, f"GET /{'a' * 70_000} HTTP/1.1\r\n{HOST}\r\n"),
    "a target longer than a start line may be": (414, f"GET /{'a' * 40_000} HTTP/1.1\r\n{HOST}\r\n"),
    "a long field": (431, f"GET / HTTP/1.1\r\n{HOST}X: {'a' * 70_000}\r\n\r\n"),
    "many fields": (431, f"GET / HTTP/1.1\r\n{HOST}" + "X: a\r\n" * 20_000 + "\r\n"),
    "many small fields": (431, f"GET / HTTP/1.1\r\n{HOST}" + "".join(f"X{n}: a\r\n" for n in range(500)) + "\r\n"),
}
BROKEN_CHUNKS = {
    "no number": "zz\r\nhello\r\n0\r\n\r\n",
    "a negative number": "-5\r\nhello\r\n0\r\n\r\n",
    "a number too large": "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a space before": " 5\r\nhello\r\n0\r\n\r\n",
    "0x": "0x5\r\nhello\r\n0\r\n\r\n",
    "more than announced": "5\r\nhello!\r\n0\r\n\r\n",
    "a bare LF": "5\nhello\n0\n\n",
    "an endless extension": "5;" + "a" * 70_000,
    "an endless trailer": "0\r\nX: " + "a" * 70_000,
    "a trailer that frames": "0\r\nContent-Length: 5\r\nTransfer-Encoding : x\r\n\r\n",
}


@pytest.fixture
def home(world):
    return world.origin(HomeApp())


@pytest.fixture
def tunnel(world, home):
    return world.tunnel(home)


def targets_seen(home):
    return [request.target for request in home.requests.all()]


@pytest.mark.sanitize
def test_ambiguous_requests_are_refused(tunnel, home):
    for what, request in REFUSED.items():
        with tunnel.visitor() as visitor:
            visitor.send(request)
            response = visitor.read_response()
            assert response.status in (400, 404, 405, 421, 501, 505), f"{what}: {response.status}"
            # CONNECT has no content that anybody could read differently.
            assert what == "CONNECT" or visitor.is_closed_by_peer(), f"{what}: the connection went on"
    assert "/smuggled" not in targets_seen(home)


@pytest.mark.sanitize
def test_heads_too_large_are_refused(tunnel, home):
    for what, (status, request) in TOO_LONG.items():
        with tunnel.visitor() as visitor:
            visitor.send(request)
            assert visitor.read_response().status == status, what
    assert not targets_seen(home)


@pytest.mark.sanitize
def test_broken_chunks_end_the_request(tunnel, home):
    for what, chunks in BROKEN_CHUNKS.items():
        with tunnel.visitor() as visitor:
            visitor.send(f"POST /hash HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n")
            visitor.send(chunks + SMUGGLED)
            try:
                response = visitor.read_response()
                assert response.status in (400, 413, 431), f"{what}: {response.status}"
            except ConnectionEnded:
                pass  # cut while the home was already reading: an error too
            assert visitor.is_closed_by_peer(), what
    assert "/smuggled" not in targets_seen(home)
    assert tunnel.ask().status == 200


def test_a_short_upload_is_never_passed_off_as_whole(tunnel, home):
    with tunnel.visitor() as visitor:
        visitor.send(f"POST /hash HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        home.wait_for_request("/hash")
    with tunnel.visitor() as visitor:
        assert visitor.ask().status == 200
    assert "hash" in "".join(targets_seen(home))


@pytest.mark.sanitize
def test_fields_of_one_hop_end_at_the_relay(tunnel):
    response = tunnel.ask(
        path="/x", Connection="close, X-Mine, keep-alive", X_Mine="1", Keep_Alive="timeout=5", Proxy_Connection="close",
        TE="trailers", Proxy_Authorization="Basic eA==", X_Kept="2")
    names = {name.lower() for name, _ in json.loads(response.content)["headers"]}
    assert "x-kept" in names
    assert not names & {"x-mine", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade"}


def test_connection_cannot_nominate_what_holds_the_request_together(tunnel):
    response = tunnel.ask(path="/x", Connection="close, Host, Content-Length, X-Forwarded-For, Cookie", Cookie="a=b")
    headers = {name.lower(): value for name, value in json.loads(response.content)["headers"]}
    assert headers["host"].startswith("home.example.test")


def test_field_names_and_values_pass_as_sent(tunnel):
    with tunnel.visitor() as visitor:
        visitor.send(f"GET /x HTTP/1.1\r\n{HOST}X-Odd:   padded \t\r\nx-lower: \xe9\xff\r\nX-Empty:\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n")
        headers = json.loads(visitor.read_response().content)["headers"]
    got = [(name.lower(), value) for name, value in headers]
    for expected in (("x-odd", "padded"), ("x-lower", "\xe9\xff"), ("x-empty", ""), ("cookie", "a=b"), ("cookie", "c=d")):
        assert expected in got
    assert got.index(("cookie", "a=b")) < got.index(("cookie", "c=d"))


@pytest.mark.sanitize
def test_a_loop_is_refused(world):
    relay = world.relay()
    # The home's service is the relay itself: each turn would add one more request.
    tunnel = world.tunnel(f"https://127.0.0.1:{relay.port}", relay=relay)
    assert tunnel.ask().status in (502, 508)


@pytest.mark.sanitize
def test_a_head_octet_by_octet(tunnel):
    with tunnel.visitor() as visitor:
        for octet in f"GET / HTTP/1.1\r\n{HOST}\r\n":
            visitor.send(octet)
        assert visitor.read_response().status == 200


def test_an_empty_line_before_the_request_is_skipped(tunnel):
    with tunnel.visitor() as visitor:
        visitor.send(f"\r\nGET / HTTP/1.1\r\n{HOST}\r\n")
        assert visitor.read_response().status == 200


def test_absolute_form_and_host_with_port_and_case(tunnel):
    for request in (f"GET https://home.example.test/ HTTP/1.1\r\n{HOST}\r\n", "GET / HTTP/1.1\r\nHost: HOME.Example.Test:8443\r\n\r\n"):
        with tunnel.visitor() as visitor:
            visitor.send(request)
            assert visitor.read_response().status == 200, request
