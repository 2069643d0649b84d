"""The owner's command line: what it changes, shows and keeps."""
import json
import os
import socket
import stat

import pytest

from support.home_app import HomeApp
from support.processes import Program
from support.relay import BINARY
from support.visitor import Visitor


@pytest.fixture
def relay(world):
    return world.relay(base_domain="example.test")


def names(relay):
    return [agent["name"] for agent in relay.admin_json("agent", "list")["agents"]]


@pytest.mark.sanitize
def test_agents_come_and_go(relay):
    relay.admin("agent", "add", "home")
    relay.admin("agent", "add", "cabin", "--hostname", "cabin.example.test", "--hostname", "*.cabin.example.test")
    assert names(relay) == ["cabin", "home"] or names(relay) == ["home", "cabin"]
    table = relay.admin("agent", "list").stdout
    assert "home" in table and "cabin" in table and table.count("\n") >= 3
    shown = relay.admin_json("agent", "show", "home")
    assert "home.example.test" in json.dumps(shown), "base_domain gives it a hostname"
    relay.admin("agent", "remove", "cabin")
    assert names(relay) == ["home"]


@pytest.mark.sanitize
@pytest.mark.parametrize("words, said", [
    (("agent", "add", "home"), "home"), (("agent", "show", "nobody"), "nobody"), (("agent", "remove", "nobody"), "nobody"),
    (("agent", "add", "bad name"), "name"), (("agent", "add", "a" * 100), "name"), (("agent", "add", "x", "--hostname", "no_host!"), "no_host!"),
    (("agent", "add", "x", "--hostname", "home.example.test"), "home.example.test"), (("agent", "add", "x", "--target", "web=ftp://a"), "ftp"),
    (("route", "add", "a.example.test", "nobody"), "nobody"), (("route", "remove", "nothing"), "nothing"),
], ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "")
def test_mistakes_are_told_and_change_nothing(relay, words, said):
    relay.admin("agent", "add", "home")
    before = relay.admin_json("agent", "list"), relay.admin_json("route", "list")
    done = relay.admin(*words, check=False)
    assert done.returncode != 0
    assert said in done.stderr and len(done.stderr.splitlines()) <= 2, done.stderr
    assert (relay.admin_json("agent", "list"), relay.admin_json("route", "list")) == before


def test_without_a_relay_it_says_so(relay):
    relay.stop()
    done = relay.admin("status", check=False)
    assert done.returncode != 0 and "relay" in done.stderr


@pytest.mark.sanitize
def test_routes_by_host_and_longest_prefix(world, relay):
    web, radio = world.origin(HomeApp("web")), world.origin(HomeApp("radio"))
    tunnel = world.tunnel(web, radio, relay=relay)
    relay.admin("route", "add", "home.example.test", "home", "t1", "--path-prefix", "/radio")
    relay.admin("route", "add", "*.many.example.test", "home", "t1", "--strip-prefix", "--path-prefix", "/cut")
    relay.admin("route", "add", "*.many.example.test", "home", "t0")

    def seen(path, hostname="home.example.test"):
        answer = json.loads(tunnel.ask(path=path, hostname=hostname).content)
        return answer["home"], answer["target"]

    assert seen("/x") == ("web", "/x")
    assert seen("/radio/x?q") == ("radio", "/radio/x?q")
    assert seen("/radiology") == ("web", "/radiology"), "a prefix ends at a segment"

    listed = relay.admin_json("route", "list")["routes"]
    assert {(route["hostname"], route["path_prefix"]) for route in listed} >= {("home.example.test", "/"), ("home.example.test", "/radio")}
    radio_route = next(route for route in listed if route["path_prefix"] == "/radio")
    relay.admin("route", "remove", radio_route["id"])
    assert seen("/radio/x") == ("web", "/radio/x")


def test_a_wildcard_stands_for_one_label(world, relay):
    tunnel = world.tunnel(world.origin(HomeApp()), relay=relay)
    relay.admin("route", "add", "*.example.test", "home", "t0")
    assert tunnel.ask(hostname="anything.example.test").status == 200
    with tunnel.visitor("a.b.example.test", trust=None) as visitor:
        assert visitor.ask().status == 404


def test_a_disabled_route_is_unknown(world, relay):
    tunnel = world.tunnel(world.origin(HomeApp()), relay=relay)
    route = relay.admin_json("route", "list")["routes"][0]
    relay.admin("route", "set", route["id"], "--disabled")
    assert tunnel.ask().status in (404, 503)
    relay.admin("route", "set", route["id"], "--enabled")
    assert tunnel.ask().status == 200


def test_host_is_preserved_unless_told_otherwise(world, relay):
    origin = world.origin(HomeApp())
    tunnel = world.tunnel(origin, relay=relay)

    def host():
        return dict(json.loads(tunnel.ask(path="/x").content)["headers"])["Host"]

    assert host() == "home.example.test"
    route = relay.admin_json("route", "list")["routes"][0]
    relay.admin("route", "set", route["id"], "--no-preserve-host")
    assert host() == f"127.0.0.1:{origin.port}"


@pytest.mark.sanitize
def test_status(world, relay):
    tunnel = world.tunnel(world.origin(HomeApp()), relay=relay)
    status = json.dumps(relay.admin_json("status"))
    assert "version" in status and relay.pin in status
    assert "home" in relay.admin("agent", "list").stdout
    agent = next(agent for agent in relay.admin_json("agent", "list")["agents"] if agent["name"] == "home")
    assert agent["online"] is True
    tunnel.agent.stop()
    relay.wait_for_event("tunnel.closed", agent="home")
    agent = next(agent for agent in relay.admin_json("agent", "list")["agents"] if agent["name"] == "home")
    assert agent["online"] is False


@pytest.mark.sanitize
def test_the_admin_socket_is_the_owners_alone_and_speaks_rest(relay):
    path = relay.state_dir / "admin.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(relay.state_dir.stat().st_mode) == 0o700

    def ask(method, target, content=b""):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(path))
            connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Type: application/json\r\n"
                               f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
            answer = b""
            while more := connection.recv(65536):
                answer += more
        head, body = answer.split(b"\r\n\r\n", 1)
        return int(head.split()[1]), body

    status, document = ask("GET", "/api/v1/openapi.json")
    assert status == 200
    paths = json.loads(document)["paths"]
    assert paths
    listing = "/api/v1" + next(path for path in paths if path == "/agents")
    status, body = ask("GET", listing)
    assert status == 200 and "agents" in json.loads(body)
    assert ask("POST", listing, b"{broken")[0] == 400
    assert ask("GET", "/nothing-here")[0] == 404
    assert ask("POST", listing, b"x" * (2 << 20))[0] == 413


@pytest.mark.sanitize
def test_what_was_acknowledged_survives_kill_minus_nine(world, relay):
    for turn in range(5):
        relay.admin("agent", "add", f"agent{turn}")
        relay.program.kill()
        relay.start()
    assert set(names(relay)) == {f"agent{turn}" for turn in range(5)}


def test_a_backup_is_all_that_a_new_server_needs(world, relay, tmp_path):
    tunnel = world.tunnel(world.origin(HomeApp()), relay=relay)
    backup = tmp_path / "relay.backup"
    relay.admin("backup", backup)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert tunnel.ask().status == 200, "it was made while running"
    pin = relay.pin
    relay.stop()
    for file in relay.state_dir.iterdir():
        file.unlink()
    relay.state_dir.rmdir()
    mark = tunnel.agent.program.mark()
    relay.admin("restore", backup)
    relay.start()
    assert relay.pin == pin, "agents know it by this"
    tunnel.agent.wait_until_connected(after=mark)
    assert tunnel.ask().status == 200


def test_restore_refuses_what_is_no_backup_and_never_overwrites(world, relay, tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(os.urandom(10_000))
    backup = tmp_path / "relay.backup"
    relay.admin("agent", "add", "home")
    relay.admin("backup", backup)
    relay.stop()
    assert relay.admin("restore", broken, check=False).returncode != 0
    assert relay.admin("restore", backup, check=False).returncode != 0, "there is a state already"
    relay.start()
    assert names(relay) == ["home"]


def test_the_enrolment_code_stands_alone_on_its_line(relay):
    lines = relay.admin("agent", "add", "home").stdout.splitlines()
    codes = [line for line in lines if line.startswith("sallyport1_")]
    assert len(codes) == 1 and " " not in codes[0]


def test_two_relays_never_share_a_state_folder(world, relay):
    second = Program("second relay", [BINARY, "relay", "--state-dir", relay.state_dir, "--https-listen", "127.0.0.1:0",
                                      "--http-listen", "off", "--metrics-listen", "off"])
    assert second.wait() != 0
    assert str(relay.state_dir) in second.tail()
    assert relay.admin("status").returncode == 0, "the first goes on"
