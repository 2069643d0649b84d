"""How busy the machine is with other things: read while the bench itself is idle, since its figures mean little otherwise."""
import os
import time


def _busy_and_all():
    with open("/proc/stat", encoding="utf-8") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]  # idle and iowait
    return sum(ticks) - idle, sum(ticks)


def busy_cores(seconds=0.5):
    """Cores' worth of work of others right now, time stolen by a hypervisor included."""
    before = _busy_and_all()
    time.sleep(seconds)
    after = _busy_and_all()
    passed = after[1] - before[1]
    return (after[0] - before[0]) / passed * os.cpu_count() if passed else 0.0
