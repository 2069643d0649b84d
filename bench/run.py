#!/usr/bin/python3
"""./dev bench: what the tunnel costs, against nginx without one (a) and against nginx with `ssh -R` (b). See README.md."""
import argparse
import contextlib
import dataclasses
import json
import os
import platform
import re
import resource
import shutil
import signal
import sys
import tempfile
import time

import report
from measure import idle_agents
from measure.machine import busy_cores
from measure.rows import ROWS, Rows, cross_loop, resume_cost, tcp_download
from measure.tools import Tools
from peers import nginx
from peers.certificate import Certificate
from peers.files import MIB, Files
from peers.process import BenchError, Process
from peers.way import WAYS, not_resumable

OURS = "sallyport"
OWN_ROWS = ("cross_loop", "resume_cost", "tcp_download", "idle_agents")  # of ours alone
LISTENING = re.compile(r"listening (\d+)")


@dataclasses.dataclass(frozen=True)
class Plan:
    rounds: int
    seconds: int          # of each wrk run
    milliseconds: int     # of each run of our own load programs
    beside_seconds: int   # of requests beside a download; at 100 MiB/s the file must last longer
    size: int             # octets of a download and of an upload
    idle_agents: int
    seconds_at_rest: int  # with them; heartbeats come each 30 s


# Many short rounds rather than few long ones: with one connection a run's latency depends on which cores its processes land on.
FULL = Plan(rounds=9, seconds=2, milliseconds=2000, beside_seconds=2, size=1024 * MIB, idle_agents=10_000, seconds_at_rest=60)
QUICK = Plan(rounds=2, seconds=1, milliseconds=1000, beside_seconds=1, size=256 * MIB, idle_agents=200, seconds_at_rest=5)


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all ways and rows share."""
    folder: str
    binary: str
    certificate: Certificate
    files: Files
    targets: tuple  # ports of the backends: HTTP, WebSocket echo
    tools: Tools


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under three minutes; shows figures and judges nothing")
    parser.add_argument("--json", metavar="FILE", help="write every figure and ratio there")
    parser.add_argument("--binary", default="build/release/src/sallyport", help="the sallyport program to measure")
    parser.add_argument("--tools", metavar="DIR", help="where the load programs are (default: beside the binary's folder)")
    parser.add_argument("--rounds", type=int, help="interleaved rounds instead of the usual number")
    parser.add_argument("--ways", default=",".join(WAYS), help=f"only some, with commas between, of: {', '.join(WAYS)}")
    parser.add_argument("--rows", default=",".join((*ROWS, *OWN_ROWS)),
                        help=f"only some, with commas between, of: {', '.join(ROWS)}, and of ours alone: {', '.join(OWN_ROWS)}")
    arguments = parser.parse_args()
    arguments.ways = arguments.ways.split(",")
    arguments.rows = arguments.rows.split(",")
    if unknown := set(arguments.ways) - set(WAYS) | set(arguments.rows) - {*ROWS, *OWN_ROWS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    arguments.binary = os.path.abspath(arguments.binary)
    arguments.tools = os.path.abspath(arguments.tools or os.path.join(os.path.dirname(arguments.binary), "../bench"))
    arguments.complete = set(arguments.ways) == set(WAYS) and set(arguments.rows) == {*ROWS, *OWN_ROWS}
    return arguments


def require_programs(arguments):
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # nginx and sshd, which a user's PATH leaves out
    programs = ["nginx", "sshd", "ssh", "ssh-keygen", "wrk", "h2load", "curl", "openssl"]
    missing = [program for program in programs if not shutil.which(program)]
    built = [os.path.join(arguments.tools, name) for name in ("websocket_echo", "websocket_load", "connect_load", *["idle_agents"] * (OURS in arguments.ways))]
    missing += [path for path in built + [arguments.binary] * (OURS in arguments.ways) if not os.access(path, os.X_OK)]
    if missing:
        raise BenchError(f"missing: {', '.join(missing)} (./dev bench installs and builds what is needed)")


@contextlib.contextmanager
def prepared(arguments, plan):
    """The Setting with the backends running."""
    folder = tempfile.mkdtemp(prefix="sallyport-bench-")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        files = stack.enter_context(Files(plan.size, streams=8))
        if not files.in_memory:
            print(f"no room in /dev/shm: the files of the transfers are in {files.folder}", file=sys.stderr)
        certificate = Certificate(folder)
        tools = Tools(arguments.tools, certificate)
        backend = stack.enter_context(nginx.backend(folder, files))
        echo = stack.enter_context(Process("websocket_echo", [tools.path("websocket_echo")], folder))
        echo_port = int(echo.wait_for_output(LISTENING, "stdout")[1])
        yield Setting(folder, arguments.binary, certificate, files, (backend.port, echo_port), tools)


def measure_row(results, figures, title, measure):
    """One row of one way; a failure is noted and the bench goes on."""
    start = time.monotonic()
    try:
        figures |= measure()
        say(f"  {title} {time.monotonic() - start:.1f} s")
    except BenchError as error:
        results.failures.append(f"{title}: {error}")
        say(f"  {title} failed: {error}")


def run_round(number, results, setting, plan, ways, forgetful, row_names):
    """Every row for every way before the next row; the order of the ways turns from round to round."""
    rows = Rows(setting, plan)
    names = list(ways)
    turned = names[number % len(names):] + names[:number % len(names)]
    figures = {name: {} for name in names}
    results.rounds.append(figures)
    for row in row_names:
        if row in ROWS:
            for name in turned:
                measure_row(results, figures[name], f"{row} {name}", lambda: getattr(rows, row)(ways[name]))
    if "cross_loop" in row_names and OURS in ways:
        crossing = {}
        measure_row(results, crossing, "cross_loop", lambda: cross_loop(ways[OURS], plan))
        if crossing:
            results.cross_loop.append(crossing)
    if "tcp_download" in row_names and OURS in ways:
        moved = {}
        measure_row(results, moved, "tcp_download",
                    lambda: tcp_download(ways[OURS], setting.certificate, setting.files, https_first=number % 2 == 0))
        if moved:
            results.tcp_download.append(moved)
    if forgetful:
        pair = [("with", ways[OURS]), ("without", forgetful)]
        found = {}
        measure_row(results, found, "resume_cost",
                    lambda: resume_cost(dict(pair if number % 2 == 0 else reversed(pair)), setting.certificate, setting.files))
        if found:
            results.resume_cost.append(found)


def measure_all(arguments, plan):
    results = report.Results()
    with prepared(arguments, plan) as setting:
        if "idle_agents" in arguments.rows and OURS in arguments.ways:
            measure_row(results, results.idle_agents, f"{plan.idle_agents} idle agents",
                        lambda: idle_agents.measure(setting, plan.idle_agents, plan.seconds_at_rest, results.idle_agents))
        if arguments.rows == ["idle_agents"]:
            return results
        with contextlib.ExitStack() as stack:
            ways = {name: stack.enter_context(WAYS[name](setting)) for name in arguments.ways}
            wanted = "resume_cost" in arguments.rows and OURS in ways
            forgetful = stack.enter_context(not_resumable(setting)) if wanted else None
            for number in range(plan.rounds):
                results.busy_cores.append(round(busy_cores(), 2))
                say(f"round {number + 1} of {plan.rounds} (others keep {results.busy_cores[-1]:.1f} cores busy)")
                run_round(number, results, setting, plan, ways, forgetful, arguments.rows)
    return results


def about(arguments, plan):
    return {
        "quick": arguments.quick,
        "complete": arguments.complete,
        "plan": dataclasses.asdict(plan),
        "machine": {"kernel": platform.release(), "architecture": platform.machine(), "cores": os.cpu_count()},
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def judge(results, arguments):
    """The exit status. A failed row is a failure always; the floors count in a full run of everything."""
    for failure in results.failures:
        print(f"failed: {failure}")
    missed = {} if arguments.quick else {
        name: verdict for name, verdict in results.floors().items()
        if not verdict["met"] and (arguments.complete or verdict["value"] is not None)}
    for name, verdict in missed.items():
        value = "not measured" if verdict["value"] is None else f"{verdict['value']:.2f}"
        print(f"floor missed: {name} is {value}, the floor is {verdict['floor']}")
    return 1 if missed or results.failures else 0


def main():
    arguments = parse_arguments()
    plan = QUICK if arguments.quick else FULL
    if arguments.rounds:
        plan = dataclasses.replace(plan, rounds=arguments.rounds)
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))  # 10,000 agents in one process
    for name in [name for name in os.environ if name.startswith("SALLYPORT_")]:
        del os.environ[name]  # the configuration of somebody else's relay or agent
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    try:
        require_programs(arguments)
        results = measure_all(arguments, plan)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(report.table(results))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results.as_json(about(arguments, plan)), file, indent=2)
    return judge(results, arguments)


if __name__ == "__main__":
    sys.exit(main())
