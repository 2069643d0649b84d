"""A real browser at the public name: page, fetch both ways, WebSocket, server-sent events, error page."""
import pathlib

import pytest

from support.home_app import HomeApp
from test_websocket import node

CHROMIUM = "/usr/bin/chromium"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(autouse=True)
def needs_chromium():
    assert pathlib.Path(CHROMIUM).exists(), "./dev test installs it"


def test_page_fetch_websocket_and_events(world, tmp_path):
    tunnel = world.tunnel(world.origin(HomeApp()))
    said = node("browser.mjs", tunnel, CHROMIUM, str(tmp_path / "profile"), deadline_s=120)
    assert said == {
        "title": "home", "downloaded": 3_000_000, "uploaded": 2_000_000, "echo": "hello from a browser", "event": "open",
        "unknownStatus": 404, "unknownPage": True}
