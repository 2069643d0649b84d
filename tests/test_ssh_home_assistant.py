"""A Home Assistant behind a stock SSH client: nobody at home asks what it would let the Internet do, so the relay does."""
import json

import pytest

from home_assistant.double import HomeAssistant
from support.processes import wait_until
from support.relay import free_port
from support.ssh_client import SshRelay, origin_port


@pytest.fixture
def ssh(world):
    return SshRelay(world)


def target_of(ssh):
    return ssh.live()["targets"][0]


@pytest.mark.sanitize
def test_it_is_not_served_where_everybody_would_be_at_home(world, ssh):
    double = world.keep_origin(HomeAssistant(trusted_networks=["127.0.0.0/8"]))
    ssh.forward(ssh.add(), f"8123:127.0.0.1:{origin_port(double)}")
    answer = ssh.tunnel.ask(path="/double/seen", Accept="application/json")
    assert answer.status == 503 and json.loads(answer.content)["error"]["hop"] == "relay", answer.content
    assert target_of(ssh)["trusted_networks"]
    assert "trusted_networks" in ssh.relay.admin("status").stdout
    assert all(request.target in ("/manifest.json", "/auth/providers") for request in double.requests.all()), "nothing of a visitor's has reached it"
    ssh.relay.admin("route", "set", "home.example.test", "--forward-client-ip", "never")
    assert ssh.page() not in (502, 503), "its owner has decided"


def test_it_is_asked_once_it_is_there(world, ssh):
    port = free_port()
    ssh.forward(ssh.add(), f"8123:127.0.0.1:{port}")
    assert ssh.page() == 502
    world.keep_origin(HomeAssistant(port=port, trusted_networks=["127.0.0.0/8"]))
    wait_until(lambda: ssh.page() == 503, "it has come, and is no better")
