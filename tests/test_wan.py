"""The emulated network does what it is told: measured from outside, with probes of our own."""
import os
import pathlib
import socket
import struct
import subprocess
import threading
import time

import pytest

from support.processes import wait_until
from support.wan import ADDRESS, ADDRESS6, Wan

SLACK_S = 0.25  # how late the most punctual packet may be while others keep the machine busy

SO_RCVBUFFORCE = 33  # asm-generic/socket.h: beyond net.core.rmem_max


class Probe:
    """Numbered UDP packets from one side to the other. Both ends read the same clock, so a delay is measured one way."""

    def __init__(self, wan, source="a", target="b"):
        with wan.inside(target):
            self._receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)  # for a reader that a busy machine keeps waiting
            self._receiver.bind((ADDRESS[target], 0))
        with wan.inside(source):
            self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sender.connect(self._receiver.getsockname())
        self._wan = wan
        self._direction = source + target

    def send(self, count, gap_s=0.001, octets=100):
        """[(number, seconds on the way)] in order of arrival."""
        arrivals = []
        receiving = threading.Thread(target=self._receive, args=(arrivals,))
        receiving.start()
        pause = threading.Event()
        for number in range(count):
            pause.wait(gap_s)
            self._sender.send(struct.pack("!Id", number, time.monotonic()).ljust(octets, b"."))
        self._wait_until_empty(count)
        self._wan.set(self._direction, delay_ms=0, jitter_ms=0, loss=0, burst=1, rate_kbit=0, reorder=0, outage=0)
        self._sender.send(b"end")
        receiving.join(30)
        assert not receiving.is_alive()
        return arrivals

    def _wait_until_empty(self, count):
        def empty():
            counted = self._wan.counters()[self._direction]
            gone = counted["lost"] + counted["queue_dropped"] + counted["vanished"] + counted["left"]
            return counted["entered"] >= count and gone == counted["entered"]
        wait_until(empty, "all packets lost or delivered")

    def _receive(self, arrivals):
        self._receiver.settimeout(30)
        while (packet := self._receiver.recv(65536)) != b"end":
            number, sent = struct.unpack("!Id", packet[:12])
            arrivals.append((number, time.monotonic() - sent))


def in_order(arrivals):
    numbers = [number for number, _ in arrivals]
    return numbers == sorted(numbers)


def connect(wan, source="a", target="b", address=ADDRESS):
    """A TCP connection as (socket at source, socket at target)."""
    family = socket.AF_INET6 if ":" in address[target] else socket.AF_INET
    with wan.inside(target), socket.create_server((address[target], 0), family=family) as listener:
        with wan.inside(source):
            near = socket.create_connection(listener.getsockname()[:2], timeout=30)
        far, _ = listener.accept()
    far.settimeout(30)
    return near, far


def read_exactly(connection, octets):
    data = b""
    while len(data) < octets:
        more = connection.recv(octets - len(data))
        assert more, "closed"
        data += more
    return data


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS6], ids=["IPv4", "IPv6"])
def test_tcp_passes_both_ways(wan, address):
    near, far = connect(wan, address=address)
    octets = os.urandom(1 << 20)
    for source, target in ((near, far), (far, near)):
        sending = threading.Thread(target=source.sendall, args=(octets,))
        sending.start()
        assert read_exactly(target, len(octets)) == octets
        sending.join(30)


def test_delay_holds_for_its_direction_only(wan):
    wan.set("ab", delay_ms=400)
    there = Probe(wan).send(100)
    back = Probe(wan, "b", "a").send(100)
    assert len(there) == len(back) == 100 and in_order(there)
    assert 0.4 <= min(delay for _, delay in there) < 0.4 + SLACK_S
    assert min(delay for _, delay in back) < SLACK_S


def test_jitter_spreads_and_keeps_the_order(wan):
    wan.set(delay_ms=400, jitter_ms=100)
    arrivals = Probe(wan).send(100, gap_s=0.02)
    delays = [delay for _, delay in arrivals]
    assert len(arrivals) == 100 and in_order(arrivals)
    assert 0.3 <= min(delays) < 0.4 < max(delays)


def test_loss_is_as_asked(wan):
    wan.set("ab", loss=10)
    arrivals = Probe(wan).send(3000, gap_s=0)
    assert 3000 - 300 - 100 < len(arrivals) < 3000 - 300 + 100  # six standard deviations
    assert in_order(arrivals)
    assert wan.counters()["ab"]["lost"] >= 3000 - len(arrivals)


def test_losses_come_in_bursts_when_asked(wan):
    def mean_burst(arrivals):
        numbers = [number for number, _ in arrivals]
        gaps = [later - earlier - 1 for earlier, later in zip(numbers, numbers[1:]) if later != earlier + 1]
        return sum(gaps) / len(gaps)
    wan.set(loss=20)
    assert mean_burst(Probe(wan).send(3000, gap_s=0)) < 1.6
    wan.set(loss=20, burst=8)
    assert mean_burst(Probe(wan).send(3000, gap_s=0)) > 4


def test_rate_bounds_what_passes(wan):
    near, far = connect(wan)
    wan.set("ab", rate_kbit=8000, queue_ms=500)
    octets = 1 << 20
    began = time.monotonic()
    sending = threading.Thread(target=near.sendall, args=(bytes(octets),))
    sending.start()
    read_exactly(far, octets)
    took = time.monotonic() - began
    sending.join(30)
    assert octets / took <= 1_000_000  # octets a second, of TCP's content: headers come on top
    assert took < 30


def test_a_full_queue_drops_the_tail(wan):
    wan.set("ab", rate_kbit=1600, queue_ms=300)  # a packet of 1000 octets takes 5 ms
    arrivals = Probe(wan).send(400, gap_s=0, octets=972)  # 2 s worth, as fast as it goes
    assert len(arrivals) < 400 and wan.counters()["ab"]["queue_dropped"] >= 400 - len(arrivals)
    assert min(delay for _, delay in arrivals[-50:]) < 0.305 + SLACK_S  # instead of 2 s


def test_an_outage_swallows_everything_and_tells_nobody(wan):
    near, far = connect(wan)
    probe = Probe(wan)
    with wan.outage():
        near.sendall(b"sent into the void")
        wait_until(lambda: wan.counters()["ab"]["vanished"] >= 2, "the first octets and their repetition")
        far.setblocking(False)
        with pytest.raises(BlockingIOError):
            far.recv(1)
    far.settimeout(30)
    assert read_exactly(far, 18) == b"sent into the void"
    wan.set(outage=1)
    assert probe.send(100) == []


def test_reordered_packets_are_overtaken(wan):
    wan.set("ab", reorder=20, reorder_ms=100, delay_ms=10)
    arrivals = Probe(wan).send(500)
    assert len(arrivals) == 500
    overtaken, highest = 0, -1
    for number, _ in arrivals:
        overtaken += number < highest
        highest = max(highest, number)
    assert 50 < overtaken < 150


def test_tcp_survives_it_all(wan):
    near, far = connect(wan)
    wan.set(delay_ms=5, jitter_ms=4, loss=2, burst=2, reorder=2, reorder_ms=4)
    octets = os.urandom(256 << 10)
    sending = threading.Thread(target=near.sendall, args=(octets,))
    sending.start()
    assert read_exactly(far, len(octets)) == octets
    sending.join(30)


def test_a_wrong_setting_is_refused_and_changes_nothing(wan):
    wan.set(delay_ms=1)
    for wrong in ({"colour": 1}, {"loss": 101}, {"loss": 0.5, "burst": 0}):
        with pytest.raises(ValueError):
            wan.set(**wrong)
    assert len(Probe(wan).send(100)) == 100


def test_an_address_can_change(wan):
    near, far = connect(wan)
    near.sendall(b"x")
    assert read_exactly(far, 1) == b"x"
    wan.change_address("a", ADDRESS["a"], "198.18.0.77")
    with wan.inside("b"), socket.create_server((ADDRESS["b"], 0)) as listener:
        with wan.inside("a"):
            later = socket.create_connection(listener.getsockname(), timeout=30)
        far, _ = listener.accept()
    assert far.getpeername()[0] == "198.18.0.77"
    later.close()


def test_nothing_is_left_even_after_a_failure():
    with pytest.raises(ZeroDivisionError), Wan() as wan:
        names = set(wan.namespaces.values())
        sleeper = wan.run_in("a", ["sleep", "600"])
        emulator = wan._emulator
        raise ZeroDivisionError
    assert sleeper.returncode is not None and emulator.returncode == 0
    assert not names & {path.name for path in pathlib.Path("/run/netns").iterdir()}


def test_programs_run_where_they_are_told(wan):
    seen = wan.run_in("b", ["ip", "-o", "addr", "show", "dev", "wan0"], stdout=subprocess.PIPE, text=True).communicate(timeout=30)[0]
    assert ADDRESS["b"] in seen and ADDRESS["a"] not in seen
