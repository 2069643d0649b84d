"""A program in a terminal of 80x24, what it shows, and how long a typed key takes to appear."""
import os
import pty
import re
import select
import signal
import struct
import fcntl
import termios
import time

from peers.process import BenchError, die_with_the_bench

_ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78MDEHc])")
_BEGUN = re.compile(rb"\x1b(\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[()])?$")  # one whose end is still to come
_PROMPT = re.compile(rb"[$#] *$")
LETTERS = b"abcdefghijklmnopqrstuvwxyz"
LINE = 60  # keys before a newline: nothing reaches the right margin


class Terminal:
    """Use as a context manager: the program is gone afterwards."""

    def __init__(self, argv, env=None):
        self.shown = b""
        self._begun = b""
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            die_with_the_bench()
            os.environ.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})})
            try:
                os.execvp(argv[0], argv)
            finally:
                os._exit(127)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.set_blocking(self._master, False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._master)
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(self._pid, number)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                if os.waitpid(self._pid, os.WNOHANG)[0]:
                    return
                time.sleep(0.01)

    def fileno(self):
        return self._master

    def write(self, octets):
        os.write(self._master, octets)

    def read(self):
        """Takes what is there; the text of it without escape sequences."""
        try:
            octets = os.read(self._master, 65536)
        except BlockingIOError:
            return b""
        except OSError:
            octets = b""
        if not octets:
            raise BenchError(f"a terminal's program ended; it showed {self.shown[-400:]!r}")
        text = _ESCAPES.sub(b"", self._begun + octets)
        begun = _BEGUN.search(text)
        self._begun = begun[0] if begun else b""
        text = text[:len(text) - len(self._begun)]
        self.shown = (self.shown + text)[-4000:]
        return text

    def wait_for(self, pattern, seconds):
        deadline = time.monotonic() + seconds
        while not pattern.search(self.shown):
            left = deadline - time.monotonic()
            if left <= 0:
                raise BenchError(f"a terminal showed no {pattern.pattern!r} in {seconds} s but {self.shown[-400:]!r}")
            if select.select([self], [], [], left)[0]:
                self.read()

    def wait_for_end(self, seconds):
        """Until the program has ended, or for so long."""
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                if select.select([self], [], [], left)[0]:
                    self.read()
        except BenchError:
            return

    def wait_for_prompt(self, seconds=120):
        self.wait_for(_PROMPT, seconds)

    def begin_typing(self):
        """From now on the remote terminal echoes keys and nothing else does."""
        self.write(b"echo SALLY''PORT; exec cat >/dev/null\n")
        self.wait_for(re.compile(rb"SALLYPORT"), 120)
        self.shown = b""


class Typist:
    """Types into one terminal, a key at a time, each after the one before has appeared and a pause."""

    def __init__(self, terminal, count, pause):
        self.terminal = terminal
        self.milliseconds = []
        self._count, self._pause = count, pause
        self._typed = 0
        self._sent_at = None
        self._next_at = time.monotonic() + pause

    @property
    def done(self):
        return len(self.milliseconds) == self._count

    def wakes_at(self):
        return self._next_at if self._sent_at is None else self._sent_at + 120

    def look(self, readable):
        now = time.monotonic()
        letter = LETTERS[self._typed % len(LETTERS):][:1]
        if readable and letter in self.terminal.read() and self._sent_at is not None:
            self.milliseconds.append((time.monotonic() - self._sent_at) * 1000)
            self._sent_at = None
            self._typed += 1
            self._next_at = now + self._pause
        elif self._sent_at is None and now >= self._next_at:
            if self._typed and self._typed % LINE == 0:
                self.terminal.write(b"\n")
            self._sent_at = time.monotonic()
            self.terminal.write(letter)
        elif self._sent_at is not None and now > self._sent_at + 120:
            raise BenchError(f"a key did not appear in 120 s; shown: {self.terminal.shown[-200:]!r}")


def type_all(typists):
    """All at once over the same line, each at its own pace, until each is done."""
    while waiting := [typist for typist in typists if not typist.done]:
        soon = max(0.0, min(typist.wakes_at() for typist in waiting) - time.monotonic())
        readable = select.select([typist.terminal for typist in waiting], [], [], soon)[0]
        for typist in waiting:
            typist.look(typist.terminal in readable)
