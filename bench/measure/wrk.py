"""Requests per second and latency of the 1 KiB answer, by wrk."""
import json
import os

from peers.process import BenchError, run

_REPORT = os.path.join(os.path.dirname(__file__), "wrk_report.lua")


def load(url, connections, seconds, header=None):
    """{"requests", "p50", "p99"}: requests per second and microseconds. An error or another status fails the row."""
    argv = ["wrk", "--threads", str(min(connections, 2)), "--connections", str(connections), "--duration", f"{seconds}s",
            "--timeout", "5s", "--script", _REPORT, *(("--header", header) if header else ()), url]
    said = json.loads(run(argv, seconds=seconds + 15).splitlines()[-1])
    # wrk counts what was in flight at the end of its run as nothing, so anything counted here did go wrong.
    if said["errors"] or not said["requests"]:
        raise BenchError(f"wrk at {url}: {said}")
    return {"requests": said["requests"] / said["seconds"], "p50": said["p50"], "p99": said["p99"], "count": said["requests"]}
