"""The life of stock SSH clients at the relay: how the two know each other, how clients come back, take over and end."""
import os
import re
import shutil
import signal
import subprocess
import threading

import pytest

from home_assistant.double import HomeAssistant
from support.home_app import HomeApp
from support.processes import DEADLINE_S, wait_until
from support.relay import free_port
from support.ssh_client import SshRelay, origin_port, public_file, public_half
from support.sshd import fingerprint
from support.visitor import ConnectionEnded
from support.wan import ADDRESS
from test_home_assistant import LOOPBACK, seen

HOME, WIKI = "home.example.test", "wiki.example.test"
MIB = 1 << 20
# The first tries of autossh come at once, further ones after a while that grows with its poll time.
AUTOSSH = {"program": ("autossh", "-M", "0"), "env": {**os.environ, "AUTOSSH_GATETIME": "0", "AUTOSSH_POLL": "10", "AUTOSSH_FIRST_POLL": "10"}}


@pytest.fixture
def ssh(world):
    return SshRelay(world)


@pytest.fixture
def local(world):
    return f"127.0.0.1:{origin_port(world.origin(HomeApp()))}"


# --- who is who ---


@pytest.mark.sanitize
def test_the_relay_says_how_it_is_known(ssh):
    """SshRelay trusts the line of `admin status` and nothing else (StrictHostKeyChecking=yes)."""
    key = ssh.add()
    shown = ssh.relay.admin_json("status")["ssh"]
    line = shown["known_hosts"]
    assert line.startswith(f"[127.0.0.1]:{ssh.port} ssh-ed25519 AAAA")
    assert shown["address"] == f"127.0.0.1:{ssh.port}"
    assert shown["fingerprint"] == fingerprint(ssh.known_hosts)
    text = ssh.relay.admin("status").stdout
    assert line in text and shown["fingerprint"] in text and shown["address"] in text
    scanned = subprocess.run(["ssh-keyscan", "-p", str(ssh.port), "127.0.0.1"], capture_output=True, text=True, timeout=DEADLINE_S)
    assert line in scanned.stdout.splitlines()
    host_key = ssh.relay.state_dir / "ssh_host_ed25519_key"
    assert host_key.stat().st_mode & 0o777 == 0o600
    ssh.relay.restart()
    assert ssh.relay.admin_json("status")["ssh"]["fingerprint"] == shown["fingerprint"]
    assert ssh.run(key).returncode == 0


def test_a_backup_keeps_the_host_key_and_the_keys_of_agents(ssh, tmp_path):
    key = ssh.add()
    backup = tmp_path / "backup"
    ssh.relay.admin("backup", backup)
    ssh.relay.stop()
    shutil.rmtree(ssh.relay.state_dir)
    ssh.relay.admin("restore", backup)
    ssh.relay.start()
    assert ssh.run(key).returncode == 0


def test_the_printed_command_connects(ssh):
    """`agent add` and `agent add-key` say what to enter at home; both keys do."""
    first, second = ssh.key("first"), ssh.key("second", "ecdsa")
    added = ssh.relay.add_agent("home", [HOME], [], "--ssh-key", public_half(first))["ssh"]
    assert added["command"] == f"ssh -N -R {HOME}:80:localhost:8123 home@127.0.0.1 -p {ssh.port}"
    assert added["known_hosts"] == ssh.known_hosts.read_text().strip()
    file = ssh.relay.folder / "authorized_keys"
    file.write_text(f"# of the new machine\nrestrict,port-forwarding {public_half(second)}\n")
    ssh.relay.admin("agent", "add-key", "home", f"@{file}")
    assert [ssh.run(key).returncode for key in (first, second)] == [0, 0]


def test_it_listens_once_somebody_has_a_key(world, wan):
    """On the default port, of a machine of its own; from then on."""
    with wan.inside("b"):
        home = f"127.0.0.1:{origin_port(world.origin(HomeApp()))}"
        ssh = SshRelay(world, port=2222, host=ADDRESS["b"])
        assert ssh.relay.admin_json("status")["ssh"]["address"] is None and "no agent has an SSH key" in ssh.relay.admin("status").stdout
        assert not [event for event in ssh.relay.program.events("relay.listening") if event["listener"] == "ssh"]
        key = ssh.add()
        assert ssh.relay.wait_for_event("relay.listening", listener="ssh")["address"].endswith(":2222")
        client = ssh.forward(key, f"8123:{home}")
        assert ssh.page() == "home"
        client.stop()
        ssh.relay.restart()
        ssh.relay.wait_for_event("relay.listening", listener="ssh")
        ssh.forward(key, f"8123:{home}")
        assert ssh.page() == "home"


def test_the_relay_looks_after_the_service(world):
    """By the forward, as it does with agents of ours."""
    ssh = SshRelay(world, health_interval="60s")
    gone = free_port()
    key = ssh.add()
    for port, event in ((gone, "route.unhealthy"), (origin_port(world.origin(HomeApp())), "route.healthy")):
        mark = ssh.relay.program.mark()
        client = ssh.forward(key, f"8123:127.0.0.1:{port}")
        ssh.wait_for(event, mark)
        client.stop()
        ssh.wait_for("tunnel.closed", mark)


def test_without_a_command_the_state_is_shown(ssh, local):
    key = ssh.add()
    shown = ssh.run(key)
    assert shown.returncode == 0 and re.match(r"Sallyport relay \S+, agent home, from 127.0.0.1\n", shown.stdout), shown
    assert f"https://{HOME}:{ssh.relay.port}/" in shown.stdout and f"-R {HOME}:80:localhost:8123" in shown.stdout and "not connected" in shown.stdout
    client = ssh.forward(key, f"8123:{local}")
    shown = ssh.run(key, "-tt")
    assert shown.returncode == 0 and "connected from 127.0.0.1 (OpenSSH_" in shown.stdout and f"https://{HOME}:{ssh.relay.port}/" in shown.stdout
    client.stop()
    ssh.relay.wait_for_event("tunnel.closed")
    shown = ssh.run(key, "-T", "-R", f"127.0.0.1:8123:{local}", input="")
    assert shown.returncode == 0 and f"-R 127.0.0.1:8123 serves https://{HOME}:{ssh.relay.port}/" in shown.stdout


def test_home_assistant_hears_who_the_visitor_is_where_it_takes_it(world, ssh):
    key = ssh.add()
    for config, forwarded in (({"use_x_forwarded_for": True, "trusted_proxies": LOOPBACK}, True), ({}, False)):
        double = world.keep_origin(HomeAssistant(**config))
        mark = ssh.relay.program.mark()
        client = ssh.forward(key, f"8123:127.0.0.1:{origin_port(double)}")
        assert seen(ssh.tunnel)["remote"] == "127.0.0.1"
        request = double.requests.wait_for(lambda request: request.target == "/double/seen", "the visit")
        assert bool(request.values("X-Forwarded-For")) == forwarded
        [target] = ssh.live()["targets"]
        assert target["home_assistant"] and target["forwarded_for"] == ("accepted" if forwarded else "refused")
        client.stop()
        ssh.wait_for("tunnel.closed", mark)


def test_the_port_is_known_before_anybody_needs_it(world):
    """Taken by somebody else: the relay doesn't start, and says why."""
    first = world.relay(ssh_listen=f"127.0.0.1:{free_port()}")
    taken = first.config["ssh_listen"]
    assert first.admin_json("status")["ssh"]["address"] == taken
    with pytest.raises(AssertionError, match="in use"):
        world.relay(ssh_listen=taken)


def test_metrics_tell(ssh, local):
    key, stranger = ssh.add(), ssh.key("stranger")
    ssh.run(stranger)
    ssh.run(key, "-N", "-R", f"{WIKI}:80:{local}")
    ssh.forward(key, f"8123:{local}", f"{HOME}:80:{local}")
    assert ssh.page() == "home"
    wait_until(lambda: ssh.relay.metrics()["sallyport_ssh_clients"] == 1, "only one is there")
    metrics = ssh.relay.metrics()
    assert metrics["sallyport_ssh_connections_total"] == 3 and metrics["sallyport_ssh_logins_total"] == 2
    assert metrics["sallyport_ssh_forwards"] == 2 and metrics["sallyport_ssh_forwards_refused_total"] == 1
    assert metrics['sallyport_ssh_refused_total{reason="unknown_key"}'] == 1


# --- signs of life ---


def test_both_sides_ask_for_a_sign_of_life(world, local):
    ssh = SshRelay(world, heartbeat_interval="4s")
    asked = ssh.forward(ssh.add(), f"8123:{local}", words=("-o", "ServerAliveInterval=0"))
    asking = ssh.forward(ssh.add("wiki", [WIKI]), f"8123:{local}", words=("-vv", "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=30"))
    mark = 0
    for _ in range(2):
        for lines in (["send packet: type 80"], ["receive packet: type 81", "receive packet: type 82"]):  # any answer will do
            mark = asking.wait_for_line(lambda found: any(line in found for line in lines), lines[0], after=mark)[0] + 1
    asked.wait_for_line(lambda found: "rtype keepalive@openssh.com want_reply 1" in found, "the relay's question")
    assert [ssh.page(HOME), ssh.page(WIKI)] == ["home", "home"]
    assert ssh.live()["round_trip_ms"] is not None


@pytest.mark.sanitize
def test_a_silent_client_is_found_dead(world, local):
    ssh = SshRelay(world, heartbeat_interval="1s")
    client = ssh.forward(ssh.add(), f"8123:{local}")
    client.signal(signal.SIGSTOP)
    ssh.relay.wait_for_event("ssh.closed", agent="home")
    ssh.relay.wait_for_event("tunnel.closed", agent="home")
    assert ssh.live() is None


@pytest.mark.sanitize
def test_a_new_client_takes_over_from_a_stale_one(world, ssh, local):
    """The same -R is free for it, as it never is at sshd; visitors come to the new one."""
    key = ssh.add()
    stale = ssh.forward(key, f"127.0.0.1:8123:127.0.0.1:{origin_port(world.origin(HomeApp('stale')))}")
    assert ssh.page() == "stale"
    stale.signal(signal.SIGSTOP)
    mark = ssh.relay.program.mark()
    fresh = ssh.forward(key, f"127.0.0.1:8123:{local}")
    ssh.wait_for("ssh.closed", mark, agent="home", reason="timeout")
    fresh.wait_for_forward()
    assert ssh.page() == "home"
    stale.signal(signal.SIGCONT)
    assert stale.wait() == 255
    assert ssh.page() == "home" and fresh.running


@pytest.mark.sanitize
def test_the_owner_decides_between_two_that_live(world, ssh, local):
    key = ssh.add()
    first = ssh.forward(key, f"8123:127.0.0.1:{origin_port(world.origin(HomeApp('first')))}")
    refused = ssh.run(key, "-N", "-R", f"8123:{local}")
    assert refused.returncode == 255 and "home is connected from 127.0.0.1 already" in refused.stderr and "sallyport admin agent takeover home" in refused.stderr, refused
    ssh.relay.wait_for_event("tunnel.duplicate", agent="home")
    assert "takeover home" in ssh.relay.admin("status").stdout
    assert ssh.page() == "first" and first.running
    mark = ssh.relay.program.mark()
    ssh.start(key, "-N", "-R", f"8123:{local}", **AUTOSSH)
    ssh.wait_for("tunnel.refused", mark, reason="duplicate_live")
    assert "connected from 127.0.0.1 now" in ssh.relay.admin("agent", "takeover", "home", "--wait", "60").stdout
    ssh.wait_for("tunnel.taken_over", mark)
    assert first.wait() == 255
    assert ssh.page() == "home"


def test_an_agent_of_ours_takes_over_and_gives_back(world, ssh, local):
    """One home, two ways to come: whoever is there serves."""
    code = ssh.relay.add_agent("home", [HOME], [f"homeassistant=http://{local}"])["enroll"]
    key = ssh.key("home")
    ssh.relay.admin("agent", "add-key", "home", public_half(key))
    client = ssh.forward(key, f"8123:127.0.0.1:{origin_port(world.origin(HomeApp('by ssh')))}")
    assert ssh.page() == "by ssh"
    client.stop()
    ssh.relay.wait_for_event("tunnel.closed")
    agent = world.agent(code)
    agent.wait_until_connected()
    assert ssh.page() == "home"
    refused = ssh.run(key, "-N", "-R", f"8123:{local}")
    assert refused.returncode == 255 and "connected from 127.0.0.1 already" in refused.stderr
    agent.stop()
    ssh.forward(key, f"8123:{local}")
    assert ssh.page() == "home"


# --- ends ---


@pytest.mark.sanitize
def test_a_revoked_key_is_cut_and_refused(ssh, local):
    key, spare = ssh.add(), ssh.key("spare")
    ssh.relay.admin("agent", "add-key", "home", public_half(spare))
    client = ssh.forward(key, f"8123:{local}")
    assert ssh.page() == "home"
    ssh.relay.admin("agent", "remove-key", "home", fingerprint(public_file(key)))
    assert client.wait() == 255
    ssh.relay.wait_for_event("tunnel.closed", agent="home")
    assert "Permission denied" in ssh.run(key).stderr
    client = ssh.forward(spare, f"8123:{local}")
    assert ssh.page() == "home"
    ssh.relay.admin("agent", "rotate", "home")
    assert client.wait() == 255
    assert "Permission denied" in ssh.run(spare).stderr


def test_a_removed_agent_and_a_removed_route(world, ssh, local):
    key = ssh.add(hostnames=[HOME])
    ssh.relay.admin("route", "add", WIKI, "home", "localhost:8080")
    client = ssh.forward(key, f"{HOME}:80:{local}", f"{WIKI}:80:127.0.0.1:{origin_port(world.origin(HomeApp('wiki')))}")
    assert [ssh.page(HOME), ssh.page(WIKI)] == ["home", "wiki"]
    ssh.relay.admin("route", "remove", WIKI)
    assert ssh.page(HOME) == "home" and ssh.page(WIKI) == 404 and client.running
    ssh.relay.admin("route", "add", WIKI, "home", "localhost:8080")
    assert ssh.page(WIKI) == "wiki", "the forward still stands"
    ssh.relay.admin("agent", "remove", "home")
    assert client.wait() == 255
    assert ssh.page(HOME) == 404


@pytest.mark.sanitize
@pytest.mark.skipif(not shutil.which("autossh"), reason="autossh is not installed (./dev test installs it)")
def test_autossh_comes_back_after_the_relays_restart(world, local):
    ssh = SshRelay(world, offline_grace="30s")
    ssh.start(ssh.add(), "-N", "-R", f"127.0.0.1:8123:{local}", "-o", "ExitOnForwardFailure=yes", **AUTOSSH)
    ssh.relay.wait_for_event("tunnel.opened", agent="home")
    assert ssh.page() == "home"
    ssh.relay.restart()
    assert ssh.page() == "home", "the visitor waits until it is there"
    ssh.relay.program.kill()
    ssh.relay.start()
    assert ssh.page() == "home"


@pytest.mark.skipif(not shutil.which("autossh"), reason="autossh is not installed (./dev test installs it)")
def test_visitors_notice_nothing_of_an_upgrade(world, local):
    ssh = SshRelay(world, offline_grace="30s", drain_timeout="10s")
    ssh.start(ssh.add(), "-N", "-R", f"127.0.0.1:8123:{local}", "-o", "ExitOnForwardFailure=yes", **AUTOSSH)
    ssh.relay.wait_for_event("tunnel.opened", agent="home")
    ended, seen_pages, failures = threading.Event(), [], []

    def visit():
        while not ended.is_set():
            try:
                seen_pages.append(ssh.page())
            except Exception as error:
                failures.append(repr(error))
                return

    visitors = [threading.Thread(target=visit) for _ in range(3)]
    for visitor in visitors:
        visitor.start()
    for _ in range(2):
        wanted = len(seen_pages) + 10
        wait_until(lambda: len(seen_pages) >= wanted or failures, "visits")
        mark = ssh.relay.program.mark()
        ssh.relay.upgrade()
        ssh.wait_for("tunnel.opened", mark, agent="home")
    wanted = len(seen_pages) + 10
    wait_until(lambda: len(seen_pages) >= wanted or failures, "visits")
    ended.set()
    for visitor in visitors:
        visitor.join(DEADLINE_S)
    assert failures == [] and set(seen_pages) == {"home"}
    assert ssh.relay.admin_json("status")["ssh"]["address"] == f"127.0.0.1:{ssh.port}"


@pytest.mark.sanitize
def test_a_client_that_is_gone_ends_what_it_carried(world, ssh):
    app = HomeApp()
    client = ssh.forward(ssh.add(), f"8123:127.0.0.1:{origin_port(world.origin(app))}")
    with ssh.tunnel.visitor() as answered, ssh.tunnel.visitor() as waiting:
        answered.request(path=f"/content/{512 * MIB}")
        assert answered.read_head().status == 200
        waiting.request(path="/hang")
        assert ssh.page() == "home"
        client.kill()
        with pytest.raises(ConnectionEnded):
            answered.read_exactly(512 * MIB)
        assert waiting.read_response().status == 502


@pytest.mark.sanitize
def test_a_visitor_that_leaves_is_heard_of_at_home(world, ssh):
    app = HomeApp()
    ssh.forward(ssh.add(), f"8123:127.0.0.1:{origin_port(world.origin(app))}")
    with ssh.tunnel.visitor() as visitor:
        visitor.request(path="/hang")
        assert ssh.page() == "home"
    app.cancelled.wait_for(lambda target: target == "/hang", "the end of the question")
    assert ssh.page() == "home"


def test_a_service_that_is_not_there(ssh):
    """The client finds nobody at the port that it forwards to."""
    ssh.forward(ssh.add(), f"8123:127.0.0.1:{free_port()}")
    answer = ssh.tunnel.ask()
    assert answer.status == 502 and ssh.relay.wait_for_event("edge.error")["cause"] == "target_refused"
