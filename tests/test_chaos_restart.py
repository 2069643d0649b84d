"""A relay that dies under many agents: all come back by themselves."""
import datetime
import os
import pathlib

import pytest

from support.processes import Program, parse_event
from support.relay import BINARY, clean_environment

AGENTS = 200
IDLE_AGENTS = os.environ.get("SALLYPORT_IDLE_AGENTS") or str(pathlib.Path(BINARY).parent.parent / "bench" / "idle_agents")


@pytest.fixture
def crowd(world):
    """A relay and that many agents, all of them in one process."""
    if not os.access(IDLE_AGENTS, os.X_OK):
        pytest.skip(f"{IDLE_AGENTS} is not built")
    relay = world.relay()
    codes = [relay.add_agent(f"home{number}", [f"home{number}.example.test"])["enroll"] for number in range(AGENTS)]
    program = Program("idle agents", [IDLE_AGENTS], env=clean_environment(), stdin="\n".join(codes) + "\n")
    try:
        program.wait_for_line(lambda line: line == f"connected {AGENTS}", "all agents connected", deadline_s=60)
        yield relay
    finally:
        program.kill()


def opened_at(relay):
    """When each agent's tunnel was first opened, as seconds since the relay was ready."""
    ready = relay.program.events("relay.ready")[0]
    first = {}
    for event in relay.program.events("tunnel.opened"):
        first.setdefault(event["agent"], event)
    return sorted((_time(event) - _time(ready)).total_seconds() for event in first.values())


def _time(event):
    return datetime.datetime.fromisoformat(event["time"])


@pytest.mark.timeout(200)
def test_two_hundred_agents_come_back(crowd):
    crowd.program.kill()
    crowd.start()
    names = set()

    def is_last(line):
        event = parse_event(line)
        if event.get("event") == "tunnel.opened":
            names.add(event["agent"])
        return len(names) == AGENTS

    crowd.program.wait_for_line(is_last, "all agents back", deadline_s=90)
    seconds = opened_at(crowd)
    print(f"{AGENTS} agents were back between {seconds[0]:.2f} and {seconds[-1]:.2f} s, half of them by {seconds[AGENTS // 2]:.2f} s")
