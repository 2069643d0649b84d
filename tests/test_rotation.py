"""A new credential for an agent, with the old one beside it for a while."""
import json

import pytest

from support.home_app import HomeApp
from support.processes import wait_until


def credentials(relay, name="home"):
    return relay.admin_json("agent", "show", name)["agent"]["credentials"]


@pytest.mark.sanitize
def test_the_old_credential_works_until_the_new_one_is_there(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    relay, agent = tunnel.relay, tunnel.agent
    code = relay.admin_json("agent", "rotate", "home", "--keep-old", "1h")["enroll"]
    told = agent.wait_for_event("agent.credential_rotated")
    assert 0 < int(told["deadline_ms"]) <= 3_600_000
    assert tunnel.ask().status == 200
    assert "works until" in relay.admin("agent", "show", "home").stdout

    # The new one comes while the old one is connected, and has its place at once.
    mark = relay.program.mark()
    newcomer = world.agent(code, name="new")
    newcomer.wait_until_connected()
    closed = relay.wait_for_event("tunnel.closed", agent="home", after=mark)
    assert "new credential" in closed["detail"]
    assert tunnel.ask().status == 200
    # Then the old one is refused as what it is: another process with a credential of the same agent.
    relay.wait_for_event("tunnel.refused", agent="home", reason="duplicate_live", after=mark)
    assert tunnel.ask().status == 200


@pytest.mark.sanitize
def test_what_still_uses_the_old_one_is_cut_at_the_deadline_even_after_a_restart(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    relay, agent = tunnel.relay, tunnel.agent
    relay.admin("agent", "rotate", "home", "--keep-old", "1h")
    relay.admin("agent", "rotate", "home", "--keep-old", "2h")  # an earlier deadline isn't put off
    old = next(c for c in credentials(relay) if c["kind"] == "ed25519")
    mark = agent.program.mark()
    relay.restart()
    agent.wait_until_connected(after=mark)
    agent.wait_for_event("agent.credential_rotated", after=mark)
    assert next(c for c in credentials(relay) if c["kind"] == "ed25519") == old, "the restart has changed nothing"
    mark = relay.program.mark()
    relay.admin("agent", "rotate", "home", "--keep-old", "2s")
    relay.wait_for_event("credential.retired", credential=old["id"], after=mark)
    closed = relay.wait_for_event("tunnel.closed", agent="home", after=mark)
    assert "revoked" in closed["detail"]
    agent.wait_for_event("agent.not_connected", after=mark)
    wait_until(lambda: tunnel.ask().status == 503, "visitors hear that it isn't connected")
    assert all(c["revoked"] for c in credentials(relay) if c["kind"] == "ed25519")
    assert "credential.revoke" in json.dumps(relay.admin_json("audit")) and "rotation" in json.dumps(relay.admin_json("audit"))


@pytest.mark.sanitize
def test_without_an_overlap_it_is_cut_at_once(world):
    tunnel = world.tunnel(world.origin(HomeApp()))
    relay = tunnel.relay
    relay.admin("agent", "rotate", "home")
    assert "revoked" in relay.wait_for_event("tunnel.closed", agent="home")["detail"]
    assert relay.admin("agent", "rotate", "home", "--keep-old", "1y", check=False).returncode != 0
    assert relay.admin("agent", "rotate", "home", "--keep-old", "721h", check=False).returncode != 0
