"""What one SSH client, its home or a visitor does to all the others: nothing, and no memory of the relay's either."""
import select
import signal
import subprocess
import threading

import pytest

from conftest import UNDER_SANITIZER
from support.home_app import HomeApp
from support.processes import DEADLINE_S, wait_until
from support.ssh_client import SshRelay, origin_port

HOME, WIKI = "home.example.test", "wiki.example.test"
MIB = 1 << 20
MOST_KIB = (512 if UNDER_SANITIZER else 64) * 1024  # that it may grow by; AddressSanitizer keeps what was freed


@pytest.fixture
def ssh(world):
    return SshRelay(world)


@pytest.fixture
def local(world):
    return f"127.0.0.1:{origin_port(world.origin(HomeApp()))}"


def push(visitor, octets):
    """An upload, as far as it is taken; how far."""
    visitor.send(f"POST /hash HTTP/1.1\r\nHost: {visitor.hostname}\r\nContent-Length: {octets}\r\n\r\n")
    visitor.socket.setblocking(False)
    sent, block = 0, bytes(65536)
    while sent < octets:
        if not select.select([], [visitor.socket], [], 1)[1]:
            return sent
        try:
            sent += visitor.socket.send(block[:octets - sent])
        except (BlockingIOError, OSError):
            continue
    return sent


@pytest.mark.sanitize
def test_a_client_that_stops_reading_costs_nobody_else_anything(world, local):
    ssh = SshRelay(world, heartbeat_interval="10m")  # or it would be cut one day
    wiki = f"127.0.0.1:{origin_port(world.origin(HomeApp('wiki')))}"
    stuck = ssh.forward(ssh.add(), f"8123:{local}")
    ssh.forward(ssh.add("wiki", [WIKI]), f"8123:{wiki}")
    assert [ssh.page(HOME), ssh.page(WIKI)] == ["home", "wiki"]
    before = ssh.relay.program.resident_kib()
    stuck.signal(signal.SIGSTOP)
    visitors = [ssh.tunnel.visitor(HOME) for _ in range(4)]
    pushed = sum(push(visitor, 32 * MIB) for visitor in visitors)
    assert pushed < 4 * 32 * MIB, "it can't all have gone somewhere"
    for _ in range(10):
        assert ssh.page(WIKI) == "wiki"
    assert ssh.relay.program.resident_kib() - before < MOST_KIB
    for visitor in visitors:
        visitor.close()
    stuck.signal(signal.SIGCONT)
    wait_until(lambda: ssh.page(HOME) == "home", "it serves again")


@pytest.mark.sanitize
def test_a_service_that_never_reads_blocks_its_own_connection_only(world, ssh):
    release = threading.Event()
    deaf = world.raw_origin(lambda _connection: release.wait(4 * DEADLINE_S))
    key = ssh.add(hostnames=[HOME])
    ssh.relay.admin("route", "add", WIKI, "home", "localhost:8080")
    ssh.forward(key, f"{HOME}:80:127.0.0.1:{deaf.port}", f"{WIKI}:80:127.0.0.1:{origin_port(world.origin(HomeApp('wiki')))}")
    assert ssh.page(WIKI) == "wiki"
    before = ssh.relay.program.resident_kib()
    visitors = [ssh.tunnel.visitor(HOME) for _ in range(4)]
    assert all(push(visitor, 64 * MIB) < 64 * MIB for visitor in visitors)
    for _ in range(10):
        assert ssh.page(WIKI) == "wiki", "by the same SSH connection"
    assert ssh.relay.program.resident_kib() - before < MOST_KIB
    release.set()


def test_a_visitor_that_never_reads(ssh, local):
    """The answer waits at home, not in the relay."""
    ssh.forward(ssh.add(), f"8123:{local}")
    assert ssh.page() == "home"
    before = ssh.relay.program.resident_kib()
    deaf = [ssh.tunnel.visitor(receive_buffer=4096) for _ in range(4)]
    for visitor in deaf:
        visitor.request(path=f"/content/{256 * MIB}")
        assert visitor.read_head().status == 200
    for _ in range(20):
        assert ssh.page() == "home"
    assert ssh.relay.program.resident_kib() - before < MOST_KIB


@pytest.mark.sanitize
def test_a_client_has_few_sessions_and_connections(ssh, local):
    """Five sessions of one connection, twenty connections of one agent: those beyond the bound are told."""
    key, control = ssh.add(), ssh.relay.folder / "control"
    ssh.start(key, "-N", "-M", "-S", control, "-R", f"8123:{local}")
    ssh.relay.wait_for_event("tunnel.opened")
    wait_until(lambda: control.exists(), "the master listens")
    sessions = [subprocess.Popen(["ssh", "-F", "none", "-S", str(control), "-T", "any"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for _ in range(5)]
    wait_until(lambda: any(session.poll() is not None for session in sessions), "one too many")
    over = [session for session in sessions if session.poll() is not None]
    assert [session.returncode != 0 for session in over] == [True]
    for session in sessions:
        session.communicate(timeout=DEADLINE_S)
    many = [ssh.start(key, "-N") for _ in range(16)]
    wait_until(lambda: any(not client.running for client in many), "one too many")
    ended = [client for client in many if not client.running]
    assert [client.wait() for client in ended] == [255] and "this agent has 16 SSH connections already" in "\n".join(ended[0].lines)
    assert ssh.page() == "home"
