"""A relay behind Caddy and nginx, run by the examples of docs/behind-a-proxy.md, and behind proxies that lie."""
import asyncio
import json

import aiohttp
import pytest

from support import front_proxies
from support.home_app import HomeApp, content, content_sha256
from support.processes import wait_until
from support.proxy_header import v1_header, v2_header
from support.visitor import ConnectionEnded, Visitor, client_context, curl
from test_doctor import doctor

MIB = 1 << 20
HOSTNAME = "home.example.test"
FORGED = "203.0.113.66"  # what visitors claim to be


@pytest.fixture
def certificate(authority):
    return authority.issue("*.example.test", "localhost", stem="front")


def refused(relay, reason, side="visitor"):
    """How often; the order of labels is nobody's promise."""
    return sum(value for name, value in relay.metrics().items()
               if name.startswith("sallyport_handshakes_refused_total{") and f'reason="{reason}"' in name and f'side="{side}"' in name)


def port_of(relay, listener="plain"):
    return next(int(event["address"].rsplit(":", 1)[1]) for event in relay.program.events("relay.listening") if event["listener"] == listener)


class Home:
    """A relay, an agent and a home."""

    def __init__(self, world, **relay_config):
        self.world = world
        self.app = HomeApp()
        self.origin = world.origin(self.app)
        self.relay = world.relay(**relay_config)

    def connect_agent(self, relay_url=None):
        """By its key, straight to the relay; or by an api_key to `relay_url`."""
        if relay_url is None:
            code = self.relay.add_agent("home", [HOSTNAME], [f"t0={self.origin.url}"])["enroll"]
            agent = self.world.agent(code)
        else:
            token = self.relay.add_agent("home", [HOSTNAME], [f"t0={self.origin.url}"], "--token")["api_key"]
            agent = self.world.agent(relay_url=relay_url, api_key=token, ca_file=str(self.world.authority.file),
                                     services={"t0": self.origin.url})
        agent.wait_until_connected()
        self.opened = self.relay.wait_for_event("tunnel.opened", agent="home")
        # Whether the home takes forwarded fields is asked of a Home Assistant only; this one is to see them.
        self.relay.admin("route", "set", HOSTNAME, "--forward-client-ip", "always")
        return agent


@pytest.fixture(params=["caddy", "nginx"])
def front(request, world, certificate):
    """(the home, the proxy, with the agent connected through the proxy)"""
    home = Home(world, plain_listen="127.0.0.1:0", trusted_proxies=["127.0.0.1"], threads=2)
    proxy = world.keep_origin(getattr(front_proxies, request.param)(world.folder, port_of(home.relay), certificate))
    home.agent = home.connect_agent(f"wss://localhost:{proxy.port}")
    return home, proxy


def seen(answer):
    """The request as the home saw it."""
    return {name.lower(): value for name, value in json.loads(answer)["headers"]}


def test_the_doctor_finds_nothing_wrong_with_a_proxy_set_up_by_the_example(front, world):
    home, proxy = front
    home.relay.config |= {"public_url": f"https://localhost:{proxy.port}", "plain_listen": f"127.0.0.1:{port_of(home.relay)}"}
    before = home.agent.program.mark()
    home.relay.restart()
    home.agent.wait_until_connected(after=before)
    report = doctor(world, home.agent)
    assert report.code == 0, report
    for step in ("credential", "tunnel", "public_tls", "public_way", "public_page", "upload", "download", "events"):
        assert report.result(step) == "ok", report
    assert report["relay_view"]["facts"]["url"] == f"https://{HOSTNAME}:{proxy.port}/"


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_visitors_of_a_proxy_are_served(front, world, version):
    home, proxy = front

    def ask(path, *options):
        answer = curl(proxy.port, world.authority.file, path, version, "--interface", "127.0.0.77", *options, hostname=HOSTNAME)
        assert answer.code == 0 and answer.status == 200, answer
        assert answer.http_version == ("2" if version == "--http2" else "1.1")
        return answer.content

    fields = seen(ask("/echo?a=%2f", "-H", f"X-Forwarded-For: {FORGED}", "-H", f"Forwarded: for={FORGED}", "-H", "X-Forwarded-Proto: http",
                      "-H", f"X-Real-IP: {FORGED}", "-H", f"X_Forwarded_For: {FORGED}", "-H", "X-Forwarded-Host: evil.example"))
    assert fields["x-forwarded-for"] == "127.0.0.77" and fields["x-forwarded-proto"] == "https"
    assert fields["x-forwarded-host"].split(":")[0] == HOSTNAME
    assert FORGED not in str(fields) and "evil.example" not in str(fields) and "forwarded" not in fields

    assert ask(f"/content/{24 * MIB}") == content(24 * MIB)
    upload = world.folder / "upload"
    upload.write_bytes(content(24 * MIB))
    assert content_sha256(24 * MIB) in ask("/hash", "--data-binary", f"@{upload}").decode()


def test_an_agent_comes_through_the_proxy_with_a_secret_only(front, world):
    home, proxy = front
    assert home.opened["peer"] == "127.0.0.1"
    # A key can't be proved through somebody else's TLS.
    world.agent(name="other", relay_url=f"wss://localhost:{proxy.port}", ca_file=str(world.authority.file))
    wait_until(lambda: refused(home.relay, "no_tls", "agent") > 0, "refused")
    assert not [event for event in home.relay.program.events("tunnel.opened") if event["agent"] != "home"]


def test_events_and_websockets_pass_a_proxy_at_once(front, world):
    home, proxy = front
    with Visitor(proxy.port, HOSTNAME, trust=world.authority.file) as visitor:
        visitor.request(path="/fed")
        visitor.read_head()
        visitor.read_until(b": open\n\n")
        for number in range(10):
            home.origin.call(home.app.feed(b"data: %d\n\n" % number))
            visitor.read_until(b"data: %d\n\n" % number)  # there, while the answer is still open
        home.origin.call(home.app.feed(None))

    async def converse():
        async with aiohttp.ClientSession() as client:
            async with client.ws_connect(f"https://localhost:{proxy.port}/ws", ssl=client_context(world.authority.file),
                                         headers={"Host": HOSTNAME}, max_msg_size=0) as socket_there:
                for octets in (b"x", content(MIB)):
                    await socket_there.send_bytes(octets)
                    assert await socket_there.receive_bytes(timeout=30) == octets
    asyncio.run(converse())


def test_tls_passes_with_a_proxy_header(world):
    home = Home(world, proxy_protocol=["https"], trusted_proxies=["127.0.0.1"])
    proxy = world.keep_origin(front_proxies.nginx_stream(world.folder, home.relay.port))
    home.relay.config["public_url"] = f"https://127.0.0.1:{proxy.port}"
    home.relay.restart()
    home.connect_agent()
    with Visitor(proxy.port, HOSTNAME, trust=world.authority.file, source="127.0.0.77") as visitor:
        fields = seen(visitor.ask(path="/echo", X_Forwarded_For=FORGED).content)
    assert fields["x-forwarded-for"] == "127.0.0.77" and fields["x-forwarded-proto"] == "https"
    # Without a header: closed, from a trusted address; served as what it is, from any other.
    with pytest.raises((ConnectionEnded, OSError)):
        Visitor(home.relay.port, HOSTNAME, trust=world.authority.file)
    wait_until(lambda: refused(home.relay, "proxy_header") == 1, "counted")
    with Visitor(home.relay.port, HOSTNAME, trust=world.authority.file, source="127.0.0.8") as visitor:
        assert seen(visitor.ask(path="/echo").content)["x-forwarded-for"] == "127.0.0.8"


# ---- By hand, without a proxy program

@pytest.fixture
def plain_home(world):
    home = Home(world, plain_listen=["127.0.0.1:0"], trusted_proxies=["127.0.0.1", "127.0.0.3", "10.0.0.0/24"])
    home.connect_agent()
    return home


def plain(home, **options):
    return Visitor(port_of(home.relay), HOSTNAME, tls=False, **options)


def test_a_visitor_is_who_the_nearest_untrusted_address_is(plain_home):
    rows = [
        ({"X_Forwarded_For": "192.0.2.1"}, "192.0.2.1"),
        ({"X_Forwarded_For": f"{FORGED}, 192.0.2.1"}, "192.0.2.1"),
        ({"X_Forwarded_For": f"{FORGED}, 2001:db8::1, 10.0.0.7"}, "2001:db8::1"),
        ({"Forwarded": f'for={FORGED}, for="[2001:db8::1]:47"'}, "2001:db8::1"),
        ({"X_Forwarded_For": "192.0.2.1", "Forwarded": f"for={FORGED}"}, "192.0.2.1"),
        ({}, "127.0.0.1"),
    ]
    with plain(plain_home) as proxy:  # one connection, a visitor after the other
        for fields, address in rows:
            there = seen(proxy.ask(path="/echo", **fields).content)
            assert (there["x-forwarded-for"], there["x-forwarded-proto"]) == (address, "http"), fields
            assert FORGED not in str(there)
        assert seen(proxy.ask(path="/echo", X_Forwarded_Proto="https").content)["x-forwarded-proto"] == "https"
        assert seen(proxy.ask(path="/echo", X_Forwarded_Proto="https, http").content)["x-forwarded-proto"] == "http"
        assert proxy.ask(path="/echo", X_Forwarded_For="unknown").status == 400
        assert proxy.ask(path="/echo", X_Forwarded_For="192.0.2.1").status == 200


def test_nobody_else_gets_in_or_is_believed(plain_home, world):
    relay = plain_home.relay
    with plain(plain_home, source="127.0.0.2") as stranger:
        assert stranger.is_closed_by_peer()
    wait_until(lambda: refused(relay, "untrusted_proxy") == 1, "counted")
    for source, address in (("127.0.0.2", "127.0.0.2"), ("127.0.0.3", FORGED)):  # the second is a proxy that speaks https with the relay
        with Visitor(relay.port, HOSTNAME, trust=world.authority.file, source=source) as visitor:
            assert seen(visitor.ask(path="/echo", X_Forwarded_For=FORGED).content)["x-forwarded-for"] == address


def test_a_proxy_may_speak_http2_over_tls_with_the_relay(plain_home, world):
    def ask(*addresses):
        answer = curl(plain_home.relay.port, world.authority.file, "/echo", "--http2", "--interface", "127.0.0.3",
                      *(word for address in addresses for word in ("-H", f"X-Forwarded-For: {address}")), hostname=HOSTNAME)
        assert answer.http_version == "2" and answer.status == 200, answer
        return seen(answer.content)
    fields = ask(FORGED, "192.0.2.1")
    assert (fields["x-forwarded-for"], fields["x-forwarded-proto"]) == ("192.0.2.1", "https")
    assert ask()["x-forwarded-for"] == "127.0.0.3"


def test_rules_and_limits_are_about_the_visitor(plain_home):
    relay = plain_home.relay
    relay.admin("route", "set", HOSTNAME, "--allow-ip", "192.0.2.0/24")
    with plain(plain_home) as proxy:
        assert proxy.ask(path="/echo", X_Forwarded_For="192.0.2.1").status == 200
        assert proxy.ask(path="/echo", X_Forwarded_For="198.51.100.1").status == 403
        assert proxy.ask(path="/echo", X_Forwarded_For="192.0.2.1, 198.51.100.1").status == 403
    relay.config["max_connections_per_address"] = 2
    (relay.folder / "relay.yaml").write_text(json.dumps(relay.config))
    relay.admin("reload")
    held = [plain(plain_home) for _ in range(2)]
    for number, proxy in enumerate(held):
        proxy.request(path="/hang", X_Forwarded_For="192.0.2.1")
    wait_until(lambda: len([r for r in plain_home.origin.requests.all() if r.target == "/hang"]) == 2, "both are under way")
    with plain(plain_home) as proxy:
        assert proxy.ask(path="/echo", X_Forwarded_For="192.0.2.1").status == 503
        assert proxy.ask(path="/echo", X_Forwarded_For="192.0.2.2").status == 200
    for proxy in held:
        proxy.close()
    with plain(plain_home) as proxy:
        wait_until(lambda: proxy.ask(path="/echo", X_Forwarded_For="192.0.2.1").status == 200, "the count has gone down")


def test_a_proxy_header_names_the_visitor_of_a_plain_connection(world):
    home = Home(world, plain_listen="127.0.0.1:0", proxy_protocol=["plain"])
    home.connect_agent()
    rows = [
        (b"PROXY TCP4 192.0.2.9 198.51.100.1 4711 80\r\n", "192.0.2.9"),
        (b"PROXY TCP6 2001:db8::9 2001:db8::1 4711 80\r\n", "2001:db8::9"),
        (v2_header(), "192.0.2.9"),
        (v2_header(command=0x20), FORGED),  # LOCAL: the proxy's own, whose fields count
        (v2_header("127.0.0.9"), FORGED),   # a proxy behind the proxy
    ]
    for header, address in rows:
        with plain(home) as proxy:
            for octet in header[:5]:  # in pieces, too
                proxy.send(bytes([octet]))
            proxy.send(header[5:])
            there = seen(proxy.ask(path="/echo", X_Forwarded_For=FORGED, X_Forwarded_Proto="https").content)
            assert (there["x-forwarded-for"], there["x-forwarded-proto"]) == (address, "https"), header
    for number, octets in enumerate([b"GET / HTTP/1.1\r\nHost: home.example.test\r\n\r\n", b"PROXY TCP4 nonsense\r\n", v2_header(command=0x2f)], 1):
        with plain(home) as proxy:
            proxy.send(octets)
            assert proxy.is_closed_by_peer()
        wait_until(lambda: refused(home.relay, "proxy_header") == number, "counted")
    with plain(home) as proxy:
        proxy.send(b"PROXY TCP4 192.0.2.9 ")
        proxy.close()
    wait_until(lambda: refused(home.relay, "gone") == 1, "counted")


def test_a_proxy_header_comes_before_what_is_redirected(world):
    relay = world.relay(http_listen="127.0.0.1:0", proxy_protocol=["http"], trusted_proxies=["127.0.0.1"], max_connections_per_address=1)

    def visit(**options):
        return Visitor(relay.http_port, HOSTNAME, tls=False, **options)

    for header in (v1_header("192.0.2.1"), v2_header("192.0.2.2"), v2_header(command=0x20)):
        with visit() as proxy:
            proxy.send(header)
            answer = proxy.ask(path="/a?b")
            assert (answer.status, answer.value("Location")) == (308, f"https://{HOSTNAME}:{relay.port}/a?b"), header
    with visit() as held:  # the limits are about the address in it
        held.send(v1_header("192.0.2.3"))
        assert held.ask().status == 308
        with visit() as another:
            another.send(v2_header("192.0.2.3"))
            assert another.is_closed_by_peer()
        assert refused(relay, "overload") == 1
    with visit() as proxy:  # a trusted one has to send a header
        proxy.request()
        assert proxy.is_closed_by_peer()
    assert refused(relay, "proxy_header") == 1
    with visit(source="127.0.0.8") as stranger:
        assert stranger.ask().status == 308
    with visit(source="127.0.0.8") as stranger:
        stranger.send(v1_header())
        assert stranger.ask().status == 400


def test_an_upgrade_keeps_the_plain_listener(world):
    home = Home(world, plain_listen="127.0.0.1:0")
    home.connect_agent()
    port = port_of(home.relay)
    with Visitor(port, HOSTNAME, tls=False) as proxy:
        assert proxy.ask(path="/echo").status == 200
        home.relay.upgrade()
        with Visitor(port, HOSTNAME, tls=False) as another:
            assert another.ask(path="/echo", X_Forwarded_For="192.0.2.1").status == 200
