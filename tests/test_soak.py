"""Mixed load and faults, then quiet: nothing leaks and no visitor sees an error. `./dev soak MINUTES` runs it for so long."""
import os

import pytest

from support.cutter import Cutter
from support.distant import QUICK_HEARTBEAT
from support.soak import Soak
from support.transfers import NumberedHome

MINUTES = float(os.environ.get("SALLYPORT_SOAK_MINUTES", "1"))


@pytest.mark.soak
@pytest.mark.timeout(MINUTES * 60 + 600)
def test_nothing_leaks_under_mixed_load_and_faults(world, capsys):
    cutter = world.keep_origin(Cutter())
    app = NumberedHome()
    origin = world.origin(app, unnoted=_Everything())
    origin.app = app
    relay = world.relay(public_url=f"https://127.0.0.1:{cutter.port}", offline_grace="30s", access_log=False, log_level="info")
    cutter.target = ("127.0.0.1", relay.port)
    tunnel = world.tunnel(origin, relay=relay, agent_config={**QUICK_HEARTBEAT, "log_level": "info"})
    soak = Soak(tunnel, origin, cutter)
    soak.run(MINUTES * 60)
    with capsys.disabled():
        print("\n" + soak.table())
    assert not soak.problems()


class _Everything:
    """Notes of hours of requests would be the only leak."""

    def __contains__(self, _target):
        return True
