"""Requests per second of the 1 KiB answer over HTTP/2, by h2load."""
import re

from peers.process import BenchError, run

_DONE = re.compile(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed")


def load(host, port, connections, streams, seconds):
    """{"requests", "count"}: requests per second and how many. The name goes by :authority; h2load judges no certificate."""
    out = run(["h2load", "--clients", str(connections), "--max-concurrent-streams", str(streams), "--threads", str(min(connections, 2)),
               "--duration", str(seconds), f"--connect-to=127.0.0.1:{port}", f"https://{host}:{port}/1k"], seconds=seconds + 30)
    done = _DONE.search(out)
    if not done or not int(done[2]) or int(done[3]):
        raise BenchError(f"h2load at {host}: {out[-600:]}")
    return {"requests": int(done[2]) / seconds, "count": int(done[2])}
