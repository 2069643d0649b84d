#!/usr/bin/python3
"""./dev bench ssh: our SSH listener against sshd, for the same `ssh -R` of the same OpenSSH client and cipher. See README.md."""
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

from measure import curl, wrk
from measure.cpu import Meter, resident_kib
from peers import nginx, openssh
from peers.certificate import HOST, WEBSOCKET_HOST, Certificate
from peers.files import MIB, Files
from peers.network import emulated
from peers.process import BenchError, free_port, run
from peers.ssh_relay import SshRelay, made_in

CIPHER = "aes128-gcm@openssh.com"
WAYS = ("sshd", "ours")
FAR_MS = 50  # one way, in the emulated network
IDLE_KIB = 40.0
P99_MS = 2.0
LOOPBACK, TO_HOME, FROM_HOME = 0.9, 1.0, 1.2  # throughput to that of sshd, at least


@dataclasses.dataclass(frozen=True)
class Plan:
    rounds: int
    seconds: int   # of each wrk run
    size: int      # octets of a transfer on loopback
    far_size: int  # and at a distance
    idle_clients: int


FULL = Plan(rounds=9, seconds=3, size=1024 * MIB, far_size=128 * MIB, idle_clients=1000)
QUICK = Plan(rounds=2, seconds=1, size=128 * MIB, far_size=32 * MIB, idle_clients=20)


def say(text):
    print(text, file=sys.stderr, flush=True)


class Place:
    """Where programs of one end are started: here, or on a side of the emulated network."""

    def __init__(self, address="127.0.0.1", inside=contextlib.nullcontext):
        self.address = address
        self.inside = inside


@dataclasses.dataclass(frozen=True)
class Far:
    """One way: the port of the backend as seen in public, nginx in front of it, and the processes of the tunnel's public end."""
    port: int
    front: int
    pids: list


@contextlib.contextmanager
def both_ways(folder, binary, certificate, files, public, home):
    """{way: Far}, with one backend at home."""
    with contextlib.ExitStack() as stack:
        keys = openssh.Keys(os.path.join(folder, "keys"))
        with home.inside():
            backend = stack.enter_context(nginx.backend(folder, files))
        with public.inside():
            sshd = stack.enter_context(openssh.Sshd(folder, keys, public.address))
            relay = stack.enter_context(SshRelay(binary, folder, certificate, public.address))
            relay.add_ssh_agent("bench", keys.client_line())
            ports = {"sshd": free_port(), "ours": relay.add_tcp_port("bench")}
        ends = {"sshd": (sshd.port, sshd.pid), "ours": (relay.ssh_port, relay.pid)}
        found = {}
        for way, (port, pid) in ends.items():
            with home.inside():
                client = stack.enter_context(openssh.RemoteForward(
                    keys.folder, keys.client, port, [f"127.0.0.1:{ports[way]}:127.0.0.1:{backend.port}"], public.address,
                    ("-o", f"Ciphers={CIPHER}"), f"ssh-{way}"))
            with public.inside():
                _wait_until_served(ports[way], client)
                front = stack.enter_context(nginx.front(f"{way}-front", folder, certificate, (HOST, WEBSOCKET_HOST), ports[way], ports[way]))
            found[way] = Far(ports[way], front.port, [pid])
        yield found


def _wait_until_served(port, client):
    deadline = time.monotonic() + 30
    while True:
        try:
            run(["curl", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null", f"http://127.0.0.1:{port}/1k"], seconds=10)
            return
        except BenchError:
            if time.monotonic() > deadline:
                raise BenchError(f"port {port} leads nowhere; ssh said: {client.output()[-1000:]}") from None
            time.sleep(0.1)


def turned(number):
    names = list(WAYS)
    return names[number % len(names):] + names[:number % len(names)]


def measure_loopback(setting, ways, plan, rounds):
    """Appends {way: figures} for each round."""
    for number in range(plan.rounds):
        figures = {way: {} for way in WAYS}
        for way in turned(number):
            far = ways[way]
            with Meter(far.pids) as meter:
                figures[way]["download"] = curl.plain_download(far.port, setting.whole)
            figures[way]["cpu_download"] = meter.seconds / (setting.size / (1 << 30))
            with Meter(far.pids) as meter:
                figures[way]["upload"] = curl.plain_upload(far.port, setting)
            figures[way]["cpu_upload"] = meter.seconds / (setting.size / (1 << 30))
            for connections in (1, 16):
                seen = wrk.load(f"https://{HOST}:{far.front}/1k", connections, plan.seconds)
                figures[way] |= {f"requests_c{connections}": seen["requests"], f"p50_c{connections}": seen["p50"] / 1000,
                                 f"p99_c{connections}": seen["p99"] / 1000}
        rounds.append(figures)
        say(f"round {number + 1} of {plan.rounds}")


def measure_distance(public, setting, ways, plan, rounds):
    for number in range(plan.rounds):
        figures = {way: {} for way in WAYS}
        for way in turned(number):
            with public.inside():
                figures[way]["far_download"] = curl.plain_download(ways[way].port, setting.whole)
                figures[way]["far_upload"] = curl.plain_upload(ways[way].port, setting)
        rounds.append(figures)
        say(f"at a distance: round {number + 1} of {plan.rounds}")


def measure_idle(folder, binary, certificate, count):
    """KiB of the relay for each idle `ssh -N -R`."""
    folder = made_in(folder, "idle")
    with contextlib.ExitStack() as stack:
        relay = stack.enter_context(SshRelay(binary, folder, certificate, max_connections_per_address=2 * count + 100,
                                             max_connection_rate_per_address=1000))
        keys = []
        for number in range(count):
            key = os.path.join(folder, f"key{number}")
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], seconds=20)
            with open(f"{key}.pub", encoding="ascii") as file:
                relay.add_ssh_agent(f"idle{number}", file.read().strip(), f"idle{number}.localhost")
            keys.append(key)
        before = resident_kib(relay.pid)
        for number, key in enumerate(keys):
            stack.enter_context(openssh.RemoteForward(folder, key, relay.ssh_port, ["127.0.0.1:80:127.0.0.1:9"], name=f"idle-ssh{number}"))
        deadline = time.monotonic() + 120 + count / 5
        while (online := relay.admin("status")["agents"]["online"]) < count:
            if time.monotonic() > deadline:
                raise BenchError(f"only {online} of {count} idle clients are connected")
            time.sleep(0.5)
        time.sleep(3)  # the memory of handshakes is back
        return (resident_kib(relay.pid) - before) / count


def ratio(rounds, figure):
    values = [one["ours"][figure] / one["sshd"][figure] for one in rounds if figure in one["ours"]]
    return statistics.median(values)


def median(rounds, way, figure):
    return statistics.median(one[way][figure] for one in rounds)


def report(near, distant, idle_kib):
    """The table, and {floor: met}."""
    verdicts = {}
    for rounds in (near, distant):
        for figure in (rounds[0]["ours"] if rounds else ()):
            print(f"{figure:15} sshd {median(rounds, 'sshd', figure):10.2f}  ours {median(rounds, 'ours', figure):10.2f}  ratio {ratio(rounds, figure):5.2f}")
    for name, rounds, figure, floor in (("download on loopback", near, "download", LOOPBACK), ("upload on loopback", near, "upload", LOOPBACK),
                                        ("toward the home at 100 ms", distant, "far_upload", TO_HOME),
                                        ("from the home at 100 ms", distant, "far_download", FROM_HOME)):
        if rounds:
            verdicts[f"{name} at least {floor} of sshd"] = ratio(rounds, figure) >= floor
    if near:
        verdicts[f"p99 of requests under {P99_MS} ms"] = median(near, "ours", "p99_c1") < P99_MS
    if idle_kib is not None:
        print(f"relay memory per idle ssh -R client: {idle_kib:.1f} KiB")
        verdicts[f"at most {IDLE_KIB} KiB an idle client"] = idle_kib <= IDLE_KIB
    return verdicts


def main():
    parser = argparse.ArgumentParser(prog="./dev bench ssh", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shows figures and judges nothing")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--binary", default="build/release/src/sallyport")
    parser.add_argument("--rounds", type=int, help="instead of the usual number")
    parser.add_argument("--parts", default="loopback,distance,idle", help="only some of: loopback, distance, idle")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    if arguments.rounds:
        plan = dataclasses.replace(plan, rounds=arguments.rounds)
    binary = os.path.abspath(arguments.binary)
    parts = arguments.parts.split(",")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    folder = tempfile.mkdtemp(prefix="sallyport-bench-")
    near, distant, idle_kib = [], [], None
    try:
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            certificate = Certificate(folder)
            if "loopback" in parts:
                files = stack.enter_context(Files(plan.size, streams=8))
                with both_ways(made_in(folder, "near"), binary, certificate, files, Place(), Place()) as ways:
                    measure_loopback(files, ways, plan, near)
            if "distance" in parts:
                files = stack.enter_context(Files(plan.far_size, streams=8))
                wan = stack.enter_context(emulated(binary))
                wan.set(delay_ms=FAR_MS)
                public = Place(wan.address["a"], lambda: wan.inside("a"))
                home = Place(wan.address["b"], lambda: wan.inside("b"))
                with both_ways(made_in(folder, "far"), binary, certificate, files, public, home) as ways:
                    measure_distance(public, files, ways, plan, distant)
            if "idle" in parts:
                idle_kib = measure_idle(folder, binary, certificate, plan.idle_clients)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    verdicts = report(near, distant, idle_kib)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"plan": dataclasses.asdict(plan), "near": near, "distant": distant, "idle_kib": idle_kib, "floors": verdicts}, file, indent=2)
    missed = [] if arguments.quick else [text for text, met in verdicts.items() if not met]
    for text in missed:
        print(f"floor missed: {text}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
