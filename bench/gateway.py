#!/usr/bin/python3
"""./dev bench gateway: keystrokes and prompts through a bad network, by plain ssh, by mosh alone and through the gateway. See README.md."""
import argparse
import contextlib
import dataclasses
import json
import os
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import time

from measure.cpu import proportional_kib, tree
from measure.terminal import Terminal, Typist, type_all
from peers import openssh
from peers.gateway import Gateway
from peers.network import emulated
from peers.process import BenchError

LINES = {  # percent lost each way: one-way delay in ms, loss each way in percent
    "0": {"delay_ms": 50, "loss": 0},
    "10": {"delay_ms": 50, "loss": 10},
    "29": {"delay_ms": 100, "loss": 29},
}
WAYS = ("ssh", "mosh", "mosh_plain", "gateway", "gateway_plain")  # _plain: without prediction
PAUSE = 0.12  # seconds between two keys; a fast typist


@dataclasses.dataclass(frozen=True)
class Plan:
    keys: int
    prompts: int
    sessions: int


FULL = Plan(keys=400, prompts=9, sessions=50)
QUICK = Plan(keys=40, prompts=2, sessions=10)


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    """The user, the gateway and mosh-client on side a; sshd and mosh-server on side b."""

    def __init__(self, wan, folder, binary, stack):
        self._wan = wan
        self._folder = folder
        self._keys = openssh.Keys(os.path.join(folder, "keys"))
        self._remote = wan.address["b"]
        with wan.inside("b"):
            self._sshd = stack.enter_context(openssh.Sshd(folder, self._keys, address=self._remote))
        self._gateways = {}
        with wan.inside("a"):
            for name, prediction in (("gateway", "adaptive"), ("gateway_plain", "never")):
                self._gateways[name] = stack.enter_context(Gateway(
                    binary, folder, self._keys, self._remote, self._sshd.port, name, GATEWAY_PREDICTION=prediction))

    def open(self, way):
        """A terminal in which `way` goes to the remote host."""
        with self._wan.inside("a"):
            if way in self._gateways:
                return Terminal(self._gateways[way].client(self._keys))
            ssh = ["ssh", *openssh.client_options(os.path.join(self._folder, "known_hosts"), self._keys.client), "-p", str(self._sshd.port)]
            target = f"{openssh.user()}@{self._remote}"
            if way == "ssh":
                return Terminal([*ssh, target])
            prediction = "never" if way == "mosh_plain" else "adaptive"
            return Terminal(["mosh", f"--ssh={' '.join(ssh)}", f"--predict={prediction}", "--no-init", target])

    def keystrokes(self, count):
        """Milliseconds of each key by way, all ways at once over the same line."""
        with contextlib.ExitStack() as stack:
            typists = {}
            for way in WAYS:
                terminal = stack.enter_context(self.open(way))
                terminal.wait_for_prompt()
                terminal.begin_typing()
                typists[way] = Typist(terminal, count, PAUSE)
            type_all(list(typists.values()))
            return {way: typist.milliseconds for way, typist in typists.items()}

    def prompt(self, way):
        """Seconds from the command to the prompt."""
        began = time.monotonic()
        with self.open(way) as terminal:
            terminal.wait_for_prompt()
            seconds = time.monotonic() - began
            terminal.write(b"exit\n")
            terminal.wait_for_end(20)
            return seconds

    def sessions(self, count):
        """Sessions opened a second, and KiB of gateway and mosh-client for each (proportional set size)."""
        gateway = self._gateways["gateway"]
        before = proportional_kib(tree([gateway.pid]))
        with contextlib.ExitStack() as stack:
            began = time.monotonic()
            terminals = [stack.enter_context(self.open("gateway")) for _ in range(count)]
            for terminal in terminals:
                terminal.wait_for_prompt()
            seconds = time.monotonic() - began
            kib = (proportional_kib(tree([gateway.pid])) - before) / count
        return {"opened_per_second": count / seconds, "kib": kib}


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure_line(bench, plan, settings, wan):
    wan.set(**settings)
    keys = bench.keystrokes(plan.keys)
    found = {way: {f"p{percent}": percentile(values, percent / 100) for percent in (50, 90, 99)} for way, values in keys.items()}
    bench.prompt("gateway")  # leaves a warm connection behind
    prompts = {way: [] for way in ("ssh", "mosh", "gateway")}
    for number in range(plan.prompts):
        names = list(prompts)
        for way in names[number % len(names):] + names[:number % len(names)]:
            prompts[way].append(bench.prompt(way))
    for way, seconds in prompts.items():
        found[way]["prompt"] = statistics.median(seconds)
    return found


def floors(found, sessions):
    """{text: met}"""
    verdicts = {}
    for line, ways in found.items():
        ours, mosh = ways["gateway"], ways["mosh"]
        if line == "29":
            verdicts[f"{line} % loss: p50 with prediction no worse than mosh alone"] = ours["p50"] <= mosh["p50"] * 1.1 + 1
        else:
            verdicts[f"{line} % loss: p50 with prediction at most 1 ms"] = ours["p50"] <= 1
        verdicts[f"{line} % loss: p99 with prediction at most mosh alone + 10 %"] = ours["p99"] <= mosh["p99"] * 1.1
        verdicts[f"{line} % loss: p50 without prediction within 5 ms of mosh alone"] = ways["gateway_plain"]["p50"] <= ways["mosh_plain"]["p50"] + 5
        if line != "0":
            verdicts[f"{line} % loss: warm prompt in at most 0.6 of plain ssh's time"] = ours["prompt"] <= 0.6 * ways["ssh"]["prompt"]
    verdicts["at most 10 MiB a session"] = sessions["kib"] <= 10 * 1024
    return verdicts


def show(found, sessions):
    for line, ways in found.items():
        print(f"{line} % loss, {LINES[line]['delay_ms']} ms one way")
        for way, figures in ways.items():
            prompt = f"  prompt {figures['prompt']:5.1f} s" if "prompt" in figures else ""
            print(f"  {way:14} p50 {figures['p50']:8.1f} ms  p90 {figures['p90']:8.1f} ms  p99 {figures['p99']:8.1f} ms{prompt}")
    print(f"{sessions['opened_per_second']:.1f} sessions opened a second, {sessions['kib']:.0f} KiB each")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench gateway", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few keys; shows figures and judges nothing")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--binary", default="build/release/src/sallyport")
    parser.add_argument("--lines", default=",".join(LINES), help=f"percent of loss; only some, with commas between, of: {', '.join(LINES)}")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    binary = os.path.abspath(arguments.binary)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    folder = tempfile.mkdtemp(prefix="sallyport-bench-")
    try:
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            wan = stack.enter_context(emulated(binary))
            bench = Bench(wan, folder, binary, stack)
            sessions = bench.sessions(plan.sessions)
            found = {}
            for line in arguments.lines.split(","):
                say(f"{line} % loss")
                found[line] = measure_line(bench, plan, LINES[line], wan)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    show(found, sessions)
    verdicts = floors(found, sessions)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"plan": dataclasses.asdict(plan), "lines": found, "sessions": sessions, "floors": verdicts}, file, indent=2)
    missed = [] if arguments.quick else [text for text, met in verdicts.items() if not met]
    for text in missed:
        print(f"floor missed: {text}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
