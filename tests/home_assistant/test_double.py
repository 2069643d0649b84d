"""The double is checked by itself, without a tunnel, against what is known of Home Assistant."""
import asyncio
import hashlib

import aiohttp
import pytest

from home_assistant.double import HomeAssistant
from home_assistant.forwarded import Refused, SeenAs, see
from home_assistant.security_filter import is_refused
from home_assistant.streams import BACKUP_BLOCK, backup_sha256

LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture
def home():
    doubles = []

    def make(**config):
        doubles.append(HomeAssistant(**config))
        return doubles[-1]
    yield make
    for double in doubles:
        double.stop()


def fetch(home, method, path, **options):
    async def run():
        async with aiohttp.ClientSession(home.url) as client, client.request(method, path, allow_redirects=False, **options) as response:
            return response.status, response.headers, await response.read()
    return asyncio.run(run())


def fetch_json(home, method, path, **options):
    async def run():
        async with aiohttp.ClientSession(home.url) as client, client.request(method, path, **options) as response:
            return response.status, await response.json(content_type=None)
    return asyncio.run(run())


@pytest.mark.parametrize("what, peer, xff, proto, host, trusted, expected", [
    ("nothing forwarded: the others are ignored", "127.0.0.1", [], ["https"], ["a"], LOOPBACK, SeenAs()),
    ("one of each", "127.0.0.1", ["203.0.113.9"], ["https"], ["h"], LOOPBACK, SeenAs("203.0.113.9", "https", "h")),
    ("IPv6", "127.0.0.1", ["2001:db8::1"], [], [], LOOPBACK, SeenAs("2001:db8::1")),
    ("right to left past trusted ones", "127.0.0.1", ["1.1.1.1, 2.2.2.2, 127.0.0.9"], [], [], LOOPBACK, SeenAs("2.2.2.2")),
    ("all trusted: the leftmost", "127.0.0.1", ["127.0.0.5, 127.0.0.6"], [], [], LOOPBACK, SeenAs("127.0.0.5")),
    ("several fields are joined", "127.0.0.1", ["1.1.1.1", "2.2.2.2"], ["http", "https"], [], LOOPBACK, SeenAs("2.2.2.2", "https")),
    ("the only scheme", "127.0.0.1", ["1.1.1.1, 2.2.2.2"], ["https"], [], LOOPBACK, SeenAs("2.2.2.2", "https")),
    ("the rightmost host", "127.0.0.1", ["1.1.1.1"], [], ["a, b"], LOOPBACK, SeenAs("1.1.1.1", None, "b")),
    ("an untrusted proxy", "127.0.0.1", ["1.1.1.1"], [], [], ["10.0.0.0/8"], None),
    ("not an address", "127.0.0.1", ["unknown"], [], [], LOOPBACK, None),
    ("an address with a port", "127.0.0.1", ["1.2.3.4:567"], [], [], LOOPBACK, None),
    ("brackets", "127.0.0.1", ["[::1]"], [], [], LOOPBACK, None),
    ("empty", "127.0.0.1", [""], [], [], LOOPBACK, None),
    ("an empty element", "127.0.0.1", ["1.1.1.1,"], [], [], LOOPBACK, None),
    ("an empty scheme", "127.0.0.1", ["1.1.1.1"], [""], [], LOOPBACK, None),
    ("too many schemes", "127.0.0.1", ["1.1.1.1"], ["http, https"], [], LOOPBACK, None),
    ("an empty host", "127.0.0.1", ["1.1.1.1"], [], [""], LOOPBACK, None),
    ("mapped IPv4 is in no IPv4 network", "::ffff:127.0.0.1", ["1.1.1.1"], [], [], LOOPBACK, None),
])
def test_forwarded_rules(what, peer, xff, proto, host, trusted, expected):
    if expected is None:
        with pytest.raises(Refused):
            see(peer, xff, proto, host, True, trusted)
    else:
        assert see(peer, xff, proto, host, True, trusted) == expected, what


def test_forwarded_is_refused_until_it_is_set_up():
    with pytest.raises(Refused, match="not set-up for reverse proxies"):
        see("127.0.0.1", ["1.1.1.1"], [], [], False, [])


@pytest.mark.parametrize("path, query, refused", [
    ("/lovelace/0", "", False),
    ("/api/history/period", "filter_entity_id=sensor.a&end_time=2026-01-01T00:00:00", False),
    ("/local/../secret", "", True),
    ("/%2e%2e/secret", "", True),
    ("/a", "x=%252e%252e%252f", True),
    ("/proc/self/environ", "", True),
    ("/a", "q=<script>alert(1)</script>", True),
    ("/a", "q=1 union all select password", True),
    ("/a", "q=concat(1)", True),
    ("/a\tb", "", True),
    ("/a.html", "v=/.//test", True),
])
def test_security_filter(path, query, refused):
    assert bool(is_refused(path, query)) == refused


def test_checks_come_in_home_assistants_order(home):
    double = home(use_x_forwarded_for=True, trusted_proxies=LOOPBACK, login_attempts_threshold=1)
    assert fetch(double, "GET", "/api/", headers={"X-Forwarded-For": "203.0.113.9"})[0] == 401
    assert fetch(double, "GET", "/", headers={"X-Forwarded-For": "203.0.113.9"})[0] == 403
    assert fetch(double, "GET", "/", headers={"X-Forwarded-For": "203.0.113.10"})[0] == 200
    assert fetch(double, "GET", "/", headers={"X-Forwarded-For": "bad"})[0] == 400
    assert fetch(double, "GET", "/?q=concat(", headers={"X-Forwarded-For": "203.0.113.9"})[0] == 400


def test_login_flow_is_bound_to_one_address(home):
    double = home(use_x_forwarded_for=True, trusted_proxies=LOOPBACK)
    begin = {"client_id": "https://h/", "handler": ["homeassistant", None], "redirect_uri": "https://h/"}
    _, flow = fetch_json(double, "POST", "/auth/login_flow", json=begin, headers={"X-Forwarded-For": "203.0.113.9"})
    answer = {"client_id": "https://h/", "username": double.config.user[0], "password": double.config.user[1]}
    path = f"/auth/login_flow/{flow['flow_id']}"
    status, moved = fetch_json(double, "POST", path, json=answer, headers={"X-Forwarded-For": "203.0.113.10"})
    assert (status, moved["message"]) == (400, "IP address changed")
    status, done = fetch_json(double, "POST", path, json=answer, headers={"X-Forwarded-For": "203.0.113.9"})
    assert done["type"] == "create_entry"
    form = {"grant_type": "authorization_code", "code": done["result"], "client_id": "https://h/"}
    status, tokens = fetch_json(double, "POST", "/auth/token", data=form)
    assert (status, tokens["expires_in"]) == (200, 1800)
    assert fetch(double, "GET", "/api/", headers={"Authorization": f"Bearer {tokens['access_token']}"})[0] == 200
    assert fetch(double, "POST", "/auth/token", data=form)[0] == 400, "a code is good once"


def test_trusted_networks_are_listed_only_to_who_may_use_them(home):
    double = home(trusted_networks=["127.0.0.0/8"], use_x_forwarded_for=True, trusted_proxies=LOOPBACK)
    kinds = [p["type"] for p in fetch_json(double, "GET", "/auth/providers")[1]["providers"]]
    assert kinds == ["homeassistant", "trusted_networks"]
    kinds = [p["type"] for p in fetch_json(double, "GET", "/auth/providers", headers={"X-Forwarded-For": "203.0.113.9"})[1]["providers"]]
    assert kinds == ["homeassistant"]


def test_onboarding_has_no_providers(home):
    double = home(onboarding=True)
    assert fetch(double, "GET", "/auth/providers")[0] == 400
    assert fetch(double, "GET", "/")[0] == 302


def test_limits_of_field_and_content(home):
    double = home()
    assert fetch(double, "GET", "/manifest.json", headers={"X-Long": "a" * 20_000})[0] == 200
    assert fetch(double, "GET", "/manifest.json", headers={"X-Long": "a" * 25_000})[0] == 400
    assert fetch(double, "POST", "/double/whole", data=b"a" * (16 << 20) + b"a")[0] == 413


def test_websocket_authenticates_coalesces_and_pushes(home):
    double = home()
    token = double.auth.make_long_lived_token()

    async def run():
        async with aiohttp.ClientSession(double.url) as client, client.ws_connect("/api/websocket") as socket:
            assert (await socket.receive_json())["type"] == "auth_required"
            await socket.send_json({"type": "auth", "access_token": token})
            assert (await socket.receive_json())["type"] == "auth_ok"
            await socket.send_json({"id": 1, "type": "supported_features", "features": {"coalesce_messages": 1}})
            assert (await socket.receive_json())["success"]
            await socket.send_json({"id": 2, "type": "subscribe_entities"})
            messages = []
            while len(messages) < 2:
                got = await socket.receive_json()
                messages += got if isinstance(got, list) else [got]
            assert messages[1]["event"]["a"]["light.porch"]["s"] == "off"
            await socket.send_json({"id": 3, "type": "ping"})
            assert (await socket.receive_json())["type"] == "pong"
    asyncio.run(run())


def test_websocket_refuses_a_wrong_token(home):
    double = home()

    async def run():
        async with aiohttp.ClientSession(double.url) as client, client.ws_connect("/api/websocket") as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": "wrong"})
            assert (await socket.receive_json())["type"] == "auth_invalid"
    asyncio.run(run())
    double.log.wait_for(lambda line: "invalid authentication" in line, "the warning")


def test_a_visitor_who_leaves_cancels_the_answer(home):
    double = home(frame_interval_s=0.01)

    async def run():
        async with aiohttp.ClientSession(double.url) as client:
            response = await client.get("/api/camera_proxy_stream/camera.door", params={"token": double.config.camera_token})
            await response.content.readexactly(100_000)
            response.close()
    asyncio.run(run())
    double.cancelled.wait_for(lambda target: target.startswith("/api/camera_proxy_stream/"), "the cancel")


def test_backups_are_hashed_on_the_way(home):
    double = home()
    bearer = {"Authorization": f"Bearer {double.auth.make_long_lived_token()}"}
    form = aiohttp.FormData()
    form.add_field("file", BACKUP_BLOCK * 3, filename="b.tar")

    async def run():
        async with aiohttp.ClientSession(double.url, headers=bearer) as client:
            async with client.post("/api/backup/upload?agent_id=backup.local", data=form) as response:
                assert (await response.json())["sha256"] == backup_sha256(3)
            async with client.get("/api/backup/download/3?agent_id=backup.local") as response:
                assert hashlib.sha256(await response.read()).hexdigest() == backup_sha256(3)
    asyncio.run(run())


def test_a_signed_path_opens_one_path_only(home):
    double = home()
    signed = double.sign_path("/api/", 30)
    assert fetch(double, "GET", signed)[0] == 200
    assert fetch(double, "GET", signed.replace("/api/", "/api/stream"))[0] == 401


def test_playlist_blocks_until_the_part_exists(home):
    double = home()

    async def run():
        async with aiohttp.ClientSession(double.url) as client:
            waiting = asyncio.ensure_future(client.get("/api/hls/t/playlist.m3u8?_HLS_msn=1"))
            await asyncio.get_running_loop().run_in_executor(None, double.origin.wait_for_request, "/api/hls/t/playlist.m3u8?_HLS_msn=1")
            assert not waiting.done()
            await asyncio.get_running_loop().run_in_executor(None, double.add_hls_part)
            assert "segment/1.m4s" in await (await waiting).text()
    asyncio.run(run())
