"""What an idle agent costs the relay in memory: a relay of its own, whose resident size is read before and after."""
import os
import re
import time

from peers.process import BenchError, Process
from peers.sallyport import Relay

from .cpu import resident_kib

SETTLE_SECONDS = 3  # control messages have passed, the memory of handshakes is back
CONNECTED = re.compile(r"connected \d+")


def kib_per_agent(setting, count):
    """{"kib", "offline_kib"}: for an agent that is connected and idle, and how much of that it takes already while offline."""
    folder = os.path.join(setting.folder, "idle-agents")
    os.mkdir(folder)
    with Relay(setting.binary, folder, setting.certificate, name="idle-relay") as relay:
        empty = resident_kib(relay.pid)
        codes = [relay.add_agent(f"idle{n}", f"idle{n}.localhost", "idle=tcp://127.0.0.1:9") for n in range(count)]
        offline = resident_kib(relay.pid)
        with Process("idle_agents", [setting.tools.path("idle_agents")], folder, given="\n".join(codes)) as agents:
            agents.wait_for_output(CONNECTED, stream="stdout", seconds=30 + count / 10)
            time.sleep(SETTLE_SECONDS)
            connected = resident_kib(relay.pid)
            opened, closed = (relay.output().count(f"event=tunnel.{what}") for what in ("opened", "closed"))
            if opened - closed < count:
                raise BenchError(f"only {opened - closed} of {count} idle agents have a tunnel")
        return {"kib": (connected - empty) / count, "offline_kib": (offline - empty) / count}
