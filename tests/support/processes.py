"""Programs that run beside a test: their log lines are collected, their events waited for, and each is ended by its pid."""
import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import threading
import time

# How long a test waits for one event. Generous: sanitizer builds on a busy two-core machine must pass too.
DEADLINE_S = float(os.environ.get("SALLYPORT_TEST_DEADLINE_S", "30"))

_FIELD = re.compile(r'([A-Za-z_][\w.]*)=("(?:[^"\\]|\\.)*"|\S*)')


def parse_event(line):
    """`level=info event=a.b key="some text"` as a dict; a line that is no event gives an empty one."""
    if "event=" not in line:
        return {}
    fields = {}
    for key, value in _FIELD.findall(line):
        fields[key] = json.loads(value) if value.startswith('"') else value
    return fields


def wait_until(condition, what, deadline_s=None):
    """For what has no event to wait on: asks again every few milliseconds."""
    end = time.monotonic() + (DEADLINE_S if deadline_s is None else deadline_s)
    pause = threading.Event()
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not in time: {what}")
        pause.wait(0.01)


def lives(pid):
    """Whether a process runs. One that has ended and waits for its parent to look doesn't."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


_PR_SET_CHILD_SUBREAPER = 36


class Successor:
    """A process that a program of ours has started in its own place, with as much of Popen as Program uses. It is waited for
    once its parent has ended and it is ours."""

    def __init__(self, pid):
        # Orphans among our descendants come to us, not to init.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.pid = pid
        self.returncode = None

    def poll(self):
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            except ChildProcessError:  # its parent still lives
                if not os.path.exists(f"/proc/{self.pid}"):
                    self.returncode = 0  # and has heard of its end itself; it would have said if that was none in order
        return self.returncode

    def wait(self, deadline_s):
        end = time.monotonic() + deadline_s
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", deadline_s)
            time.sleep(0.01)
        return self.returncode

    def send_signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Program:
    """One started program. `lines` holds all it has printed so far, standard output and error alike. `stdin` is a text or a
    descriptor."""

    def __init__(self, name, argv, env=None, log_path=None, stdin=None, cwd=None):
        self.name = name
        self.lines = []
        self._changed = threading.Condition()
        self._ended_output = False
        self._log = open(log_path, "w", buffering=1) if log_path else None
        self._replaced = []  # processes whose place another one has taken
        self._process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.PIPE if isinstance(stdin, str) else subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env=env,
            text=True, errors="backslashreplace", start_new_session=True)
        self._reader = threading.Thread(target=self._read, name=f"log of {name}", daemon=True)
        self._reader.start()
        if isinstance(stdin, str):
            self._process.stdin.write(stdin)
            self._process.stdin.close()

    @property
    def pid(self):
        return self._process.pid

    @property
    def running(self):
        return self._process.poll() is None

    def replaced_by(self, pid):
        """It has started another process in its place; that is the program from now on."""
        self._replaced.append(self._process)
        self._process = Successor(pid)

    def wait_for_replaced(self, deadline_s=None):
        """Waits for the end of those it was before; their exit codes."""
        codes = [process.wait(DEADLINE_S if deadline_s is None else deadline_s) for process in self._replaced]
        self._replaced.clear()
        return codes

    def _read(self):
        for line in self._process.stdout:
            if self._log:
                self._log.write(line)
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended_output = True
            self._changed.notify_all()

    def wait_for_line(self, matches, what, deadline_s=None, after=0):
        """The first line at or after index `after` that `matches`, as (index, line)."""
        deadline_s = DEADLINE_S if deadline_s is None else deadline_s
        end = time.monotonic() + deadline_s
        seen = after
        with self._changed:
            while True:
                for index in range(seen, len(self.lines)):
                    if matches(self.lines[index]):
                        return index, self.lines[index]
                seen = max(after, len(self.lines))
                left = end - time.monotonic()
                if self._ended_output or left <= 0:
                    why = "ended" if self._ended_output else f"printed nothing such in {deadline_s:.0f} s"
                    raise AssertionError(f"waiting for {what}: {self.name} {why}; its last lines:\n" + self.tail())
                self._changed.wait(left)

    def wait_for_event(self, event, deadline_s=None, after=0, **fields):
        """The fields of the first `event` whose fields hold these values."""
        wanted = {key: str(value) for key, value in fields.items()}

        def matches(line):
            found = parse_event(line)
            return found.get("event") == event and wanted.items() <= found.items()

        what = " ".join([event, *(f"{key}={value}" for key, value in wanted.items())])
        return parse_event(self.wait_for_line(matches, what, deadline_s, after)[1])

    def events(self, event):
        return [found for found in map(parse_event, list(self.lines)) if found.get("event") == event]

    def mark(self):
        """Where the log stands now: pass it as `after` to wait for what comes later."""
        with self._changed:
            return len(self.lines)

    def tail(self, count=25):
        return "\n".join("  | " + line for line in self.lines[-count:])

    def wait(self, deadline_s=None):
        """Waits for the end of the program; its exit code."""
        code = self._process.wait(DEADLINE_S if deadline_s is None else deadline_s)
        for process in self._replaced:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait(DEADLINE_S)
        self._reader.join(5)
        return code

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        """Ends it as a power cut would."""
        if self.running:
            self.signal(signal.SIGKILL)
        return self.wait()

    def stop(self, deadline_s=15):
        """Asks it to end, then ends it; its exit code."""
        if self.running:
            self.signal(signal.SIGTERM)
        try:
            code = self.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} ignored SIGTERM for {deadline_s} s; its last lines:\n" + self.tail())
        finally:
            if self._log:
                self._log.close()
        return code

    def resident_kib(self):
        """Resident memory, from the kernel's accounting."""
        with open(f"/proc/{self.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0

    def thread_and_fd_count(self):
        return len(os.listdir(f"/proc/{self.pid}/task")), len(os.listdir(f"/proc/{self.pid}/fd"))
