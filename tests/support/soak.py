"""A home under mixed load while its network, its agent and the owner do what they do over months; and whether anything leaks."""
import asyncio
import collections
import contextlib
import hashlib
import random
import signal
import threading
import time

from support.distant import with_websocket
from support.home_app import BLOCK
from support.processes import DEADLINE_S, wait_until
from support.transfers import numbered, sha256_of

MIB = 1 << 20
PATIENCE_S = 4 * DEADLINE_S  # of a visitor: several faults may fall into one transfer


class Faults:
    """One after another, until told to end. What they excuse: requests that were under way when the agent was killed."""

    def __init__(self, tunnel, cutter, seed):
        self._tunnel, self._cutter = tunnel, cutter
        self._random = random.Random(seed)
        self._kills = []  # (began, served again), monotonic
        self.counts = collections.Counter()

    def run(self, ending):
        faults = [self._cut, self._cut, self._cut_soon, self._freeze, self._freeze, self._lose_relay_side, self._reload, self._kill_agent]
        while not ending.wait(self._random.uniform(0.5, 3)):
            fault = self._random.choice(faults)
            fault()
            self.counts[fault.__name__.strip("_")] += 1

    def excuse(self, began, ended):
        return any(began <= end and ended >= start for start, end in self._kills)

    def _cut(self):
        self._cutter.cut()

    def _cut_soon(self):
        self._cutter.cut_after(self._random.randrange(2 * MIB))

    def _freeze(self):
        with self._cutter.frozen():
            time.sleep(self._random.uniform(0.1, 4))  # how long the network is away is what this is about

    def _lose_relay_side(self):
        self._cutter.lose_relay_side()

    def _reload(self):
        if self._random.random() < 0.5:
            self._tunnel.relay.admin("reload")
        else:
            mark = self._tunnel.relay.program.mark()
            self._tunnel.relay.program.signal(signal.SIGHUP)
            self._tunnel.relay.wait_for_event("relay.reloaded", after=mark)

    def _kill_agent(self):
        agent = self._tunnel.agent
        start = time.monotonic()
        self._kills.append((start, float("inf")))
        agent.kill()
        agent.start()
        agent.wait_until_connected()
        self._kills[-1] = (start, time.monotonic())


class Load:
    """Visitors of every kind, each in a thread of its own. `errors` holds what none of them should have seen."""

    def __init__(self, tunnel, origin, faults, seed):
        self._tunnel, self._origin, self._faults = tunnel, origin, faults
        self._seed = seed
        self.done = collections.Counter()
        self.excused = collections.Counter()
        self.errors = []

    def kinds(self):
        return [self._page, self._page, self._download, self._upload, self._websocket, self._events, self._bad_request, self._leave_early]

    def run(self, kind, number, ending):
        rng = random.Random(f"{self._seed}-{number}")
        name = kind.__name__.strip("_")
        while not ending.is_set():
            began = time.monotonic()
            try:
                kind(rng)
                self.done[name] += 1
            except Exception as error:  # every kind of failure is one that a visitor saw
                if self._faults.excuse(began, time.monotonic()):
                    self.excused[name] += 1
                else:
                    self.errors.append(f"{name} after {time.monotonic() - began:.1f} s: {type(error).__name__}: {str(error)[:300]}")
            ending.wait(rng.uniform(0, 0.1))

    def _visitor(self):
        visitor = self._tunnel.visitor()
        visitor.socket.settimeout(PATIENCE_S)
        return visitor

    def _page(self, rng):
        with self._visitor() as visitor:
            for _ in range(rng.randrange(1, 20)):
                answer = visitor.ask(path="/")
                assert answer.status == 200, (answer.status, answer.content[:200])

    def _download(self, rng):
        octets = rng.choice([rng.randrange(1, 100_000), rng.randrange(1, 16 * MIB)])
        with self._visitor() as visitor:
            answer = visitor.ask(path=f"/{rng.choice(['content', 'chunked'])}/{octets}")
            assert answer.status == 200, (answer.status, answer.content[:200])
            assert hashlib.sha256(answer.content).hexdigest() == sha256_of(octets)

    def _upload(self, rng):
        octets = rng.choice([rng.randrange(1, 100_000), rng.randrange(1, 16 * MIB)])
        with self._visitor() as visitor:
            visitor.send(f"POST /hash HTTP/1.1\r\nHost: {visitor.hostname}\r\nContent-Length: {octets}\r\n\r\n")
            for block in numbered(octets):
                visitor.send(block)
            answer = visitor.read_response()
            assert answer.status == 200 and sha256_of(octets).encode() in answer.content, (answer.status, answer.content[:200])

    def _websocket(self, rng):
        async def converse(websocket):
            for number in range(rng.randrange(1, 200)):
                message = f"{number} " + "x" * rng.randrange(2000)
                await websocket.send_str(message)
                assert await websocket.receive_str(timeout=PATIENCE_S) == message
                await asyncio.sleep(0.01)
        with_websocket(self._tunnel, converse, deadline_s=PATIENCE_S)

    def _events(self, rng):
        with self._visitor() as visitor:
            visitor.request(path="/fed")
            answer = visitor.read_head()
            assert answer.status == 200, answer
            for _ in range(rng.randrange(1, 20)):
                self._origin.call(self._origin.app.feed(b"data: tick\n\n"))
                visitor.read_until(b"data: tick\n\n")

    def _bad_request(self, rng):
        with self._visitor() as visitor:
            visitor.send(rng.choice(["GET / HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", "\x00\x01\r\n\r\n",
                                     f"POST / HTTP/1.1\r\nHost: {visitor.hostname}\r\nContent-Length: 3, 4\r\n\r\n"]))
            assert visitor.read_response().status in (400, 421), "of a bad request"

    def _leave_early(self, rng):
        """In the middle of a transfer, or before the answer."""
        visitor = self._visitor()
        if rng.random() < 0.5:
            visitor.request(path=f"/content/{16 * MIB}")
            visitor.read_head()
            visitor.read_exactly(rng.randrange(len(BLOCK)))
        else:
            visitor.send(f"POST /hash HTTP/1.1\r\nHost: {visitor.hostname}\r\nContent-Length: {MIB}\r\n\r\n" + "x" * rng.randrange(50_000))
        visitor.reset() if rng.random() < 0.5 else visitor.close()


class Sample:
    """Memory and descriptors of both programs at one moment."""

    def __init__(self, began, tunnel):
        self.at_s = time.monotonic() - began
        self.pss_kib, self.descriptors = {}, {}
        for name, running in (("relay", tunnel.relay), ("agent", tunnel.agent)):
            with contextlib.suppress(OSError):  # killed just now
                self.pss_kib[name] = pss_kib(running.program.pid)
                self.descriptors[name] = running.program.thread_and_fd_count()[1]


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


class Soak:
    def __init__(self, tunnel, origin, cutter, seed=1):
        self._tunnel = tunnel
        self._faults = Faults(tunnel, cutter, seed)
        self._load = Load(tunnel, origin, self._faults, seed)
        self.samples = []
        self.before = self.after = None

    def run(self, seconds, samples=20):
        began = time.monotonic()
        self._warm_up()
        self.before = self._quiet(began)
        ending = threading.Event()
        visitors = [threading.Thread(target=self._load.run, args=(kind, number, ending), daemon=True) for number, kind in enumerate(self._load.kinds())]
        faults_ended = threading.Event()
        failure = []

        def make_faults():
            try:
                self._faults.run(ending)
            except Exception as error:  # what the owner's commands or the agent's return came to
                failure.append(f"a fault could not be made good: {error}")
            faults_ended.set()

        threads = [*visitors, threading.Thread(target=make_faults, daemon=True)]
        for thread in threads:
            thread.start()
        for _ in range(samples):
            ending.wait(seconds / samples)
            self.samples.append(Sample(began, self._tunnel))
        ending.set()
        for thread in threads:
            thread.join(PATIENCE_S + DEADLINE_S)
        self._load.errors += failure + [f"{thread.name} is stuck" for thread in threads if thread.is_alive()]
        self.after = self._quiet(began)

    def _warm_up(self):
        """Each kind once, so that what is made at first use is there before counting."""
        for number, kind in enumerate(self._load.kinds()):
            kind(random.Random(number))

    def _quiet(self, began):
        """Once nothing is under way any more: connections to the service at home are kept for a visitor, and gone with it."""
        def counts():
            metrics = self._tunnel.relay.metrics()
            return metrics["sallyport_open_streams"], metrics["sallyport_requests_in_flight"], metrics["sallyport_upgraded_streams"]
        wait_until(lambda: counts() == (1.0, 0.0, 0.0) or counts() == (0.0, 0.0, 0.0), "nothing under way", deadline_s=PATIENCE_S)
        best = None
        for _ in range(20):  # what is closed now was in use a moment ago
            sample = Sample(began, self._tunnel)
            if best is None or sum(sample.descriptors.values()) < sum(best.descriptors.values()):
                best = sample
            time.sleep(0.25)
        return best

    # --- what came out ---

    def problems(self):
        found = [f"{len(self._load.errors)} errors that no visitor should see: " + "; ".join(self._load.errors[:5])] if self._load.errors else []
        for name in ("relay", "agent"):
            grown = self.after.descriptors[name] - self.before.descriptors[name]
            if grown > 2:  # a scrape or a command may be closing
                found.append(f"{name}: {grown} more descriptors than before")
        # Of the relay alone: the agent was killed and has started anew.
        middle = [sample.pss_kib["relay"] for sample in self.samples[len(self.samples) // 3:2 * len(self.samples) // 3] if "relay" in sample.pss_kib]
        last = [sample.pss_kib["relay"] for sample in self.samples[2 * len(self.samples) // 3:] if "relay" in sample.pss_kib]
        if middle and last and min(last) > max(middle) * 1.1 + 4096:
            found.append(f"relay: memory grows under load, from {max(middle)} to {min(last)} KiB")
        ceiling = max(middle or [0]) + 4096
        if self.after.pss_kib["relay"] > ceiling:
            found.append(f"relay: {self.after.pss_kib['relay']} KiB when quiet again, more than under load ({ceiling})")
        return found

    def table(self):
        head = f"{'':>8} {'relay KiB':>10} {'descriptors':>12} {'agent KiB':>10} {'descriptors':>12}"
        lines = [head, "-" * len(head)]
        for label, sample in [("before", self.before), *((f"{sample.at_s:.0f} s", sample) for sample in self.samples), ("after", self.after)]:
            cells = [str(of.get(name, "-")) for name in ("relay", "agent") for of in (sample.pss_kib, sample.descriptors)]
            lines.append(f"{label:>8} {cells[0]:>10} {cells[1]:>12} {cells[2]:>10} {cells[3]:>12}")

        def told(counts):
            return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
        lines += [f"done: {told(self._load.done)}", f"faults: {told(self._faults.counts)}",
                  f"failed with the agent that was killed: {told(self._load.excused)}", f"errors: {len(self._load.errors)}"]
        lines += [f"PROBLEM: {problem}" for problem in self.problems()]
        return "\n".join([*lines, "flat, nothing leaked" if not self.problems() else "not as it should be"])
