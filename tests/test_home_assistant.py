"""Home Assistant through the tunnel: visitor addresses in every configuration it can have, logging in, and its long answers."""
import asyncio
import hashlib
import json
import threading
from urllib.parse import urlencode

import aiohttp
import pytest

from home_assistant.double import HomeAssistant
from home_assistant.streams import BACKUP_BLOCK, FRAME_BOUNDARY, JPEG, backup_sha256
from support.certificates import self_signed
from support.origins import server_tls
from support.processes import wait_until
from support.relay import free_port
from support.visitor import ConnectionEnded, Visitor, client_context
from test_websocket import Loopback, node

LOOPBACK = ["127.0.0.0/8", "::1/128"]
ADVICE = "use_x_forwarded_for"


@pytest.fixture
def home(world):
    """Makes a double and a tunnel to it by the name `homeassistant`."""
    def make(agent_config=None, relay_config=None, **config):
        double = world.keep_origin(HomeAssistant(**config))
        tunnel = world.tunnel(("homeassistant", double), agent_config=agent_config, **(relay_config or {}))
        wait_for_findings(tunnel)
        return double, tunnel
    return make


def wait_for_findings(tunnel):
    """Until the relay has been told what the agent found out about its Home Assistant."""
    def found_out():
        shown = tunnel.relay.admin_json("agent", "show", "home")["agent"]
        return any(target["home_assistant"] for target in shown["tunnel"]["targets"])
    wait_until(found_out, "the relay knows about the Home Assistant")


def seen(tunnel, **fields):
    """How the double takes a visitor."""
    response = tunnel.ask(path="/double/seen", **fields)
    assert response.status == 200, response.content
    return json.loads(response.content)


# --- forward_client_ip: auto ---


@pytest.mark.sanitize
def test_a_first_start_works_against_an_unconfigured_home_assistant(home):
    double, tunnel = home()
    assert tunnel.ask().status == 200
    found = tunnel.agent.wait_for_event("agent.home_assistant", target="homeassistant")
    assert ADVICE in found["advice"] and "trusted_proxies" in found["advice"] and "127.0.0.1" in found["advice"]
    assert seen(tunnel)["host"] == tunnel.hostname
    visited = double.requests.wait_for(lambda request: request.target == "/", "the visit")
    assert not visited.values("X-Forwarded-For")


@pytest.mark.sanitize
def test_a_configured_home_assistant_sees_the_visitor(home):
    double, tunnel = home(use_x_forwarded_for=True, trusted_proxies=LOOPBACK)
    found = tunnel.agent.wait_for_event("agent.home_assistant", target="homeassistant")
    assert found["forwarded_for"] == "accepted" and "advice" not in found
    assert seen(tunnel) == {"remote": "127.0.0.1", "scheme": "https", "host": tunnel.hostname}
    request = double.requests.wait_for(lambda request: request.target == "/double/seen", "the visit")
    for name, value in (("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", tunnel.hostname)):
        assert [v.split(":")[0] if name.endswith("Host") else v for v in request.values(name)] == [value]


@pytest.mark.sanitize
def test_nobody_chooses_how_they_are_seen(home):
    double, tunnel = home(use_x_forwarded_for=True, trusted_proxies=LOOPBACK)
    forged = seen(tunnel, X_Forwarded_For="8.8.8.8", X_Forwarded_Proto="http", X_Forwarded_Host="evil.example", Forwarded="for=8.8.8.8",
                  X_Real_IP="8.8.8.8")
    assert forged == {"remote": "127.0.0.1", "scheme": "https", "host": tunnel.hostname}
    request = double.requests.wait_for(lambda request: request.target == "/double/seen", "the visit")
    assert len(request.values("X-Forwarded-For")) == 1 and "8.8.8.8" not in str(request.headers)


def test_a_proxy_that_is_not_trusted_there_is_served_without_the_field(home):
    double, tunnel = home(use_x_forwarded_for=True, trusted_proxies=["192.0.2.0/24"])
    assert tunnel.ask().status == 200
    found = tunnel.agent.wait_for_event("agent.home_assistant")
    assert found["forwarded_for"] == "refused" and "trusted_proxies" in found["advice"]


@pytest.mark.sanitize
def test_with_trusted_networks_nothing_is_served_without_the_field(home):
    """Every visitor would look like the agent, and the agent's address needs no password."""
    double, tunnel = home(trusted_networks=LOOPBACK)
    response = tunnel.ask(Accept="application/json")
    assert response.status == 503
    assert ADVICE in json.loads(response.content)["error"]["detail"] or "trusted" in json.loads(response.content)["error"]["detail"]
    asked = {request.target for request in double.requests.all()}
    assert asked <= {"/manifest.json", "/auth/providers"}, "only the agent's own questions reached it"
    assert tunnel.agent.wait_for_event("agent.home_assistant")["trusted_networks"] == "yes"


@pytest.mark.sanitize
def test_with_trusted_networks_and_the_field_all_is_well(home):
    _, tunnel = home(trusted_networks=["192.0.2.0/24"], use_x_forwarded_for=True, trusted_proxies=LOOPBACK)
    assert tunnel.ask().status == 200
    providers = json.loads(tunnel.ask(path="/auth/providers").content)["providers"]
    assert [provider["type"] for provider in providers] == ["homeassistant"]


@pytest.mark.sanitize
@pytest.mark.parametrize("trusts", [True, False])
def test_a_visitor_who_waits_already_is_not_let_in_before_the_home_was_asked(world, trusts):
    """Whoever comes without the field comes from the agent's address, which needs no password."""
    asked = threading.Event()
    config = dict(use_x_forwarded_for=True, trusted_proxies=LOOPBACK) if trusts else {}
    double = world.keep_origin(HomeAssistant(trusted_networks=LOOPBACK, providers_gate=asked, **config))
    relay = world.relay(offline_grace="60s")
    code = relay.add_agent("home", ["home.example.test"], [f"homeassistant={double.url}"])["enroll"]
    with Visitor(relay.port, "home.example.test", trust=world.authority.file) as visitor:
        visitor.request(path="/double/seen", Accept="application/json")
        agent = world.agent(code)
        agent.wait_until_connected()
        double.requests.wait_for(lambda request: request.target == "/auth/providers", "the agent's question")
        assert "/double/seen" not in {request.target for request in double.requests.all()}
        asked.set()
        response = visitor.read_response()
    if trusts:
        assert response.status == 200, response.content
        visited = [request for request in double.requests.all() if request.target == "/double/seen"]
        assert len(visited) == 1 and visited[0].values("X-Forwarded-For")
    else:
        assert response.status == 503, response.content
        assert ADVICE in response.content.decode()
        assert "/double/seen" not in {request.target for request in double.requests.all()}


def test_the_owner_may_decide_otherwise(home):
    double, tunnel = home(trusted_networks=LOOPBACK)
    assert tunnel.ask().status == 503
    route = tunnel.relay.admin_json("route", "list")["routes"][0]
    tunnel.relay.admin("route", "set", route["id"], "--forward-client-ip", "never")
    assert tunnel.ask().status == 200
    tunnel.relay.admin("route", "set", route["id"], "--forward-client-ip", "always")
    assert tunnel.ask().status == 400, "as that Home Assistant answers it"


@pytest.mark.parametrize("config", [dict(onboarding=True), dict(onboarding=True, use_x_forwarded_for=True, trusted_proxies=LOOPBACK)])
def test_during_onboarding(home, config):
    _, tunnel = home(**config)
    response = tunnel.ask()
    assert (response.status, response.value("Location")) == (302, "/onboarding.html")


@pytest.mark.sanitize
def test_a_change_of_its_configuration_is_noticed(home):
    double, tunnel = home(use_x_forwarded_for=True, trusted_proxies=LOOPBACK)
    assert seen(tunnel)["scheme"] == "https"
    double.config.use_x_forwarded_for = False
    first = tunnel.ask()
    assert first.status in (200, 400), "the first one may meet the old view"
    tunnel.agent.restart()
    tunnel.agent.wait_until_connected()
    assert tunnel.ask().status == 200


def test_home_assistant_that_starts_after_the_agent(world):
    port = free_port()
    tunnel = world.tunnel(("homeassistant", f"http://127.0.0.1:{port}"))
    assert tunnel.ask().status == 502
    world.keep_origin(HomeAssistant(port=port, use_x_forwarded_for=True, trusted_proxies=LOOPBACK))
    assert tunnel.ask().status == 200
    assert seen(tunnel)["scheme"] == "https"


def test_over_https_with_its_own_certificate(world, tmp_path):
    double = world.keep_origin(HomeAssistant(tls=server_tls(self_signed(tmp_path, "homeassistant.local"))))
    tunnel = world.tunnel(("homeassistant", double))
    assert tunnel.ask().status == 200


# --- bans and logins ---


@pytest.mark.sanitize
def test_a_ban_hits_the_visitor_not_the_tunnel(world):
    """Two visitors with addresses of their own: one is banned, the other is not."""
    double = world.keep_origin(HomeAssistant(use_x_forwarded_for=True, trusted_proxies=["127.0.0.1/32"], login_attempts_threshold=2))
    tunnel = world.tunnel(("homeassistant", double))
    wait_for_findings(tunnel)

    def ask_from(source, path):
        with Visitor(tunnel.relay.port, tunnel.hostname, trust=tunnel.trust, source=source) as visitor:
            return visitor.ask(path=path).status

    assert [ask_from("127.0.0.66", "/api/") for _ in range(2)] == [401, 401]
    assert ask_from("127.0.0.66", "/") == 403
    assert ask_from("127.0.0.77", "/") == 200


def test_the_whole_login_through_the_tunnel(home):
    double, tunnel = home(use_x_forwarded_for=True, trusted_proxies=LOOPBACK)
    origin = tunnel.url("/")
    with tunnel.visitor() as visitor:
        def post(path, content, kind="application/json"):
            response = visitor.ask("POST", path, content.encode(), Content_Type=kind)
            assert response.status == 200, response.content
            return json.loads(response.content)

        flow = post("/auth/login_flow", json.dumps({"client_id": origin, "handler": ["homeassistant", None], "redirect_uri": origin}))
        name, password = double.config.user
        done = post(f"/auth/login_flow/{flow['flow_id']}", json.dumps({"client_id": origin, "username": name, "password": password}))
        form = urlencode({"grant_type": "authorization_code", "code": done["result"], "client_id": origin})
        token = post("/auth/token", form, "application/x-www-form-urlencoded")["access_token"]
        assert visitor.ask(path="/api/", Authorization=f"Bearer {token}").status == 200


@pytest.mark.sanitize
def test_suspicious_paths_reach_its_own_filter_unchanged(home):
    double, tunnel = home()
    for path in ("/%2e%2e/secret", "/a/../../b", "/a?x=%252e%252e%252f", "/proc/self/environ", "/a?q=%3Cscript%3E"):
        assert tunnel.ask(path=path).status == 400, path
        assert double.requests.all()[-1].target == path


def test_limits_of_its_own_are_its_own(home):
    double, tunnel = home()
    assert tunnel.ask(path="/manifest.json", X_Long="a" * 24_000).status == 200
    assert tunnel.ask(path="/manifest.json", X_Long="a" * 25_000).status == 400
    assert tunnel.ask("POST", "/double/whole", content=bytes((16 << 20) - 1)).status == 200
    assert tunnel.ask("POST", "/double/whole", content=bytes((16 << 20) + 1)).status == 413


# --- WebSocket API ---


@pytest.mark.sanitize
def test_its_javascript_client_logs_in_and_subscribes(home):
    double, tunnel = home(use_x_forwarded_for=True, trusted_proxies=LOOPBACK)
    said = node("home_assistant.mjs", tunnel, *double.config.user)
    assert said == {"version": double.config.version, "before": "off", "after": "on", "user": "Owner", "reconnected": True}


@pytest.mark.sanitize
def test_events_reach_a_subscriber(home):
    double, tunnel = home()
    token = double.auth.make_long_lived_token()

    async def run():
        connector = aiohttp.TCPConnector(ssl=client_context(tunnel.trust), resolver=Loopback())
        async with aiohttp.ClientSession(connector=connector) as client, client.ws_connect(tunnel.url("/api/websocket")) as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": token})
            assert (await socket.receive_json())["type"] == "auth_ok"
            await socket.send_json({"id": 1, "type": "subscribe_events", "event_type": "doorbell"})
            await socket.receive_json()
            await asyncio.get_running_loop().run_in_executor(None, double.publish, "doorbell", {"button": 1})
            assert (await socket.receive_json())["event"]["data"] == {"button": 1}
    asyncio.run(asyncio.wait_for(run(), 30))


def test_a_client_that_stalls_is_dropped_by_home_assistant_not_by_us(home):
    """4,096 unsent messages: its queue limit works through the tunnel, whose buffers are bounded."""
    double, tunnel = home()
    token = double.auth.make_long_lived_token()
    visitor = tunnel.visitor(receive_buffer=4096)
    visitor.request(path="/api/websocket", Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13",
                    Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
    assert visitor.read_head().status == 101
    visitor.send(masked_text(json.dumps({"type": "auth", "access_token": token})))
    visitor.send(masked_text(json.dumps({"id": 1, "type": "subscribe_events", "event_type": "flood"})))
    wait_until(lambda: any(session._subscriptions for session in double.sessions), "the subscription")
    session = next(iter(double.sessions))
    for _ in range(100_000):
        if session.dropped_for_queue:
            break
        double.publish("flood", {"filling": "x" * 10_000})
    assert session.dropped_for_queue
    assert visitor.is_closed_by_peer()


def masked_text(text):
    """One masked text frame (RFC 6455 5.2), with a mask of zeros."""
    octets = text.encode()
    length = bytes([0x80 | len(octets)]) if len(octets) < 126 else b"\xfe" + len(octets).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + octets


# --- long answers ---


@pytest.mark.sanitize
def test_server_sent_events(home):
    double, tunnel = home()
    with tunnel.visitor() as visitor:
        visitor.request(path="/api/stream", Authorization=f"Bearer {double.auth.make_long_lived_token()}")
        visitor.read_until(b"data: ping\n\n")
        double.publish("sunrise", {})
        assert b"sunrise" in visitor.read_until(b"\n\n")
    double.cancelled.wait_for(lambda target: target == "/api/stream", "the end of the handler")


@pytest.mark.sanitize
def test_mjpeg_frames_arrive_while_the_next_is_not_there_yet(home):
    double, tunnel = home(frame_interval_s=0.05)
    with tunnel.visitor() as visitor:
        visitor.request(path=f"/api/camera_proxy_stream/camera.door?token={double.config.camera_token}")
        for _ in range(5):
            visitor.read_until(FRAME_BOUNDARY)
            visitor.read_until(JPEG)
    double.cancelled.wait_for(lambda target: target.startswith("/api/camera_proxy_stream"), "the end of the handler")


def test_camera_tokens_are_home_assistants_business(home):
    double, tunnel = home()
    assert tunnel.ask(path=f"/api/camera_proxy/camera.door?token={double.config.camera_token}").content == JPEG
    assert tunnel.ask(path="/api/camera_proxy/camera.door?token=wrong").status == 403
    assert tunnel.ask(path="/api/camera_proxy/camera.door", Authorization="Bearer wrong").status == 401


def test_low_latency_hls_blocks_beside_other_requests(home):
    double, tunnel = home()
    with tunnel.visitor() as waiting, tunnel.visitor() as other:
        waiting.request(path="/api/hls/t/playlist.m3u8?_HLS_msn=1")
        double.requests.wait_for(lambda request: "_HLS_msn=1" in request.target, "the waiting request")
        assert other.ask(path="/api/hls/t/segment/0.m4s").status == 200
        double.add_hls_part()
        assert b"segment/1.m4s" in waiting.read_response().content


def test_followed_logs(home):
    double, tunnel = home(frame_interval_s=0.01)
    with tunnel.visitor() as visitor:
        visitor.request(path="/api/hassio/core/logs/follow", Authorization=f"Bearer {double.auth.make_long_lived_token()}")
        for number in range(1, 20):
            visitor.read_until(b"line %d\n" % number)


def test_webhooks_need_no_login(home):
    double, tunnel = home()
    for method in ("POST", "PUT", "GET", "HEAD"):
        assert tunnel.ask(method, "/api/webhook/abc", content=b"x" if method in ("POST", "PUT") else None).status == 200
    assert len(double.webhooks.all()) == 4


@pytest.mark.sanitize
def test_backup_upload_and_download(home):
    double, tunnel = home()
    bearer = {"Authorization": f"Bearer {double.auth.make_long_lived_token()}"}
    mib = 100

    async def content():
        for _ in range(mib):
            yield BACKUP_BLOCK

    async def run():
        connector = aiohttp.TCPConnector(ssl=client_context(tunnel.trust), resolver=Loopback())
        async with aiohttp.ClientSession(connector=connector, headers=bearer) as client:
            form = aiohttp.MultipartWriter("form-data")
            form.append(content(), {"Content-Disposition": 'form-data; name="file"; filename="backup.tar"'})
            async with client.post(tunnel.url("/api/backup/upload?agent_id=backup.local"), data=form) as response:
                assert (await response.json())["sha256"] == backup_sha256(mib)
            digest = hashlib.sha256()
            async with client.get(tunnel.url(f"/api/backup/download/{mib}?agent_id=backup.local")) as response:
                async for chunk in response.content.iter_any():
                    digest.update(chunk)
            assert digest.hexdigest() == backup_sha256(mib)
    asyncio.run(asyncio.wait_for(run(), 110))


@pytest.mark.sanitize
def test_a_restart_in_mid_answer_is_an_error_to_the_visitor(home):
    _, tunnel = home()
    with tunnel.visitor() as visitor:
        visitor.request(path="/double/reset")
        with pytest.raises(ConnectionEnded):
            visitor.read_response()
    assert tunnel.ask().status == 200


def test_the_built_in_target_searches_only_the_usual_places(world):
    """No Home Assistant answers at the usual addresses of this machine: told as such, and soon."""
    relay = world.relay()
    code = relay.add_agent("home", ["home.example.test"])["enroll"]
    world.agent(code).wait_until_connected()
    with Visitor(relay.port, "home.example.test", trust=world.authority.file) as visitor:
        response = visitor.ask(Accept="application/json")
    assert response.status in (502, 503, 504)
    assert json.loads(response.content)["error"]["hop"] in ("origin", "agent")
