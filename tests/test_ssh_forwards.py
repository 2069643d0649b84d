"""What a stock `ssh -R` may mean at the relay, and what its visitors get."""
import hashlib
import os
import socket
import subprocess
import threading

import pytest

from support.home_app import HomeApp
from support.processes import DEADLINE_S, wait_until
from support.relay import free_port
from support.ssh_client import SshRelay, origin_port
from support.transfers import Download, NumberedHome, Upload, sha256_of
from test_tcp_routes import read_all, say, serve_echo, serve_hash
from test_websocket import with_aiohttp

MIB = 1 << 20
HOME, WIKI = "home.example.test", "wiki.example.test"


@pytest.fixture
def ssh(world):
    return SshRelay(world)


@pytest.fixture
def local(world):
    """host:port of a home service, as it stands at the end of -R."""
    return f"127.0.0.1:{origin_port(world.origin(HomeApp()))}"


@pytest.mark.sanitize
def test_every_way_to_name_the_only_route(ssh, local):
    key = ssh.add()
    for bind in ("127.0.0.1:8123", "8123", "localhost:8123", "*:8123", ":8123", "0.0.0.0:80", "[::1]:8123", "[::]:8123", "127.0.0.1:9", "home.example.test:80", "HOME.example.test:443"):
        client = ssh.forward(key, f"{bind}:{local}")
        client.wait_for_forward()
        assert ssh.page() == "home", bind
        mark = ssh.relay.program.mark()
        client.stop()
        ssh.wait_for("tunnel.closed", mark, agent="home")
    assert ssh.live() is None


def test_the_relay_chooses_the_port(ssh, local):
    """And a later request for the same asks for another one."""
    client = ssh.forward(ssh.add(), f"0:{local}", f"home.example.test:0:{local}")
    ports = [client.wait_for_line(lambda line: line.startswith("Allocated port ") and line.endswith(local), "the port")[1].split()[2]]
    wait_until(lambda: len([line for line in client.lines if line.startswith("Allocated port ")]) == 2, "both ports")
    ports = [int(line.split()[2]) for line in client.lines if line.startswith("Allocated port ")]
    assert ports[0] == ssh.relay.port and ports[1] != ports[0]
    assert ssh.page() == "home"


@pytest.mark.sanitize
def test_several_forwards_of_one_client(world, ssh, local):
    """By name, by the port of a target, and what no forward serves."""
    key = ssh.add(hostnames=[HOME])
    ssh.relay.admin("route", "add", WIKI, "home", "localhost:8080")
    wiki = f"127.0.0.1:{origin_port(world.origin(HomeApp('wiki')))}"
    for forwards in ([f"{HOME}:80:{local}", f"{WIKI}:80:{wiki}"], [f"8123:{local}", f"127.0.0.1:8080:{wiki}"], [f"8123:{local}", f"{WIKI}:80:{wiki}"]):
        client = ssh.forward(key, *forwards)
        assert [ssh.page(HOME), ssh.page(WIKI)] == ["home", "wiki"], forwards
        mark = ssh.relay.program.mark()
        client.stop()
        ssh.wait_for("tunnel.closed", mark)
    client = ssh.forward(key, f"8080:{wiki}")
    assert ssh.page(WIKI) == "wiki"
    assert ssh.page(HOME) == 403, "there is somebody at home, who offers no such thing"


def test_a_wildcard_and_paths(world, ssh, local):
    key = ssh.add(hostnames=["*.example.test"])
    ssh.relay.admin("route", "add", "a.example.test/wiki", "home", "localhost:8080")
    wiki = f"127.0.0.1:{origin_port(world.origin(HomeApp('wiki')))}"
    ssh.forward(key, f"a.example.test:8080:{wiki}", f"b.example.test:80:{local}")
    assert ssh.page("b.example.test") == "home"
    answer = ssh.tunnel.ask(path="/wiki", hostname="a.example.test")
    assert answer.status == 200 and b'"home": "wiki"' in answer.content


def test_a_multiplexed_client_adds_and_takes_back(world, local):
    ssh = SshRelay(world, offline_grace="0s")
    key = ssh.add()
    control = ssh.relay.folder / "control"
    ssh.start(key, "-N", "-M", "-S", control)
    mark = ssh.wait_for("ssh.opened")

    def tell(*words):
        done = subprocess.run(["ssh", "-F", "none", "-S", str(control), *words, "any"], capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == 0, done
        return done.stdout

    wait_until(lambda: subprocess.run(["ssh", "-F", "none", "-S", str(control), "-O", "check", "any"], capture_output=True).returncode == 0, "the master listens")
    for _ in range(2):
        assert ssh.page() in (502, 503)
        tell("-O", "forward", "-R", f"127.0.0.1:8123:{local}")
        mark = ssh.wait_for("tunnel.opened", mark)
        assert ssh.page() == "home"
        tell("-O", "cancel", "-R", f"127.0.0.1:8123:{local}")
        mark = ssh.wait_for("ssh.forward_closed", mark)
        mark = ssh.wait_for("tunnel.closed", mark)
    assert tell("-O", "forward", "-R", f"0:{local}").strip() == str(ssh.relay.port)
    assert ssh.page() == "home"
    assert not ssh.relay.program.events("ssh.closed"), "it is one connection all the time"


@pytest.mark.sanitize
def test_two_agents_with_the_same_forward(world, ssh):
    keys = {name: ssh.add(name, [f"{name}.example.test"]) for name in ("home", "wiki")}
    for name, key in keys.items():
        ssh.forward(key, f"127.0.0.1:8123:127.0.0.1:{origin_port(world.origin(HomeApp(name)))}", user="somebody")
    assert [ssh.page(f"{name}.example.test") for name in keys] == list(keys)


@pytest.mark.parametrize("kind", [("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 3072)])
def test_other_kinds_of_keys(ssh, local, kind):
    key = ssh.add(key=ssh.key("given", *kind))
    ssh.forward(key, f"8123:{local}")
    assert ssh.page() == "home"


@pytest.mark.sanitize
def test_the_port_of_a_tcp_route(world, ssh, local):
    key = ssh.add()
    echo = world.raw_origin(serve_echo)
    port = free_port()
    ssh.relay.admin("tcp-route", "add", f"127.0.0.1:{port}", "home", "mosquitto:1883")
    ssh.forward(key, f"8123:{local}", f"127.0.0.1:{port}:127.0.0.1:{echo.port}")
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as visitor:
        say(visitor, b"hello " * 10000)
    assert ssh.page() == "home"


@pytest.mark.sanitize
def test_each_direction_of_a_connection_ends_by_itself(world, ssh):
    key = ssh.add()
    hashes = world.raw_origin(serve_hash)
    port = free_port()
    ssh.relay.admin("tcp-route", "add", f"127.0.0.1:{port}", "home", "somewhere:1000")
    ssh.forward(key, f"{port}:127.0.0.1:{hashes.port}")
    octets = os.urandom(3 * MIB + 1)
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as visitor:
            visitor.sendall(octets)
            visitor.shutdown(socket.SHUT_WR)
            assert read_all(visitor).decode() == f"{len(octets)} {hashlib.sha256(octets).hexdigest()}"


def visit(ssh, number):
    with ssh.tunnel.visitor() as visitor:
        for turn in range(10):
            assert visitor.ask(path=f"/status/{200 + (number + turn) % 3}").status == 200 + (number + turn) % 3


@pytest.mark.sanitize
def test_fifty_visitors_at_once(ssh, local):
    ssh.forward(ssh.add(), f"8123:{local}")
    failures = []

    def run(number):
        try:
            visit(ssh, number)
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * DEADLINE_S)
    assert failures == []


def pass_both_ways(ssh, octets):
    """At the same time."""
    transfers = [Download(ssh.tunnel, octets), Upload(ssh.tunnel, octets)]
    assert [transfer.finish(10 * DEADLINE_S) for transfer in transfers] == [sha256_of(octets)] * 2


@pytest.fixture
def numbered(world):
    return f"127.0.0.1:{origin_port(world.origin(NumberedHome()))}"


def test_content_passes_both_ways(ssh, numbered):
    ssh.forward(ssh.add(), f"8123:{numbered}")
    pass_both_ways(ssh, 32 * MIB)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_gigabyte_passes_both_ways(ssh, numbered):
    ssh.forward(ssh.add(), f"8123:{numbered}")
    pass_both_ways(ssh, 1024 * MIB)


@pytest.mark.sanitize
def test_keys_are_exchanged_anew_under_load(ssh, numbered):
    client = ssh.forward(ssh.add(), f"8123:{numbered}", words=("-o", "RekeyLimit=1M"))
    pass_both_ways(ssh, 8 * MIB)
    assert len([line for line in client.lines if "SSH2_MSG_NEWKEYS received" in line]) >= 5
    assert ssh.page() == "home"


@pytest.mark.parametrize("words", [("-C",), ("-c", "aes128-gcm@openssh.com"), ("-c", "aes256-gcm@openssh.com"), ("-c", "aes256-ctr", "-m", "hmac-sha2-512-etm@openssh.com")])
def test_ciphers_and_compression(ssh, numbered, words):
    ssh.forward(ssh.add(), f"8123:{numbered}", words=words)
    pass_both_ways(ssh, 4 * MIB)


def test_websockets_pass(ssh, local):
    ssh.forward(ssh.add(), f"8123:{local}")

    async def converse(websocket):
        for text in ("hello", "x" * 300000):
            await websocket.send_str(text)
            assert (await websocket.receive()).data == text
        await websocket.send_bytes(bytes(range(256)) * 1000)
        assert (await websocket.receive()).data == bytes(range(256)) * 1000
        return True

    assert with_aiohttp(ssh.tunnel, converse)
