"""The emulated bad network of the system tests (tests/support/wan.py), for benches that need one."""
import contextlib
import os
import sys

from .process import BenchError

_TESTS = os.path.join(os.path.dirname(__file__), "..", "..", "tests")


@contextlib.contextmanager
def emulated(binary):
    """A Wan: sides "a" and "b", whose addresses are wan.address[side]."""
    os.environ.setdefault("SALLYPORT_BINARY", binary)
    if _TESTS not in sys.path:
        sys.path.append(_TESTS)
    from support import wan as support  # the path above leads there

    if why := support.why_not():
        raise BenchError(f"no emulated network: {why}")
    with support.Wan() as wan:
        wan.address = support.ADDRESS
        yield wan
