"""Connections between agent and relay that break at chosen and at random octets, or fall silent on one side."""
import asyncio
import random
import threading

import pytest

from support.cutter import Cutter
from support.distant import QUICK_HEARTBEAT, expect_recovery, seconds_until_served, with_websocket
from support.transfers import Download, Events, NumberedHome, Upload, sha256_of

MIB = 1 << 20
TAKEOVER_S = 2  # how long a dead session may hold its agent's name


@pytest.fixture
def cutter(world):
    return world.keep_origin(Cutter())


def make_tunnel(world, cutter, **agent_config):
    relay = world.relay(public_url=f"https://127.0.0.1:{cutter.port}")
    cutter.target = ("127.0.0.1", relay.port)
    return world.tunnel(world.origin(NumberedHome()), relay=relay, agent_config=agent_config)


@pytest.fixture
def tunnel(world, cutter):
    return make_tunnel(world, cutter, **QUICK_HEARTBEAT)


class RandomCuts:
    """Cuts again and again at random octets, until the `with` ends; at least once."""

    def __init__(self, cutter, seed, most_octets):
        self._cutter = cutter
        self._random = random.Random(seed)
        self._most = most_octets
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join(30)

    @property
    def count(self):
        return len(self._cutter.cuts.all())

    def _run(self):
        while not self._ending.is_set():
            before = self.count
            # Small numbers hit handshakes, large ones the middle of a transfer.
            self._cutter.cut_after(self._random.choice([self._random.randrange(6000), self._random.randrange(self._most)]))
            while self.count == before and not self._ending.wait(0.005):
                pass


# --- whole sessions ---

@pytest.mark.parametrize("octets", [0, 1, 50, 517, 1000, 1500, 2000, 2300, 2600, 3000])
def test_a_cut_anywhere_in_the_opening_is_tried_again(cutter, tunnel, octets):
    cutter.cut()
    cutter.cut_after(octets)
    seconds_until_served(tunnel)


def test_an_agent_whose_relay_refuses_and_then_hangs_finds_it_later(cutter, tunnel):
    with cutter.refusing():
        mark = tunnel.agent.program.mark()
        cutter.cut()
        tunnel.agent.wait_for_event("agent.dial_failed", after=mark)
        tunnel.agent.wait_for_event("agent.dial_failed", after=tunnel.agent.program.mark())
    tunnel.agent.wait_until_connected(after=mark)
    with cutter.frozen():
        mark = tunnel.agent.program.mark()
        tunnel.agent.program.wait_for_line(lambda line: "event=agent." in line, "the agent to notice", after=mark)
    assert tunnel.ask().status == 200


def test_an_agent_left_alone_with_a_half_open_connection(cutter, tunnel):
    """The relay's end is gone, the agent's looks as before: its heartbeat finds out, and the visitor only waits."""
    mark = tunnel.relay.program.mark()
    cutter.lose_relay_side()
    tunnel.relay.program.wait_for_line(lambda line: "event=tunnel." in line, "the relay to notice", after=mark)
    expect_recovery(seconds_until_served(tunnel), 1.5 + TAKEOVER_S)


def test_a_relay_left_alone_with_a_half_open_connection(cutter, tunnel):
    """The agent is back at once; the session that looks alive holds its name for no longer than promised."""
    cutter.lose_agent_side()
    expect_recovery(seconds_until_served(tunnel), TAKEOVER_S)


# --- sessions that outlive their connections ---

FEW_SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 21))]


async def converse_in_numbers(websocket, seed, count):
    """All are sent while the answers are read: none may be missing, doubled or out of place."""
    lengths = random.Random(seed)
    messages = [f"{number} ".ljust(lengths.choice([8, 100, 3000]), ".") for number in range(count)]

    async def send():
        for message in messages:
            await websocket.send_str(message)
    sending = asyncio.ensure_future(send())
    for message in messages:
        assert await websocket.receive_str() == message
    await sending


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_everything_at_once_is_exact_through_cuts(cutter, tunnel, seed):
    with RandomCuts(cutter, seed, 64 * MIB) as cuts:
        download, upload, events = Download(tunnel, 256 * MIB), Upload(tunnel, 256 * MIB), Events(tunnel, 20_000)
        with_websocket(tunnel, lambda websocket: converse_in_numbers(websocket, seed, 1000), deadline_s=300)
        events.finish(300)
        assert download.finish(300) == upload.finish(300) == sha256_of(256 * MIB)
    print(cuts.count, "cuts")
    assert cuts.count >= 5


@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_numbered_messages_pass_exactly_once_through_cuts(cutter, tunnel, seed):
    with RandomCuts(cutter, seed, 200_000) as cuts:
        with_websocket(tunnel, lambda websocket: converse_in_numbers(websocket, seed, 800), deadline_s=100)
    assert cuts.count >= 5


def test_a_transfer_outlives_either_end_of_its_connection(cutter, tunnel):
    download, upload = Download(tunnel, 64 * MIB), Upload(tunnel, 64 * MIB)
    for lose in (cutter.lose_relay_side, cutter.lose_agent_side, cutter.lose_relay_side):
        download.wait_for(download.passed() + 4 * MIB)
        upload.wait_for(upload.passed() + 4 * MIB)
        lose()
    assert download.finish() == upload.finish() == sha256_of(64 * MIB)


def test_a_session_is_resumed_not_opened_anew(cutter, tunnel):
    async def converse(websocket):
        mark = tunnel.relay.program.mark()
        for number in range(5):
            cutter.cut()
            await websocket.send_str(str(number))
            assert await websocket.receive_str() == str(number)
        later = tunnel.relay.program.lines[mark:]
        assert not [line for line in later if "event=tunnel.opened" in line or "event=tunnel.closed" in line]
    with_websocket(tunnel, converse)
