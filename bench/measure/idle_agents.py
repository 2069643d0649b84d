"""What idle agents cost a relay of its own: memory, CPU at rest, and how long a restart keeps them away."""
import http.client
import json
import os
import re
import resource
import socket
import tempfile
import time

from peers.process import BenchError, Process
from peers.sallyport import Relay

from .cpu import Meter, resident_kib

SETTLE_SECONDS = 5  # control messages have passed, the memory of handshakes is back
CONNECTED = re.compile(r"connected \d+")
SPARE_DESCRIPTORS = 200
LONGEST_RETURN = 120


class AdminSocket(http.client.HTTPConnection):
    """One connection for thousands of requests, where the command line would be as many processes."""

    def __init__(self, state):
        super().__init__("localhost", timeout=60)
        self._path = os.path.join(state, "admin.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def ask(self, method, path, body=None):
        self.request(method, f"/api/v1/{path}", json.dumps(body) if body is not None else None)
        answer = self.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise BenchError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content)


def _require_descriptors(count):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < count + SPARE_DESCRIPTORS:
        raise BenchError(f"{count} agents in one process need {count + SPARE_DESCRIPTORS} descriptors, and {most} are allowed: "
                         f"raise the hard limit (as root: prlimit --nofile={2 * count} --pid $$)")


def _up(agents):
    """How many have a tunnel, by what the agents say."""
    found = re.findall(r"^up (\d+)$", agents.output("stdout"), re.MULTILINE)
    return int(found[-1]) if found else 0


def _wait_until_up(agents, count, seconds):
    deadline = time.monotonic() + seconds
    while _up(agents) != count:
        if time.monotonic() > deadline:
            raise BenchError(f"only {_up(agents)} of {count} idle agents have a tunnel after {seconds} s")
        time.sleep(0.05)


def measure(setting, count, seconds_at_rest, found):
    """Fills `found`, one figure after another, so that a restart that fails leaves the others: {"kib", "offline_kib", "cpu_percent", "add_ms", "return_seconds"}; CPU in percent of one core."""
    _require_descriptors(count)
    # In memory where there is room: a disk's fsync is none of what is measured.
    with tempfile.TemporaryDirectory(prefix="sallyport-idle-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else setting.folder) as folder:
        return _measure(setting, folder, count, seconds_at_rest, found)


def _measure(setting, folder, count, seconds_at_rest, found):
    with Relay(setting.binary, folder, setting.certificate, name="idle-relay", **CONFIG) as relay:
        empty = resident_kib(relay.pid)
        admin = AdminSocket(relay.state)
        began = time.monotonic()
        codes = [admin.ask("POST", "agents", {"name": f"idle{n}", "hostnames": [f"idle{n}.localhost"],
                                              "targets": [{"name": "idle", "url": "tcp://127.0.0.1:9"}]})["enroll"] for n in range(count)]
        found["add_ms"] = (time.monotonic() - began) / count * 1000
        offline = resident_kib(relay.pid)
        with Process("idle_agents", [setting.tools.path("idle_agents")], folder, given="\n".join(codes)) as agents:
            agents.wait_for_output(CONNECTED, stream="stdout", seconds=60 + count / 20)
            _wait_until_up(agents, count, 60)
            time.sleep(SETTLE_SECONDS)
            online = admin.ask("GET", "status")["agents"]["online"]
            if online != count:
                raise BenchError(f"the relay knows of {online} of {count} idle agents")
            found |= {"kib": (resident_kib(relay.pid) - empty) / count, "offline_kib": (offline - empty) / count}
            with Meter([relay.pid]) as meter:
                time.sleep(seconds_at_rest)
            found["cpu_percent"] = meter.seconds / seconds_at_rest * 100
            began = time.monotonic()
            with Meter([agents.pid]) as of_agents:
                relay.restart()
                _wait_until_up(agents, count, LONGEST_RETURN)
                found["return_seconds"] = time.monotonic() - began
            found["return_agents_cpu"] = of_agents.seconds
            time.sleep(1)
            if (online := AdminSocket(relay.state).ask("GET", "status")["agents"]["online"]) != count:
                raise BenchError(f"after its restart the relay knows of {online} of {count} idle agents")
        return found


# All of loopback, for idle_agents.cc.
CONFIG = {"max_agents": 20_000, "address": "0.0.0.0"}
