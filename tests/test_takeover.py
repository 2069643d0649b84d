"""Two processes with one credential, and sessions that somebody else asks for."""
import shutil
import socket
import ssl
import threading

import pytest

from support.home_app import HomeApp
from support.processes import wait_until
from support.visitor import ConnectionEnded


def copy_of(world, agent, name="copy"):
    """Another process with the same key, as from a backup."""
    agent.stop()
    shutil.copytree(agent.state_dir, agent.folder / f"agent-{name}")
    agent.start()
    agent.wait_until_connected()
    return world.agent(name=name)


def shown(relay, name="home"):
    return relay.admin_json("agent", "show", name)["agent"]["tunnel"]


@pytest.mark.sanitize
def test_the_owner_decides_between_two_with_one_credential(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    relay, agent = tunnel.relay, tunnel.agent
    nobody = relay.admin("agent", "takeover", "home", check=False)
    assert nobody.returncode == 1 and "nobody else" in nobody.stderr
    copy = copy_of(world, agent)
    duplicate = relay.wait_for_event("tunnel.duplicate", agent="home")
    assert duplicate["connected_from"] == duplicate["refused_from"] == "127.0.0.1"
    wait_until(lambda: shown(relay)["refused_newcomer"], "it is shown")
    other = shown(relay)["refused_newcomer"]
    assert other["peer"] == "127.0.0.1" and other["attempts"] >= 1 and not other["takes_over"]
    assert "takeover home" in relay.admin("status").stdout, "with the cure"
    assert relay.metrics()["sallyport_duplicate_agents"] == 1
    assert "refused" in relay.admin("agent", "show", "home").stdout
    assert tunnel.ask().status == 200 and not copy.program.events("agent.connected")

    session, mark, old = shown(relay)["session"], relay.program.mark(), agent.program.mark()
    said = relay.admin("agent", "takeover", "home", "--wait", "60").stdout
    assert "connected from 127.0.0.1 now" in said, said
    copy.wait_until_connected()
    relay.wait_for_event("tunnel.taken_over", agent="home", after=mark)
    assert shown(relay)["session"] != session
    assert tunnel.ask().status == 200
    # Now the other one is the newcomer.
    agent.wait_for_event("agent.not_connected", after=old, cause="duplicate_live")
    relay.wait_for_event("tunnel.refused", agent="home", reason="duplicate_live", after=mark)
    assert "agent.takeover" in relay.admin("audit").stdout
    copy.stop()
    agent.wait_until_connected(after=old)
    wait_until(lambda: relay.metrics()["sallyport_duplicate_agents"] == 0, "it is over with the session")


def test_streams_of_the_one_that_has_to_go_end_with_an_error(world):
    release = threading.Event()
    begun = threading.Event()

    def drip(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun")
        begun.set()
        release.wait(60)

    tunnel = world.tunnel(world.raw_origin(drip))
    relay, agent = tunnel.relay, tunnel.agent
    copy = copy_of(world, agent)
    relay.wait_for_event("tunnel.duplicate", agent="home")
    with tunnel.visitor() as visitor:
        visitor.request()
        assert begun.wait(30)
        relay.admin("agent", "takeover", "home")
        copy.wait_until_connected()
        with pytest.raises(ConnectionEnded):
            visitor.read_response()
    release.set()


def opening(relay, authority, *fields):
    """The head of what the relay answers to an opening handshake with these fields; None if it closes."""
    context = ssl.create_default_context(cafile=str(authority.file))
    head = "\r\n".join(["GET /tunnel HTTP/1.1", "Host: home.example.test", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: sallyport.1", *fields, "", ""])
    with socket.create_connection((relay.host, relay.port), timeout=30) as raw, context.wrap_socket(raw, server_hostname="home.example.test") as tls:
        tls.sendall(head.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = tls.recv(65536)
            if not more:
                break
            answer += more
    return answer.split(b"\r\n\r\n")[0].decode("latin-1")


@pytest.mark.sanitize
def test_a_session_id_without_the_credential_is_worth_nothing(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    relay = tunnel.relay
    relay.add_agent("barn", ["barn.example.test"])
    stranger = relay.admin_json("agent", "rotate", "barn", "--token")["api_key"]
    session = relay.wait_for_event("tunnel.opened", agent="home")["session"]
    asks = (f"Sallyport-Session: {session}", "Sallyport-Received: 0")
    mark = relay.program.mark()

    # Nobody: a path like any other, which the home answers.
    assert opening(relay, world.authority, *asks).startswith("HTTP/1.1 200")
    # A wrong secret: the same.
    assert opening(relay, world.authority, *asks, f"Authorization: Bearer {stranger[:-3]}AAA").startswith("HTTP/1.1 200")
    # Another agent of the same relay: a session of its own.
    own = opening(relay, world.authority, *asks, f"Authorization: Bearer {stranger}")
    assert own.startswith("HTTP/1.1 101") and session not in own and "Sallyport-Session: " in own

    assert tunnel.ask().status == 200
    assert shown(relay)["session"] == session
    events = [line for line in relay.program.lines[mark:] if "tunnel.resumed" in line or "tunnel.lost" in line and "agent=home" in line]
    assert not events
