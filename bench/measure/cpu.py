"""CPU time of processes with all their children, from /proc: user and system, to a hundredth of a second each."""
import os

_TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/PID/stat behind the name (which may hold blanks): state is 0, ppid 1, utime 11, stime 12."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def tree(roots):
    """The pids of `roots` and of everything they have started."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                children.setdefault(int(_stat(entry)[1]), []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended meanwhile
    found, waiting = set(), list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def seconds(roots):
    """CPU seconds so far. The processes of a way live as long as the way: none is lost between two readings."""
    total = 0
    for pid in tree(roots):
        fields = _stat(pid)
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


class Meter:
    """with Meter(way.pids) as meter: …; then meter.seconds is what they used meanwhile."""

    def __init__(self, roots):
        self._roots = roots
        self.seconds = None

    def __enter__(self):
        self._start = seconds(self._roots)
        return self

    def __exit__(self, *_):
        self.seconds = seconds(self._roots) - self._start


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def proportional_kib(pids):
    """Proportional set size of the processes together: what they share is counted once."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError, StopIteration):
            continue  # ended meanwhile
    return total
