"""Who fails to log in too often waits, and nobody else: wrong passwords, failed logins at Home Assistant, refused WebSockets, unknown hosts."""
import base64
import json

import pytest

from home_assistant.double import HomeAssistant
from support.home_app import HomeApp
from support.http2_client import Http2Client
from support.processes import wait_until
from test_home_assistant import masked_text, wait_for_findings
from test_routes import BCRYPT, set_route, set_users

HERE, ELSEWHERE = "127.0.0.7", "127.0.0.8"  # two addresses that visitors come from
JSON = {"Content_Type": "application/json"}


@pytest.fixture
def strict(world):
    """A tunnel whose relay bans after three failures, for as long as a test can take. Visitors from 127.0.0.1 are spared."""
    def make(origin, **config):
        config = {"unlimited_addresses": ["127.0.0.1"], "ban_after": 3, "ban_time": "1h", **config}
        return world.tunnel(origin, **config)
    return make


@pytest.fixture
def home(world, strict):
    double = world.keep_origin(HomeAssistant(use_x_forwarded_for=True, trusted_proxies=["127.0.0.1/32"]))
    tunnel = strict(("homeassistant", double))
    wait_for_findings(tunnel)
    set_route(tunnel, "--preset", "home-assistant")
    return double, tunnel


def bans(tunnel):
    return tunnel.relay.admin_json("bans", "list")["bans"]


def failures(tunnel, kind):
    return tunnel.relay.metrics()[f'sallyport_ban_failures_total{{kind="{kind}"}}']


def ask(tunnel, source, *arguments, hostname=None, **fields):
    with tunnel.visitor(hostname, source=source) as visitor:
        return visitor.ask(*arguments, **fields)


def log_in(double, tunnel, source, password=None, path="/auth/login_flow", **fields):
    """One attempt, of a browser as it is; the answer to the password, or what refused the way to it."""
    origin = tunnel.url("/")
    with tunnel.visitor(source=source) as visitor:
        begun = visitor.ask("POST", path, json.dumps(
            {"client_id": origin, "handler": ["homeassistant", None], "redirect_uri": origin}).encode(), **JSON, **fields)
        if begun.status != 200:
            return begun
        flow = json.loads(begun.content)["flow_id"]
        user, right = double.config.user
        return visitor.ask("POST", f"{path}/{flow}", json.dumps(
            {"client_id": origin, "username": user, "password": password or right}).encode(), Accept_Encoding="gzip, deflate", **JSON, **fields)


def open_websocket(tunnel, source, token="wrong"):
    """What the handshake is answered; a refused token ends in a close by Home Assistant."""
    with tunnel.visitor(source=source) as visitor:
        visitor.request(path="/api/websocket", Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13",
                        Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
        response = visitor.read_head()
        if response.status == 101:
            visitor.send(masked_text(json.dumps({"type": "auth", "access_token": token})))
            visitor.read_until(b"auth_invalid")
            visitor.read_until(b"\x88\x02")  # its Close
            visitor.send(b"\x88\x82" + bytes(4) + b"\x03\xe8")
            visitor.read_to_end()
        return response.status


def basic(password, user="anna"):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.sanitize
def test_wrong_logins_ban_their_address_from_logging_in_and_nothing_else(home):
    double, tunnel = home
    for _ in range(3):
        answer = log_in(double, tunnel, HERE, "a wrong password")
        assert answer.status == 200 and json.loads(answer.content)["errors"] == {"base": "invalid_auth"}
    refused = log_in(double, tunnel, HERE, Accept="application/json")
    assert refused.status == 429 and 3000 < int(refused.value("Retry-After")) <= 3600
    assert json.loads(refused.content)["error"]["hop"] == "relay"
    assert ask(tunnel, HERE, "POST", "/auth/%74oken", b"grant_type=refresh_token").status == 429, "however it is spelled"
    assert open_websocket(tunnel, HERE) == 429
    assert ask(tunnel, HERE, path="/manifest.json").status == 200
    assert ask(tunnel, HERE, "POST", "/api/webhook/door", b"{}").status == 200

    event = tunnel.relay.wait_for_event("visitor.banned", address=HERE)
    assert (event["kind"], event["for_s"], event["agent"]) == ("login", "3600", "home")
    assert [(ban["address"], ban["agent"], ban["kind"], ban["cross_site"]) for ban in bans(tunnel)] == [(HERE, "home", "login", False)]
    metrics = tunnel.relay.metrics()
    assert metrics["sallyport_bans"] == 1
    assert metrics['sallyport_ban_failures_total{kind="login"}'] == 3
    assert metrics['sallyport_policy_refusals_total{reason="banned"}'] == 3

    answer = log_in(double, tunnel, ELSEWHERE)
    assert json.loads(answer.content)["type"] == "create_entry"
    assert HERE in tunnel.relay.admin("bans", "list").stdout
    assert tunnel.relay.admin_json("bans", "lift", HERE) == {"lifted": 1}
    tunnel.relay.wait_for_event("visitor.unbanned", address=HERE, by="admin-socket")
    assert json.loads(log_in(double, tunnel, HERE).content)["type"] == "create_entry"
    assert bans(tunnel) == [] and tunnel.relay.admin_json("bans", "lift", HERE) == {"lifted": 0}


def test_a_success_forgets(home):
    double, tunnel = home
    for _ in range(2):
        for _ in range(2):
            log_in(double, tunnel, HERE, "a wrong password")
        assert json.loads(log_in(double, tunnel, HERE).content)["type"] == "create_entry"
    assert bans(tunnel) == [] and failures(tunnel, "login") == 4


def test_refused_tokens(home):
    double, tunnel = home
    for _ in range(3):
        assert ask(tunnel, HERE, "POST", "/auth/token", b"grant_type=refresh_token&refresh_token=wrong&client_id=app",
                   Content_Type="application/x-www-form-urlencoded").status == 400
    assert [ban["kind"] for ban in bans(tunnel)] == ["login"]


def test_refused_websockets(home):
    double, tunnel = home
    for count in range(1, 4):
        assert open_websocket(tunnel, HERE) == 101
        wait_until(lambda: failures(tunnel, "websocket") == count, "it is counted")
    assert open_websocket(tunnel, HERE) == 429
    assert open_websocket(tunnel, ELSEWHERE) == 101


def test_what_a_page_of_another_site_does_is_not_held_against_those_who_look_at_it(home):
    double, tunnel = home
    for _ in range(3):
        ask(tunnel, HERE, "POST", "/auth/token", b"grant_type=refresh_token&client_id=app", Sec_Fetch_Site="cross-site", Origin="https://evil.example",
            Content_Type="application/x-www-form-urlencoded")
    assert [ban["cross_site"] for ban in bans(tunnel)] == [True]
    assert log_in(double, tunnel, HERE, Sec_Fetch_Site="cross-site").status == 429
    assert json.loads(log_in(double, tunnel, HERE, Sec_Fetch_Site="same-origin").content)["type"] == "create_entry"
    assert json.loads(log_in(double, tunnel, HERE).content)["type"] == "create_entry", "an app"


@pytest.mark.sanitize
def test_over_http2(home):
    double, tunnel = home
    tunnel.relay.config["unlimited_addresses"] = []  # this client comes from 127.0.0.1
    (tunnel.relay.folder / "relay.yaml").write_text(json.dumps(tunnel.relay.config))
    tunnel.relay.admin("reload")
    with Http2Client(tunnel.relay.port, tunnel.hostname, trust=tunnel.trust) as visitor:
        def post(path, content):
            return visitor.ask("POST", path, extra=[("content-type", "application/json")], content=json.dumps(content).encode())

        origin = tunnel.url("/")
        begun = post("/auth/login_flow", {"client_id": origin, "handler": ["homeassistant", None], "redirect_uri": origin})
        flow = "/auth/login_flow/" + json.loads(begun.content)["flow_id"]
        wrong = {"client_id": origin, "username": "owner", "password": "wrong"}
        assert [post(flow, wrong).status for _ in range(4)] == [200, 200, 200, 429]
        websocket = visitor.ask(fields=[(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
                                        (":authority", tunnel.hostname), (":path", "/api/websocket"), ("sec-websocket-version", "13")], end=False)
        assert websocket.status == 429
        assert visitor.ask(path="/manifest.json").status == 200


@pytest.mark.sanitize
def test_wrong_passwords_of_a_route(world, strict, tmp_path):
    tunnel = strict(world.origin(HomeApp()))
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}\n")
    assert ask(tunnel, HERE, Authorization=basic("U*U")).status == 200
    for n in range(3):
        assert ask(tunnel, HERE, Authorization=basic(f"wrong{n}")).status == 401
    refused = ask(tunnel, HERE, Authorization=basic("wrong4"))
    assert refused.status == 429 and refused.value("WWW-Authenticate") is None
    assert ask(tunnel, HERE).status == 401, "nothing was tried"
    assert ask(tunnel, HERE, Authorization=basic("U*U")).status == 200, "that one is known to be good"
    assert ask(tunnel, ELSEWHERE, Authorization=basic("wrong5")).status == 401
    assert [(ban["address"], ban["kind"]) for ban in bans(tunnel)] == [(HERE, "password")]


def test_behind_a_proxy_it_is_the_visitor_who_is_banned(world, strict, tmp_path):
    tunnel = strict(world.origin(HomeApp()), trusted_proxies=["127.0.0.1"])
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}\n")
    with tunnel.visitor() as proxy:
        def status(password, visitor):
            return proxy.ask(Authorization=basic(password), X_Forwarded_For=visitor).status
        assert [status(f"wrong{n}", "2001:db8:1:2::7") for n in range(4)] == [401, 401, 401, 429]
        assert status("wrong", "2001:db8:1:2::8") == 429, "of the same household"
        assert status("wrong", "2001:db8:1:3::7") == 401
        assert [ban["address"] for ban in bans(tunnel)] == ["2001:db8:1:2::/64"]
        assert tunnel.relay.admin_json("bans", "lift", "2001:db8:1:2::/64") == {"lifted": 1}
        assert status("U*U", "2001:db8:1:2::7") == 200


def test_unknown_hosts(home):
    double, tunnel = home
    for _ in range(5):
        assert ask(tunnel, ELSEWHERE, hostname="gone.example.test").status == 404
    for name in ("a", "b", "c"):
        assert ask(tunnel, HERE, hostname=f"{name}.example.test").status == 404
    assert [(ban["address"], ban["agent"], ban["kind"]) for ban in bans(tunnel)] == [(HERE, None, "unknown_host")]
    assert log_in(double, tunnel, HERE).status == 429
    assert ask(tunnel, HERE, path="/manifest.json").status == 200
    assert json.loads(log_in(double, tunnel, ELSEWHERE).content)["type"] == "create_entry"


def test_switched_off(world, strict, tmp_path):
    tunnel = strict(world.origin(HomeApp()), ban_shield=False)
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}\n")
    for n in range(5):
        assert ask(tunnel, HERE, Authorization=basic(f"wrong{n}")).status == 401
    assert bans(tunnel) == []
