"""What an agent does when its relay stops: it goes on serving, and is there when the next one comes."""
import pytest

from support.home_app import HomeApp


@pytest.mark.sanitize
def test_an_agent_serves_a_draining_relay_and_finds_the_next(world):
    app = HomeApp()
    origin = world.origin(app)
    tunnel = world.tunnel(origin, drain_timeout="60s")
    with tunnel.visitor() as visitor:
        visitor.request(path="/fed")
        visitor.read_until(b": open\n\n")
        tunnel.relay.program.signal(15)
        tunnel.agent.wait_for_event("agent.relay_drains", deadline_ms=60000)
        tunnel.agent.wait_for_event("agent.dial_failed")  # nobody takes it, but it asks
        origin.call(app.feed(b"data: still here\n\n"))
        visitor.read_until(b"data: still here\n\n")
        mark = tunnel.agent.program.mark()
        origin.call(app.feed(None))
        visitor.read_until(b"0\r\n\r\n")
    tunnel.agent.wait_for_event("agent.disconnected", after=mark, session="drained")
    assert tunnel.relay.program.wait() == 0
    tunnel.relay.start()
    tunnel.agent.wait_until_connected(after=mark)
    assert tunnel.ask().status == 200
