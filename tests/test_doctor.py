"""`sallyport doctor`: all green with a well set-up home, and for each hop that can fail the right name and a cure."""
import contextlib
import fcntl
import json
import os
import pty
import shutil
import subprocess

import pytest
from aiohttp import web

from home_assistant.double import HomeAssistant
from support.processes import DEADLINE_S, wait_until
from support.relay import BINARY, clean_environment
from support.wan import ADDRESS

LOOPBACK = ["127.0.0.0/8", "::1/128"]
STEPS = ["configuration", "dns", "tcp", "tls", "credential", "tunnel", "relay_view", "target_port", "target_scheme", "forwarded_for",
         "public_dns", "public_tls", "public_way", "public_page", "websocket", "upload", "download", "events", "external_url"]


class Report:
    def __init__(self, done):
        self.code, self.text, self.errors = done.returncode, done.stdout, done.stderr
        self.json = json.loads(done.stdout)
        self.steps = {step["step"]: step for step in self.json["steps"]}

    def failed(self):
        return self.json["first_failed"]

    def result(self, step):
        return self.steps[step]["result"]

    def __getitem__(self, step):
        return self.steps[step]

    def __repr__(self):
        return json.dumps(self.json, indent=1) + self.errors


def command(agent, *words, within=(), public_address="127.0.0.1", state_dir=None):
    config = agent.folder / f"agent-{agent.name}.yaml"
    there = ["--public-address", public_address] if public_address else []
    return [*within, BINARY, "doctor", "--config", str(config), "--state-dir", str(state_dir or agent.state_dir), *there, *map(str, words)]


def environment(world, env=None):
    return clean_environment(**{"SSL_CERT_FILE": str(world.authority.file), **(env or {})})


def run(world, agent, *words, env=None, **options):
    return subprocess.run(
        command(agent, *words, **options), capture_output=True, text=True, timeout=2 * DEADLINE_S + 120, env=environment(world, env))


def within_hosts(folder, text):
    """What to put before a command that is to find `text` as its /etc/hosts."""
    hosts = folder / "hosts"
    hosts.write_text(text)
    within = ["unshare", "--mount", "sh", "-c", f'mount --bind "{hosts}" /etc/hosts && exec "$@"', "sh"]
    if subprocess.run([*within, "true"], capture_output=True, timeout=DEADLINE_S).returncode != 0:
        pytest.skip("/etc/hosts can't be replaced here")
    return within


def doctor(world, agent, *words, **options):
    return Report(run(world, agent, "--json", *words, **options))


@pytest.fixture
def home(world):
    """A double of Home Assistant that trusts the agent, and a tunnel to it."""
    def make(agent_config=None, relay_config=None, **config):
        config = {"use_x_forwarded_for": True, "trusted_proxies": LOOPBACK, **config}
        double = world.keep_origin(HomeAssistant(**config))
        return double, world.tunnel(("homeassistant", double), agent_config=agent_config, **(relay_config or {}))
    return make


@pytest.mark.sanitize
def test_all_is_well_beside_a_running_agent(world, home):
    double, tunnel = home()
    token = world.folder / "token"
    token.write_text(double.auth.make_long_lived_token() + "\n")
    double.config.external_url = tunnel.url()
    report = doctor(world, tunnel.agent, "--home-assistant-token-file", token)
    assert report.code == 0 and report.json["ok"] and report.failed() is None, report
    assert [step["step"] for step in report.json["steps"]] == STEPS
    assert {step["result"] for step in report.json["steps"]} == {"ok"}, report
    assert report["tunnel"]["facts"]["online"] and not report["tunnel"]["facts"]["temporary"]
    # It took nobody's place, and was nobody's duplicate.
    assert not tunnel.relay.program.events("tunnel.refused") and not tunnel.relay.program.events("tunnel.duplicate")
    assert not tunnel.agent.program.events("agent.disconnected")
    assert len(tunnel.relay.program.events("tunnel.opened")) == 1


@pytest.mark.sanitize
def test_without_a_running_agent_it_brings_up_a_tunnel_of_its_own(world, home):
    _, tunnel = home()
    tunnel.agent.stop()
    tunnel.relay.wait_for_event("tunnel.closed", agent="home")
    before = sorted(path.name for path in tunnel.agent.state_dir.iterdir())
    report = doctor(world, tunnel.agent)
    assert report.code == 0, report
    assert report["tunnel"]["facts"]["temporary"] and "no agent runs here" in report["tunnel"]["detail"]
    assert any("Start it" in hint for hint in report["tunnel"]["hints"])
    assert report.result("download") == "ok"
    assert sorted(path.name for path in tunnel.agent.state_dir.iterdir()) == before
    assert len(tunnel.relay.program.events("tunnel.opened")) == 2
    tunnel.agent.start()
    tunnel.agent.wait_until_connected()


def test_the_external_url_is_asked_for_with_a_token_only(world, home):
    double, tunnel = home()
    report = doctor(world, tunnel.agent)
    assert report.code == 0 and report.result("external_url") == "skipped"
    assert tunnel.hostname in report["external_url"]["cure"]
    token = world.folder / "token"
    token.write_text(double.auth.make_long_lived_token())
    report = doctor(world, tunnel.agent, "--home-assistant-token-file", token)
    assert report.code == 1 and report.failed() == "external_url" and "no external URL" in report["external_url"]["detail"]
    double.config.external_url = "https://another.example.org"
    report = doctor(world, tunnel.agent, "--home-assistant-token-file", token)
    assert report.failed() == "external_url" and "another.example.org" in report["external_url"]["detail"]
    assert tunnel.url("") in report["external_url"]["cure"]
    token.write_text("not a token")
    assert doctor(world, tunnel.agent, "--home-assistant-token-file", token).result("external_url") == "skipped"


def test_an_add_on_needs_no_token_of_its_own(world, home, tmp_path):
    """The Supervisor gives it one, and answers for Home Assistant at http://supervisor/core/."""
    _, tunnel = home()
    asked = []

    async def config(request):
        asked.append(request.headers["Authorization"])
        return web.json_response({"version": "2026.8.0", "external_url": tunnel.url("")})

    def make_app():
        app = web.Application()
        app.add_routes([web.get("/core/api/config", config)])
        return app

    try:
        world.origin(make_app, host="127.0.0.80", port=80)
    except OSError as error:
        pytest.skip(f"no port 80: {error}")
    within = within_hosts(tmp_path, "127.0.0.80 supervisor\n")
    report = doctor(world, tunnel.agent, within=within, env={"SUPERVISOR_TOKEN": "an-arbitrary-token"})
    assert report.code == 0 and report.result("external_url") == "ok", report
    assert asked == ["Bearer an-arbitrary-token"]


# --- each hop that fails, from here outwards ---


def assert_stops_at(report, step, *words):
    """That step failed, with these words in what it says; those before are fine, those behind were not tried."""
    assert report.code == 1 and report.failed() == step and not report.json["ok"], report
    said = report[step]["detail"] + " " + report[step]["cure"]
    for word in words:
        assert word in said, report
    at = STEPS.index(step)
    assert all(report.result(before) in ("ok", "skipped") for before in STEPS[:at]), report
    assert all(report.result(behind) == "not_tried" for behind in STEPS[at + 1:]), report


def assert_fails_alone(report, step, *words):
    """That step is the only one that failed, and what follows was tried."""
    assert report.code == 1 and report.failed() == step, report
    said = report[step]["detail"] + " " + report[step]["cure"]
    for word in words:
        assert word in said, report
    assert [name for name in STEPS if report.result(name) == "failed"] == [step], report
    assert not [name for name in STEPS if report.result(name) == "not_tried"], report


def write_config(agent, **config):
    (agent.folder / f"agent-{agent.name}.yaml").write_text(json.dumps({**agent.config, **config}))


def test_configuration(world, home):
    _, tunnel = home()
    write_config(tunnel.agent, heartbeat_interval="30")
    assert_stops_at(doctor(world, tunnel.agent), "configuration", "heartbeat_interval", "a unit is missing")
    write_config(tunnel.agent)
    elsewhere = doctor(world, tunnel.agent, state_dir=world.folder / "nowhere")
    assert_stops_at(elsewhere, "configuration", "no enrolled agent", "--enroll")
    assert not (world.folder / "nowhere").exists()


def test_dns(world, home):
    _, tunnel = home()
    report = doctor(world, tunnel.agent, "--relay-url", f"wss://no-such-relay.invalid:{tunnel.relay.port}")
    assert_stops_at(report, "dns", "no-such-relay.invalid")


def test_tcp(world, home):
    _, tunnel = home()
    tunnel.relay.stop()
    assert_stops_at(doctor(world, tunnel.agent), "tcp", "refuses", "is the relay running", str(tunnel.relay.port))


def test_tls(world, home):
    double, tunnel = home()
    report = doctor(world, tunnel.agent, "--pin", "A" * 43)
    assert_stops_at(report, "tls", "another identity", "enrol anew")
    write_config(tunnel.agent, relay_url=double.url.replace("http:", "wss:"))
    assert_stops_at(doctor(world, tunnel.agent), "tls", "something else")


def test_credential(world, home):
    _, tunnel = home()
    tunnel.relay.admin("agent", "disable", "home")
    assert_stops_at(doctor(world, tunnel.agent), "credential", "disabled", "admin agent enable")
    tunnel.relay.admin("agent", "remove", "home")
    assert_stops_at(doctor(world, tunnel.agent), "credential", "doesn't know this credential", "admin agent rotate")


def test_relay_without_a_route(world, home):
    _, tunnel = home()
    for route in tunnel.relay.admin_json("route", "list")["routes"]:
        tunnel.relay.admin("route", "remove", route["id"])
    assert_stops_at(doctor(world, tunnel.agent), "relay_view", "no public URL", "sallyport admin route add HOSTNAME home")


def test_route_to_a_service_that_is_not_there(world, home):
    _, tunnel = home()
    tunnel.relay.admin("route", "add", "radio.example.test", "home", "radio")
    assert_stops_at(doctor(world, tunnel.agent, "--target", "radio"), "relay_view", "radio", "services")
    assert_stops_at(doctor(world, tunnel.agent, "--target", "nas"), "relay_view", "no public URL leads to nas")


def test_target_port(world, home):
    double, tunnel = home()
    double.stop()
    assert_stops_at(doctor(world, tunnel.agent), "target_port", "refuses", "services.homeassistant")


def test_target_scheme(world, site_certificate):
    from support.origins import server_tls
    double = world.keep_origin(HomeAssistant(tls=server_tls(site_certificate)))
    tunnel = world.tunnel(("homeassistant", double.url.replace("https:", "http:")))
    assert_stops_at(doctor(world, tunnel.agent), "target_scheme", "speaks https, not http", "services.homeassistant: https://")


def test_target_scheme_the_other_way(world):
    double = world.keep_origin(HomeAssistant())
    tunnel = world.tunnel(("homeassistant", double.url.replace("http:", "https:")))
    assert_stops_at(doctor(world, tunnel.agent), "target_scheme", "speaks http, not https", "services.homeassistant: http://")


def test_forwarded_for(world, home):
    double, tunnel = home(use_x_forwarded_for=False, trusted_proxies=[])
    report = doctor(world, tunnel.agent)
    assert_fails_alone(report, "forwarded_for", "127.0.0.1", "Settings > System > Network", "2026.8", "use_x_forwarded_for: true", "trusted_proxies")
    assert report["forwarded_for"]["facts"] == {"seen_as": "127.0.0.1", "trusted_networks": False, "verdict": "refused"}
    double.config.trusted_networks = ["127.0.0.0/8"]
    assert_stops_at(doctor(world, tunnel.agent), "forwarded_for", "without a password", "503")


def test_public_tls(world, home):
    _, tunnel = home()
    report = doctor(world, tunnel.agent, env={"SSL_CERT_FILE": "/dev/null"})
    assert_stops_at(report, "public_tls", "don't trust the certificate", "`certificates`")
    assert_stops_at(doctor(world, tunnel.agent, public_address="127.0.0.9"), "public_tls", "let TCP port")


def test_public_dns(world, home, tmp_path):
    from support.resolver import Resolver
    _, tunnel = home()
    with Resolver(tmp_path) as resolver:
        resolver.address = "127.0.0.9"
        report = doctor(world, tunnel.agent, within=resolver.within, public_address=None)
        assert_stops_at(report, "public_dns", "127.0.0.9", "lead to 127.0.0.1")
        resolver.address = "127.0.0.1"
        report = doctor(world, tunnel.agent, within=resolver.within, public_address=None)
        assert report.code == 0 and report["public_dns"]["facts"]["addresses"] == "127.0.0.1", report


def test_split_dns_is_a_hint(world, wan, tmp_path):
    """At home the public name is an address of the home's own network; visitors from outside know another one."""
    with wan.inside("b"):
        relay = world.relay(host=ADDRESS["b"])
    with wan.inside("a"):
        double = world.keep_origin(HomeAssistant(use_x_forwarded_for=True, trusted_proxies=LOOPBACK))
        agent = world.agent(relay.add_agent("home", ["home.example.test"], [f"homeassistant={double.url}"])["enroll"])
        agent.wait_until_connected()
        within = within_hosts(tmp_path, "127.0.0.1 localhost\n10.0.0.9 home.example.test\n")
        report = doctor(world, agent, within=within, public_address=None)
    assert report.code == 0, report
    assert "10.0.0.9" in report["public_dns"]["detail"] and any("split DNS" in hint and ADDRESS["b"] in hint for hint in report["public_dns"]["hints"])
    assert report.result("public_page") == report.result("download") == "ok"


def test_an_agent_that_runs_without_a_tunnel(world, home):
    """The state folder is in use, but the relay has heard nothing of an agent."""
    _, tunnel = home()
    tunnel.agent.stop()
    tunnel.relay.wait_for_event("tunnel.closed", agent="home")
    with open(tunnel.agent.state_dir / "agent.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        report = doctor(world, tunnel.agent)
    assert_stops_at(report, "tunnel", "an agent runs here", "agent.not_connected")


def test_another_process_with_the_same_key_is_told(world, home):
    _, tunnel = home()
    copy = world.folder / "copy"
    shutil.copytree(tunnel.agent.state_dir, copy)
    copy.chmod(0o700)
    report = doctor(world, tunnel.agent, state_dir=copy)
    assert report.code == 0 and any("another process" in hint for hint in report["tunnel"]["hints"]), report


@pytest.fixture
def meddler(world, home, site_certificate):
    """A home, and a proxy before its relay at another address."""
    from support.meddler import Meddler
    _, tunnel = home()
    made = world.keep_origin(Meddler(tunnel.relay.port, site_certificate))
    return made, lambda: doctor(world, tunnel.agent, public_address=made.host)


def test_a_proxy_in_front_that_does_nothing_wrong(meddler):
    _, look = meddler
    assert look().code == 0


def test_public_way(meddler):
    proxy, look = meddler
    proxy.request = lambda head: (None, b"HTTP/1.1 404 Not Found\r\nServer: another\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert_stops_at(look(), "public_way", "404", "Server: another", "not this relay")


def test_websocket(meddler):
    proxy, look = meddler
    proxy.request = lambda head: head.replace(b"Upgrade: websocket\r\n", b"").replace(b"Connection: Upgrade", b"Connection: close")
    assert_fails_alone(look(), "websocket", "works here, but not through", "proxy_set_header Upgrade")


def test_upload_limit(meddler):
    proxy, look = meddler
    refusal = b"HTTP/1.1 413 Too Large\r\nServer: nginx\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    proxy.request = lambda head: (None, refusal) if b"/upload" in head else head
    report = look()
    assert_fails_alone(report, "upload", "client_max_body_size")


@pytest.mark.sanitize
def test_upload_cut(meddler):
    proxy, look = meddler
    proxy.upload_limit = 5_000_000
    assert_fails_alone(look(), "upload", "breaks off", "limit or timeout")


def test_download_cut(meddler):
    proxy, look = meddler
    proxy.download_limit = 5_000_000
    assert_fails_alone(look(), "download", "breaks off", "limit or timeout")


def test_download_changed(meddler):
    proxy, look = meddler
    proxy.flips = True
    assert_fails_alone(look(), "download", "changed")


@pytest.mark.sanitize
def test_events_held_back(meddler):
    proxy, look = meddler
    proxy.holds = lambda head: b"/events" in head
    assert_fails_alone(look(), "events", "held back", "proxy_buffering off")


def test_a_route_with_a_password_and_a_prefix(world, home):
    _, tunnel = home()
    route = tunnel.relay.admin_json("route", "list")["routes"][0]
    users = world.folder / "users"
    users.write_text("somebody:$2b$04$abcdefghijklmnopqrstuuTzx7kx1Cgc4CJgRwnZ7J.X3rBCxs4Aa\n")
    tunnel.relay.admin("route", "set", route["id"], "--basic-auth", users)
    report = doctor(world, tunnel.agent)
    assert report.code == 0 and report.result("public_page") == "skipped" and report.result("websocket") == "skipped", report
    assert report.result("download") == report.result("events") == "ok"


# --- at the first start ---


def test_an_agent_looks_once_by_itself_and_says_what_fails(world, home):
    double = world.keep_origin(HomeAssistant())
    relay = world.relay()
    code = relay.add_agent("home", ["localhost"], [f"homeassistant={double.url}"])["enroll"]
    agent = world.agent(code, first_look=True, env={"SSL_CERT_FILE": str(world.authority.file)})
    failed = agent.wait_for_event("agent.first_look_failed", step="forwarded_for")
    assert "use_x_forwarded_for" in failed["advice"]
    agent.wait_for_event("agent.first_look_failed", step="public_tls")  # localhost is none of the certificate's names
    assert agent.wait_for_event("agent.first_look")["first_failed"] == "forwarded_for"
    wait_until(lambda: (agent.state_dir / "first-look").exists(), "it is noted")
    agent.restart()
    agent.wait_until_connected()
    agent.wait_for_event("agent.route")
    assert agent.stop() == 0
    assert not agent.program.events("agent.first_look") and not agent.program.events("agent.first_look_failed")


# --- how it is told ---


def test_lines_for_people(world, home):
    _, tunnel = home(use_x_forwarded_for=False, trusted_proxies=[])
    done = run(world, tunnel.agent)
    assert done.returncode == 1 and done.stdout.isascii()
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok    configuration ") and any(line.startswith("FAIL  forwarded for ") for line in lines)
    assert lines[-1].startswith("The first hop that fails: forwarded_for.")
    tunnel.relay.stop()
    assert "-     credential      not tried" in run(world, tunnel.agent).stdout
    shown = at_a_terminal(command(tunnel.agent), environment(world, {"LC_ALL": "C.UTF-8"}))
    assert "✓ dns             " in shown and "✗ tcp             " in shown and "– tls             not tried" in shown


def at_a_terminal(words, env):
    """What a program prints to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the last one at the other end has closed it
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    process.wait(DEADLINE_S)
    return shown.decode()


def test_wrong_usage(world, home):
    _, tunnel = home()
    assert run(world, tunnel.agent, "--no-such-flag").returncode == 2
    assert run(world, tunnel.agent, public_address="nonsense").returncode == 2


def test_without_a_ticket_the_path_is_like_any_other(home):
    double, tunnel = home()
    path = "/.well-known/sallyport-doctor/AAAAAAAAAAAAAAAAAAAAAA/here"
    assert tunnel.ask(path=path).status == 404
    double.requests.wait_for(lambda request: request.target == path, "the home's own answer")
