"""Transfers by curl, one process per stream, as HTTP/1.1."""
import json
import os
import subprocess
import time

from peers.certificate import HOST
from peers.process import BenchError

LIMIT = 120  # seconds for the transfers of one row; at 10 MiB/s they would just fit
MIB = 1 << 20


def _command(way, certificate, *arguments):
    return ["curl", "--silent", "--show-error", "--fail", "--http1.1", "--noproxy", "*", "--resolve",
            f"{HOST}:{way.port}:127.0.0.1", "--cacert", certificate.file, "--output", "/dev/null",
            "--max-time", str(LIMIT), "--write-out", "%{json}\n", *arguments]


def _url(way, path):
    return f"https://{HOST}:{way.port}/{path}"


def _plain_command(*arguments):
    return ["curl", "--silent", "--show-error", "--fail", "--http1.1", "--noproxy", "*", "--output", "/dev/null", "--max-time", str(LIMIT),
            "--write-out", "%{json}\n", *arguments]


def plain_download(port, whole):
    """The file of download() by plain HTTP."""
    return _transfer([_plain_command(f"http://127.0.0.1:{port}/whole")], os.path.getsize(whole), "size_download")


def plain_upload(port, files):
    size = os.path.getsize(files.whole)
    command = _plain_command("--upload-file", files.whole, f"http://127.0.0.1:{port}/upload/0")
    try:
        rate = _transfer([command], size, "size_upload")
    finally:
        stored = files.clear_uploads()
    if stored != size:
        raise BenchError(f"the backend stored {stored} octets instead of {size}")
    return rate


def _transfer(commands, size, counted):
    """MiB/s of the curl commands together, which must have moved `size` octets by the counter `counted` of curl."""
    start = time.monotonic()
    children = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for command in commands]
    try:
        said = [child.communicate(timeout=LIMIT + 10) for child in children]
    except subprocess.TimeoutExpired as slow:
        raise BenchError("curl did not end") from slow
    finally:
        for child in children:
            child.kill()
            child.wait()
    seconds = time.monotonic() - start
    for child, (_, err) in zip(children, said, strict=True):
        if child.returncode != 0:
            raise BenchError(f"curl ended with status {child.returncode}: {err.strip()}")
    moved = sum(json.loads(out)[counted] for out, _ in said)
    if moved != size:
        raise BenchError(f"{moved} octets arrived instead of {size}")
    return size / MIB / seconds


def download(way, certificate, files, streams):
    name = "whole" if streams == 1 else "part"
    size = os.path.getsize(files.whole if streams == 1 else files.part)
    commands = [_command(way, certificate, _url(way, name))] * streams
    return _transfer(commands, size * streams, "size_download")


def upload(way, certificate, files, streams):
    source = files.whole if streams == 1 else files.part
    size = os.path.getsize(source) * streams
    commands = [_command(way, certificate, "--upload-file", source, _url(way, f"upload/{number}")) for number in range(streams)]
    try:
        rate = _transfer(commands, size, "size_upload")
    finally:
        stored = files.clear_uploads()
    if stored != size:
        raise BenchError(f"the backend stored {stored} octets instead of {size}")
    return rate


class LimitedDownload:
    """A download at about `rate` MiB/s in the background; `finish()` ends it and tells the MiB/s it really had."""

    def __init__(self, way, certificate, rate, seconds):
        argv = _command(way, certificate, "--limit-rate", f"{rate}M", "--max-time", str(seconds), _url(way, "whole"))
        self._child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._child.kill()
        self._child.wait()

    def running(self):
        return self._child.poll() is None

    def finish(self, seconds):
        try:
            out, err = self._child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as slow:
            raise BenchError("the limited download did not end") from slow
        if self._child.returncode != 28:  # its time was up: the one right end here
            raise BenchError(f"the limited download ended with status {self._child.returncode}: {err.strip()}")
        return json.loads(out)["speed_download"] / MIB
