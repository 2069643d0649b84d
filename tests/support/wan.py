"""A bad network: two network namespaces, side "a" and side "b", joined by the emulator of tests/wan."""
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import select
import shutil
import subprocess
import threading

import pytest

from support.processes import DEADLINE_S
from support.relay import BINARY

# From the blocks set aside for measuring networks (RFC 2544, RFC 5180): nobody's real addresses.
ADDRESS = {"a": "198.18.0.1", "b": "198.18.0.2"}
ADDRESS6 = {"a": "2001:2::1", "b": "2001:2::2"}

EMULATOR = os.environ.get("SALLYPORT_WAN_EMULATOR") or str(pathlib.Path(BINARY).parent.parent / "tests" / "wan" / "wan_emulator")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def _ip(*words):
    _run("ip", *words)


def _ip_in(namespace, *words):
    # Not `ip -n`: that mounts /sys anew, which fails where the root folder is no mount point (chroot).
    _run("nsenter", f"--net=/run/netns/{namespace}", "ip", *words)


def _run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr.strip()}"


def why_not():
    """What this machine lacks for emulated networks; None where they work."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    if not shutil.which("ip"):
        return "there is no `ip` (Debian package iproute2)"
    if not os.access(EMULATOR, os.X_OK):
        return f"{EMULATOR} is not built"
    try:
        open("/dev/net/tun", "rb").close()
        _ip("netns", "add", probe := f"sp{os.getpid()}-probe")
        try:
            _ip_in(probe, "link", "set", "lo", "up")
        finally:
            _ip("netns", "del", probe)
    except (OSError, AssertionError) as error:
        return str(error)
    return None


class Wan:
    """Use it with `with`: both namespaces, and what run_in started, are gone at the end; where there can be none the test is
    skipped. Without settings the network is perfect; `set` and `counters` mean what tests/wan/line_settings.h and line.h say.
    Direction "ab" is from a to b."""

    def __init__(self, seed=1):
        self._seed = seed
        self._processes = []
        self._emulator = None
        self._lock = threading.Lock()  # one command at a time
        stem = f"sp{os.getpid()}-{next(_numbers)}"
        self.namespaces = {side: f"{stem}{side}" for side in "ab"}

    def __enter__(self):
        if why := why_not():
            pytest.skip(f"no emulated network: {why}")
        try:
            self._make()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _make(self):
        for name in self.namespaces.values():
            _ip("netns", "add", name)
            _ip_in(name, "link", "set", "lo", "up")
        self._emulator = subprocess.Popen(
            [EMULATOR, self.namespaces["a"], self.namespaces["b"], str(self._seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        if self._read_answer() != "ready":
            raise AssertionError(self._emulator.stderr.read())
        for side, name in self.namespaces.items():
            _ip_in(name, "link", "set", "wan0", "txqueuelen", "10000", "up")
            _ip_in(name, "addr", "add", f"{ADDRESS[side]}/24", "dev", "wan0")
            if pathlib.Path("/proc/net/if_inet6").exists():
                _ip_in(name, "addr", "add", f"{ADDRESS6[side]}/64", "dev", "wan0", "nodad")

    # --- the network ---

    def set(self, direction=None, **settings):
        """set(delay_ms=40, loss=1), set("ab", rate_kbit=64): from now on, until the next call says otherwise."""
        words = [f"{key}={float(value):g}" for key, value in settings.items()]
        answer = self._ask(" ".join(["set", *([direction] if direction else []), *words]))
        if answer != "ok":
            raise ValueError(answer)

    @contextlib.contextmanager
    def outage(self, direction=None):
        """Everything vanishes meanwhile, and neither end is told."""
        self.set(direction, outage=1)
        try:
            yield
        finally:
            self.set(direction, outage=0)

    def counters(self):
        return json.loads(self._ask("counters"))

    def _ask(self, command):
        with self._lock:
            self._emulator.stdin.write(command + "\n")
            return self._read_answer()

    def _read_answer(self):
        ready, _, _ = select.select([self._emulator.stdout], [], [], DEADLINE_S)
        if not ready:
            raise AssertionError("the WAN emulator does not answer")
        return self._emulator.stdout.readline().rstrip("\n")

    # --- its ends ---

    @contextlib.contextmanager
    def inside(self, side):
        """This thread is in the side's namespace meanwhile: so are the sockets, threads and programs it makes there, for good."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.namespaces[side]}") as there:
            _move_to(there)
            try:
                yield
            finally:
                _move_to(home)

    def run_in(self, side, argv, **options):
        """A Popen in the side's namespace; ended with it."""
        process = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.namespaces[side]}", *map(str, argv)], **options)
        self._processes.append(process)
        return process

    def change_address(self, side, old, new):
        """What a new lease or another uplink does: the old address is gone, connections from it hear nothing any more."""
        name = self.namespaces[side]
        _ip_in(name, "addr", "del", f"{old}/24", "dev", "wan0")
        _ip_in(name, "addr", "add", f"{new}/24", "dev", "wan0")

    def close(self):
        for process in self._processes:
            process.kill()
            process.wait(DEADLINE_S)
        if self._emulator:
            self._emulator.stdin.close()  # its sign to end
            try:
                self._emulator.wait(5)
            except subprocess.TimeoutExpired:
                self._emulator.kill()
                self._emulator.wait(5)
            self._emulator.stdout.close()
            self._emulator.stderr.close()
        for name in self.namespaces.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=DEADLINE_S)


def _move_to(namespace):
    if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
