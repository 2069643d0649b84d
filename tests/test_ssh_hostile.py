"""SSH clients with a key that mean harm: they ask for what no ssh would, and never read."""
import pytest

from support.home_app import HomeApp
from support.libssh_client import LibsshClient
from support.processes import wait_until
from support.ssh_client import SshRelay, origin_port

WIKI = "wiki.example.test"
FORWARDS, SESSIONS = 64, 4  # of one client


class Attacked(SshRelay):
    """A neighbour is served all the while."""

    def __init__(self, world, **config):
        super().__init__(world, **config)
        self.key_of_home = self.add()
        self.forward(self.add("wiki", [WIKI]), f"8123:127.0.0.1:{origin_port(world.origin(HomeApp('wiki')))}")
        assert self.page(WIKI) == "wiki"

    def attacker(self):
        return LibsshClient(self.port, self.key_of_home)

    def check(self):
        assert self.page(WIKI) == "wiki"
        assert self.relay.program.running


@pytest.fixture
def attacked(world):
    return Attacked(world, offline_grace="0s")


@pytest.mark.sanitize
def test_odd_names_and_too_many_forwards(attacked):
    client = attacked.attacker()
    assert client.forward(b"127.0.0.1", 8123)
    for address in (b"\xff\xfe", b"a" * 300, b"a" * 20_000, b"a\nb", b"*.example.test", b"..", b"-", b"0x7f.1", b"%s%n", b"localhost.", b"192.0.2.1", b"::ffff:192.0.2.1"):
        assert not client.forward(address, 80), address
    assert not client.forward(b"127.0.0.1", 8123), "it is there"
    accepted = [port for port in range(1, 2 * FORWARDS) if client.forward(b"127.0.0.1", port)]
    assert accepted == list(range(1, FORWARDS))
    assert attacked.relay.metrics()["sallyport_ssh_forwards"] == FORWARDS + 1
    client.cancel(b"nowhere", 5)
    for port in accepted + accepted:
        client.cancel(b"127.0.0.1", port)
    client.cancel(b"127.0.0.1", 8123)
    attacked.relay.wait_for_event("tunnel.closed", agent="home")
    assert attacked.relay.metrics()["sallyport_ssh_forwards"] == 1
    assert client.forward(b"127.0.0.1", 8123)
    attacked.check()
    client.vanish()
    wait_until(lambda: attacked.live() is None, "it is gone")


@pytest.mark.sanitize
def test_channels_without_end_and_without_answer(attacked):
    client = attacked.attacker()
    assert client.forward(b"127.0.0.1", 8123)
    sessions = [client.open_session() for _ in range(10 * SESSIONS)]
    assert len([session for session in sessions if session]) == SESSIONS
    assert not any(client.reach(b"127.0.0.1", port) for port in range(1, 100))
    before = attacked.relay.program.resident_kib()
    visitors = [attacked.tunnel.visitor() for _ in range(60)]  # each a channel that is never answered
    for visitor in visitors:
        visitor.request(path="/never")
    for _ in range(1000):
        for session in filter(None, sessions):
            client.write(session, bytes(30_000))
    attacked.check()
    assert attacked.relay.program.resident_kib() - before < 256 * 1024
    client.vanish()
    for visitor in visitors:
        assert visitor.read_response().status in (502, 503, 504)
        visitor.close()
    attacked.check()


@pytest.mark.sanitize
def test_clients_that_come_and_go(attacked):
    for number in range(40):
        client = attacked.attacker()
        if number % 2:
            client.forward(b"", 0)
            client.open_session()
        client.vanish()
    attacked.check()
    wait_until(lambda: attacked.relay.metrics()["sallyport_ssh_clients"] == 1, "all are gone")
    assert attacked.relay.metrics()["sallyport_ssh_forwards"] == 1
