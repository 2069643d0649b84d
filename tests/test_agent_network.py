"""What the agent makes of the machine's network: none at all, one that changes, names that hang or lie."""
import socket
import subprocess
import threading

import pytest

from support.distant import HOSTNAME, DistantTunnel
from support.home_app import HomeApp
from support.resolver import Resolver
from support.wan import ADDRESS

NAME = "relay.example.test"  # resolved by the test's own name server
NEVER = {"reconnect_base": "1h", "reconnect_max": "1h"}


def ip(wan, side, *words):
    done = wan.run_in(side, ["ip", *words], stderr=subprocess.PIPE, text=True)
    assert done.wait(30) == 0, done.stderr.read()


def test_an_agent_started_without_network_connects_when_there_is_one(wan, world):
    with wan.inside("b"):
        relay = world.relay(host=ADDRESS["b"])
    ip(wan, "a", "link", "set", "wan0", "down")
    code = relay.add_agent("home", [HOSTNAME])["enroll"]
    with wan.inside("a"):
        agent = world.agent(code, **NEVER)
    agent.wait_for_event("agent.not_connected", cause="network")
    ip(wan, "a", "link", "set", "wan0", "up")
    agent.wait_for_event("agent.network_changed")
    agent.wait_until_connected()


def test_an_idle_tunnel_is_looked_at_when_the_address_changes(wan, world):
    """Heartbeats are so far apart that they can't be what notices."""
    tunnel = DistantTunnel(wan, world, HomeApp(), agent_config={"heartbeat_interval": "10m", "heartbeat_timeout": "5m"})
    assert tunnel.ask().status == 200
    mark = tunnel.agent.program.mark()
    wan.change_address("a", ADDRESS["a"], "198.18.0.77")
    tunnel.agent.wait_for_event("agent.network_changed", after=mark)
    tunnel.agent.wait_for_event("agent.connected", after=mark, session="resumed")
    assert tunnel.ask().status == 200


@pytest.fixture
def resolver(tmp_path):
    with Resolver(tmp_path) as made:
        yield made


def agent_by_name(world, relay, resolver):
    code = relay.add_agent("home", [HOSTNAME])["enroll"]
    return world.agent(code, within=resolver.within, relay_url=f"wss://{NAME}:{relay.port}")


def test_a_name_that_hangs_is_asked_for_until_it_answers(world, resolver):
    relay = world.relay()
    agent = agent_by_name(world, relay, resolver)
    failed = agent.wait_for_event("agent.not_connected", cause="network")
    assert "resolv" in failed["reason"]
    resolver.wait_for_query(2)
    resolver.address = "127.0.0.1"
    agent.wait_until_connected()


class Stranger:
    """Takes connections and ends them."""

    def __init__(self, address, port):
        self._listener = socket.create_server((address, port))
        self.came = threading.Event()
        threading.Thread(target=self._accept, name="stranger", daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.close()
            self.came.set()

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def test_a_name_that_lies_is_asked_for_anew_each_time(world, resolver):
    relay = world.relay()
    elsewhere = "127.0.0.77"  # nobody listens there, at first
    resolver.address = elsewhere
    agent = agent_by_name(world, relay, resolver)
    agent.wait_for_event("agent.dial_failed")
    stranger = world.keep_origin(Stranger(elsewhere, relay.port))
    assert stranger.came.wait(60)
    assert not agent.program.events("agent.connected")
    resolver.address = "127.0.0.1"
    agent.wait_until_connected()
