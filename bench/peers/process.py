"""Starting and stopping the programs a bench needs, so that none outlives it."""
import ctypes
import os
import signal
import socket
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """A peer or a load program failed; the text says which and how."""


def die_with_the_bench():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port():
    """A port of 127.0.0.1 the kernel calls free. For programs that can't be told 'any port' and say which they got."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A running program whose stdout and stderr go to files below `folder`, where `given` is what it finds on stdin. Use as a
    context manager."""

    def __init__(self, name, argv, folder, env=None, given=""):
        self.name = name
        self._argv, self._folder, self._env, self._given = argv, folder, env, given
        self._paths = {stream: os.path.join(folder, f"{name}.{stream}") for stream in ("stdout", "stderr")}
        self.start()

    def start(self):
        """Again, once it was stopped; its output begins anew."""
        with open(self._paths["stdout"], "wb") as out, open(self._paths["stderr"], "wb") as err, \
                tempfile.TemporaryFile(dir=self._folder) as stdin:
            stdin.write(self._given.encode())
            stdin.seek(0)
            self._child = subprocess.Popen(
                self._argv, stdin=stdin, stdout=out, stderr=err, cwd=self._folder,
                env={**os.environ, **(self._env or {})}, preexec_fn=die_with_the_bench)
        self.pid = self._child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def output(self, stream="stderr"):
        with open(self._paths[stream], encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for_output(self, pattern, stream="stderr", seconds=15):
        """The first match of the compiled `pattern` in the program's output."""
        deadline = time.monotonic() + seconds
        while True:
            ended = self._child.poll() is not None
            if match := pattern.search(self.output(stream)):
                return match
            self._check(ended, deadline, f"has not said {pattern.pattern!r}")
            time.sleep(0.02)

    def wait_for_port(self, port, seconds=15, address="127.0.0.1"):
        deadline = time.monotonic() + seconds
        while True:
            ended = self._child.poll() is not None
            try:
                socket.create_connection((address, port), timeout=1).close()
                return
            except OSError:
                self._check(ended, deadline, f"does not listen on {address}:{port}")
                time.sleep(0.02)

    def _check(self, ended, deadline, complaint):
        if not ended and time.monotonic() < deadline:
            return
        state = f"ended with status {self._child.returncode}" if ended else "runs"
        tail = "".join(self.output(stream)[-2000:] for stream in ("stdout", "stderr"))
        raise BenchError(f"{self.name} {complaint}; it {state}; its last words:\n{tail}")

    def stop(self, seconds=5):
        if self._child.poll() is None:
            self._child.terminate()
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def run(argv, seconds, accepted=(0,), env=None):
    """The stdout of a program that ends by itself within `seconds`."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, text=True,
            env={**os.environ, **(env or {})}, preexec_fn=die_with_the_bench)
    except subprocess.TimeoutExpired as slow:
        raise BenchError(f"{argv[0]} took longer than {seconds} s") from slow
    if done.returncode not in accepted:
        raise BenchError(f"{argv[0]} ended with status {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
