"""What a visitor is told when something on the way fails: one clean page, or JSON, that names the hop; never a bare reset."""
import json
import socket
import threading

import pytest

from support.home_app import HomeApp
from support.origins import read_head
from support.processes import parse_event
from support.visitor import Visitor

JSON = "application/json"


NO_HTTP = {
    "garbage": b"garbage\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "both lengths": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "chunked not last": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked, gzip\r\n\r\n",
    "a folded field": b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
    "a bad name": b"HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
    "a NUL": b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n",
    "a long status": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "a long field": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    "version 2": b"HTTP/2 200\r\n\r\n",
    "nothing": b"",
}


def error_of(response):
    """The error of a JSON error answer, which also stands in the field."""
    assert response.value("Content-Type", "").startswith(JSON), response.content
    error = json.loads(response.content)["error"]
    assert error["status"] == response.status
    assert response.value("Sallyport-Error") == error["id"]
    assert "no-store" in response.value("Cache-Control", "")
    return error


def failing_hop(response, status, hop):
    error = error_of(response)
    assert (response.status, error["hop"]) == (status, hop), error
    assert error["title"] and error["detail"]
    return error


@pytest.fixture
def closed_port():
    """A port of 127.0.0.1 that refuses connections as long as the test runs: bound, never listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.mark.sanitize
def test_unknown_host(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    response = tunnel.ask(hostname="stranger.example.test", Accept=JSON)
    failing_hop(response, 404, "relay")
    assert "home" not in response.content.decode().replace("home.example.test", ""), "says nothing about others"


def test_the_host_field_decides_not_only_the_server_name(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    with tunnel.visitor() as visitor:
        assert visitor.ask(host="stranger.example.test").status in (404, 421)


@pytest.mark.sanitize
def test_agent_offline(world):
    tunnel = world.tunnel(world.origin(HomeApp()), offline_grace="100ms")
    tunnel.agent.stop()
    tunnel.relay.wait_for_event("tunnel.closed", agent="home")
    response = tunnel.ask(Accept=JSON)
    failing_hop(response, 503, "agent")
    assert int(response.value("Retry-After")) > 0


def test_an_agent_that_never_connected_is_offline(world):
    relay = world.relay(offline_grace="100ms")
    relay.add_agent("home", ["home.example.test"])
    with Visitor(relay.port, trust=world.authority.file) as visitor:
        failing_hop(visitor.ask(Accept=JSON), 503, "agent")


@pytest.mark.sanitize
def test_a_short_absence_of_the_agent_is_waited_out(world):
    tunnel = world.tunnel(world.origin(HomeApp()), offline_grace="20s")
    tunnel.agent.stop()
    tunnel.relay.wait_for_event("tunnel.closed", agent="home")
    with tunnel.visitor() as visitor:
        visitor.request()
        tunnel.agent.start()
        assert visitor.read_response().status == 200


@pytest.mark.sanitize
def test_target_not_in_the_agents_table(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    tunnel.relay.admin("route", "add", "other.example.test", "home", "printer")
    error = failing_hop(tunnel.ask(hostname="other.example.test", Accept=JSON), 403, "agent")
    refused = tunnel.agent.program.wait_for_line(lambda line: "printer" in line and "level=warn" in line, "the line to add")
    assert refused and error


@pytest.mark.sanitize
def test_origin_refuses(world, closed_port):
    tunnel = world.tunnel(f"http://127.0.0.1:{closed_port}")
    failing_hop(tunnel.ask(Accept=JSON), 502, "origin")


def test_origin_name_unknown(world):
    tunnel = world.tunnel("http://no-such-name.invalid:80")
    failing_hop(tunnel.ask(Accept=JSON), 502, "origin")


@pytest.mark.sanitize
def test_origin_answers_too_late(world):
    app = HomeApp()
    tunnel = world.tunnel(world.origin(app), agent_config={"request_timeout": "300ms"})
    failing_hop(tunnel.ask(path="/hang", Accept=JSON), 504, "origin")
    app.cancelled.wait_for(lambda target: target == "/hang", "the cancel at the origin")
    assert tunnel.ask().status == 200


@pytest.mark.sanitize
def test_the_timeout_never_cuts_a_running_answer(world):
    app = HomeApp()
    origin = world.origin(app)
    tunnel = world.tunnel(origin, agent_config={"request_timeout": "300ms"})
    with tunnel.visitor() as visitor:
        visitor.request(path="/fed")
        visitor.read_until(b": open\n\n")
        assert tunnel.ask(path="/hang").status == 504  # takes longer than the timeout
        origin.call(app.feed(b"data: late\n\n"))
        visitor.read_until(b"data: late\n\n")


def test_a_route_overrides_the_timeout(world):
    tunnel = world.tunnel(world.origin(HomeApp()), agent_config={"request_timeout": "60s"})
    route = tunnel.relay.admin_json("route", "list")["routes"][0]
    tunnel.relay.admin("route", "set", route["id"], "--request-timeout", "300ms")
    assert tunnel.ask(path="/hang").status == 504


@pytest.mark.sanitize
def test_too_many_requests_in_flight(world):
    app = HomeApp()
    origin = world.origin(app)
    tunnel = world.tunnel(origin, agent_config={"concurrency_limit": 2})
    held = [tunnel.visitor() for _ in range(2)]
    for visitor in held:
        visitor.request(path="/hang")
    origin.requests.wait_for(lambda _: len(origin.requests.all()) == 2, "both requests")
    response = tunnel.ask(Accept=JSON)
    failing_hop(response, 503, "agent")
    assert response.value("Retry-After")
    held[0].close()
    app.cancelled.wait_for(lambda target: target == "/hang", "the freed place")
    assert tunnel.ask().status == 200


@pytest.mark.sanitize
def test_a_request_beyond_the_limit_waits_for_a_free_place(world):
    app = HomeApp()
    origin = world.origin(app)
    tunnel = world.tunnel(origin, agent_config={"concurrency_limit": 1})
    with tunnel.visitor() as first, tunnel.visitor() as second:
        first.request(path="/hang")
        origin.wait_for_request("/hang")
        second.request()
        first.close()
        assert second.read_response().status == 200


@pytest.mark.sanitize
@pytest.mark.parametrize("answer", NO_HTTP.values(), ids=NO_HTTP)
def test_an_origin_that_speaks_no_http_is_502(world, answer):
    def speak(connection):
        read_head(connection)
        connection.sendall(answer)

    failing_hop(world.tunnel(world.raw_origin(speak)).ask(Accept=JSON), 502, "origin")


@pytest.mark.sanitize
@pytest.mark.parametrize("accept, is_json", [
    (None, False), ("*/*", False), ("text/html,application/xhtml+xml,*/*;q=0.8", False), ("application/json", True),
    ("application/json, text/plain, */*", True), ("text/html;q=0.5, application/json", True), ("text/html, application/json;q=0.5", False),
])
def test_page_or_json_by_accept(world, closed_port, accept, is_json):
    response = world.tunnel(f"http://127.0.0.1:{closed_port}").ask(**({"Accept": accept} if accept else {}))
    assert response.value("Content-Type").startswith(JSON) == is_json
    if not is_json:
        page = response.content.decode()
        assert page.lower().startswith("<!doctype html>") and response.value("Sallyport-Error") in page
        assert "127.0.0.1" not in page and str(closed_port) not in page, "no internal detail"


@pytest.mark.sanitize
def test_the_error_id_is_in_the_log_and_is_no_two_times_the_same(world, closed_port):
    tunnel = world.tunnel(f"http://127.0.0.1:{closed_port}")
    ids = [error_of(tunnel.ask(Accept=JSON))["id"] for _ in range(2)]
    assert ids[0] != ids[1]
    for error_id in ids:
        line = tunnel.relay.program.wait_for_line(lambda line: error_id in line, f"error id {error_id}")[1]
        assert parse_event(line)


def test_an_error_answers_head_without_content(world, closed_port):
    tunnel = world.tunnel(f"http://127.0.0.1:{closed_port}")
    with tunnel.visitor() as visitor:
        response = visitor.ask("HEAD")
        assert response.status == 502
        assert visitor.ask(Accept=JSON).status == 502, "and the connection goes on"


def test_a_websocket_to_an_offline_home_gets_the_error_too(world):
    tunnel = world.tunnel(world.origin(HomeApp()), offline_grace="100ms")
    tunnel.agent.stop()
    tunnel.relay.wait_for_event("tunnel.closed", agent="home")
    response = tunnel.ask(path="/ws", Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13",
                          Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
    assert response.status == 503


def test_plain_http_on_the_https_port_is_told_so(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    with tunnel.visitor(tls=False) as visitor:
        response = visitor.ask()
    assert response.status == 400
    assert b"https" in response.content.lower()


@pytest.mark.sanitize
def test_redirect_listener(world):
    relay = world.relay(http_listen="127.0.0.1:0")
    for path, host in (("/", "home.example.test"), ("/a%20b?c=d&e", "home.example.test:8080")):
        with Visitor(relay.http_port, tls=False) as visitor:
            response = visitor.ask(path=path, host=host)
        assert response.status in (301, 308)
        assert response.value("Location") == f"https://home.example.test:{relay.port}{path}"
    with Visitor(relay.http_port, tls=False) as visitor:
        visitor.send("GET / HTTP/1.1\r\nHost: bad host\r\n\r\n")
        assert visitor.read_response().status == 400


def test_a_home_that_vanishes_before_the_answer_is_502(world):
    threads_waiting = threading.Event()

    def never_answer(connection):
        read_head(connection)
        threads_waiting.set()
        connection.recv(1)

    tunnel = world.tunnel(world.raw_origin(never_answer), resume_window="200ms")
    with tunnel.visitor() as visitor:
        visitor.request(Accept=JSON)
        assert threads_waiting.wait(30)
        tunnel.agent.kill()
        failing_hop(visitor.read_response(), 502, "agent")
