"""What an idle agent costs the relay in memory: a relay of its own, whose resident size is read before and after."""
import contextlib
import os
import time

from peers.process import BenchError
from peers.sallyport import Agent, Relay

from .cpu import resident_kib

BATCH = 20          # agents dialling at once: the relay's handshakes, not its memory, would be the test otherwise
SETTLE_SECONDS = 3  # control messages and the first heartbeats have passed, handshake memory is back


def kib_per_agent(setting, count):
    folder = os.path.join(setting.folder, "idle-agents")
    os.mkdir(folder)
    with contextlib.ExitStack() as stack:
        relay = stack.enter_context(Relay(setting.binary, folder, setting.certificate, name="idle-relay"))
        codes = [relay.add_agent(f"idle{n}", f"idle{n}.localhost", "backend=http://127.0.0.1:9") for n in range(count)]
        before = resident_kib(relay.pid)
        agents = []
        stack.callback(lambda: [agent.ask_to_stop() for agent in agents])  # all at once, before each is waited for
        for number, code in enumerate(codes):
            agents.append(stack.enter_context(Agent(setting.binary, folder, f"idle{number}", code)))
            if len(agents) % BATCH == 0 or len(agents) == count:
                for agent in agents[-BATCH:]:
                    agent.wait_until_connected(seconds=60)
        time.sleep(SETTLE_SECONDS)
        after = resident_kib(relay.pid)
        opened = relay.output().count("event=tunnel.opened")
        if opened < count:
            raise BenchError(f"only {opened} of {count} idle agents have a tunnel")
        return (after - before) / count
