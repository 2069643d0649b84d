"""How an agent comes to be known, by each way there is, and how it stops being known."""
import base64
import hashlib
import json
import os
import shutil
import socket
import ssl

import pytest

from support.home_app import HomeApp
from support.visitor import Visitor

HOSTNAME = "home.example.test"


@pytest.fixture
def origin(world):
    return world.origin(HomeApp())


@pytest.fixture
def relay(world):
    return world.relay(offline_grace="100ms")


@pytest.fixture
def code(relay, origin):
    return relay.add_agent("home", [HOSTNAME], [f"web={origin.url}"])["enroll"]


def serves(world, relay, hostname=HOSTNAME):
    with Visitor(relay.port, hostname, trust=world.authority.file) as visitor:
        return visitor.ask().status == 200


def altered(code, **changes):
    """A valid code with other contents, as someone in between might make it."""
    body = code[len("sallyport1_"):-len("_checksum")]
    values = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    values.update(changes)
    packed = "sallyport1_" + base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    return packed + "_" + base64.urlsafe_b64encode(hashlib.sha256(packed.encode()).digest()).decode()[:8]


def test_by_environment(world, relay, code):
    agent = world.agent(code)
    agent.wait_until_connected()
    assert serves(world, relay)
    route = agent.wait_for_event("agent.route", target="web")
    assert HOSTNAME in route["url"]
    assert all(code not in line for line in agent.program.lines + relay.program.lines), "a secret in a log"


@pytest.mark.sanitize
def test_by_standard_input(world, relay, code):
    world.agent(words=["--enroll"], stdin=code + "\n").wait_until_connected()
    assert serves(world, relay)


def test_by_prompt_on_a_terminal(world, relay, code):
    ours, terminal = os.openpty()
    agent = world.agent(words=["--enroll"], stdin=terminal)
    os.write(ours, code.encode() + b"\n")  # typed ahead of the question, which ends without a line end
    agent.wait_until_connected()
    assert serves(world, relay)
    agent.program.wait_for_line(lambda line: "Enrolment code" in line, "the question")
    os.close(terminal)
    os.close(ours)


def test_by_file_with_line_breaks_from_a_paste(world, relay, code, tmp_path):
    file = tmp_path / "code"
    file.write_text("\n".join(code[at:at + 60] for at in range(0, len(code), 60)) + "\n")
    world.agent(enroll_file=str(file)).wait_until_connected()
    assert serves(world, relay)


def test_by_configuration(world, relay, code):
    world.agent(enroll=code).wait_until_connected()
    assert serves(world, relay)


def test_by_argument(world, relay, code):
    world.agent(words=["--enroll", code]).wait_until_connected()
    assert serves(world, relay)


@pytest.mark.sanitize
def test_next_starts_need_nothing_and_a_used_code_is_ignored(world, relay, code):
    agent = world.agent(code)
    agent.wait_until_connected()
    agent.restart()  # the environment still holds the code
    agent.wait_until_connected()
    agent.stop()
    again = world.agent()  # the same state folder without it
    again.wait_until_connected()
    assert serves(world, relay)


def test_what_the_agent_keeps_is_its_own(world, relay, code):
    agent = world.agent(code)
    agent.wait_until_connected()
    assert agent.state_dir.stat().st_mode & 0o777 == 0o700
    for file in agent.state_dir.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


@pytest.mark.sanitize
def test_a_code_is_good_for_one_agent(world, relay, code):
    world.agent(code).wait_until_connected()
    second = world.agent(code, name="second")
    second.program.wait_for_line(lambda line: "level=error" in line or "level=warn" in line, "the refusal")
    assert not second.program.events("agent.connected")
    assert serves(world, relay), "the first one is not disturbed"


@pytest.mark.sanitize
@pytest.mark.parametrize("what", ["cut", "mistyped", "nothing of ours", "another secret"])
def test_a_bad_code_is_told(world, relay, code, what):
    bad = {
        "cut": code[:-20], "mistyped": code[:30] + ("A" if code[30] != "A" else "B") + code[31:], "nothing of ours": "letmein",
        "another secret": altered(code, secret="AAAAAAAAAAAAAAAAAAAAAA"),
    }[what]
    agent = world.agent(bad)
    agent.program.wait_for_line(lambda line: "level=error" in line or "level=warn" in line, "one clear line")
    assert not agent.program.events("agent.connected")
    assert not any(bad in line for line in agent.program.lines)


@pytest.mark.sanitize
def test_a_relay_with_another_key_is_not_believed(world, relay, code):
    wrong_pin = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
    agent = world.agent(altered(code, pin=wrong_pin))
    agent.program.wait_for_line(lambda line: "pin" in line.lower(), "the reason")
    assert not agent.program.events("agent.connected")


def test_a_proxy_with_a_valid_certificate_for_the_name_is_not_believed_either(world, relay, code, authority):
    """The pin is of the relay's identity; a certificate from a CA doesn't replace it."""
    from support.origins import server_tls
    impostor = world.origin(HomeApp("impostor"), tls=server_tls(authority.issue("127.0.0.1", stem="impostor")))
    agent = world.agent(altered(code, public_url=impostor.url), ca_file=str(authority.file))
    agent.program.wait_for_line(lambda line: "dial_failed" in line or "level=error" in line, "the failure")
    assert not impostor.requests.all(), "nothing was said to it, least of all the secret"


@pytest.mark.sanitize
def test_by_token(world, relay, origin):
    added = relay.add_agent("home", [HOSTNAME], [], "--token")
    relay.admin("route", "add", "other.example.test", "home", "web")
    agent = world.agent(relay_url=f"wss://127.0.0.1:{relay.port}", api_key=added["api_key"], pin=relay.pin, services={"web": origin.url})
    agent.wait_until_connected()
    assert serves(world, relay, "other.example.test")
    agent.restart()
    agent.wait_until_connected()  # reusable


@pytest.mark.sanitize
def test_by_device_id_and_secret(world, relay, origin):
    added = relay.add_agent("home", [HOSTNAME], [], "--device")
    relay.admin("route", "add", "other.example.test", "home", "web")
    agent = world.agent(server_url=f"wss://127.0.0.1:{relay.port}", device_id=added["device_id"], secret=added["secret"], pin=relay.pin,
                        services={"web": origin.url})
    agent.wait_until_connected()
    assert serves(world, relay, "other.example.test")


def test_a_token_with_a_ca_file_instead_of_a_pin(world, origin, authority):
    relay = world.relay(certificates=[authority.issue("localhost", "127.0.0.1", stem="public")])
    added = relay.add_agent("home", [HOSTNAME], [], "--token")
    world.agent(relay_url=f"wss://localhost:{relay.port}", api_key=added["api_key"], ca_file=str(authority.file)).wait_until_connected()
    stranger = world.agent(name="stranger", relay_url=f"wss://localhost:{relay.port}", api_key=added["api_key"])
    stranger.program.wait_for_line(lambda line: "certificate" in line.lower(), "the certificate that nobody vouches for")
    assert not stranger.program.events("agent.connected")


def test_a_wrong_token_is_refused(world, relay):
    added = relay.add_agent("home", [HOSTNAME], [], "--token")
    agent = world.agent(relay_url=f"wss://127.0.0.1:{relay.port}", api_key=added["api_key"][:-3] + "AAA", pin=relay.pin)
    agent.program.wait_for_line(lambda line: "not_recognised" in line, "the refusal")
    assert not agent.program.events("agent.connected")


@pytest.mark.sanitize
@pytest.mark.parametrize("how", ["disable", "remove", "rotate"])
def test_who_is_revoked_loses_the_tunnel_within_a_second(world, relay, code, how):
    agent = world.agent(code)
    agent.wait_until_connected()
    assert serves(world, relay)
    mark = relay.program.mark()
    relay.admin("agent", how, "home")
    relay.program.wait_for_event("tunnel.closed", after=mark, agent="home", deadline_s=5)
    with Visitor(relay.port, HOSTNAME, trust=world.authority.file) as visitor:
        assert visitor.ask().status in (404, 503)


def test_enable_brings_it_back(world, relay, code):
    agent = world.agent(code)
    agent.wait_until_connected()
    relay.admin("agent", "disable", "home")
    relay.wait_for_event("tunnel.closed", agent="home")
    mark = agent.program.mark()
    relay.admin("agent", "enable", "home")
    agent.wait_until_connected(after=mark)
    assert serves(world, relay)


@pytest.mark.sanitize
def test_a_stranger_cannot_tell_that_there_is_a_tunnel_endpoint(world, relay, code):
    """/tunnel without a proof is a path like any other."""
    world.agent(code).wait_until_connected()
    opening = dict(Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
    with Visitor(relay.port, HOSTNAME, trust=world.authority.file) as visitor:
        plain = visitor.ask(path="/tunnel")
    for authorization in (None, "Bearer x", "Basic eA==", "Concealed k=YQ, a=YQ, s=AAAA, v=AAAA, p=YQ"):
        with Visitor(relay.port, HOSTNAME, trust=world.authority.file) as visitor:
            response = visitor.ask(path="/tunnel", **opening, **({"Authorization": authorization} if authorization else {}))
        assert response.status == plain.status == 200, "the home answers, as for any path"
    with Visitor(relay.port, "stranger.example.test", trust=world.authority.file) as visitor:
        assert visitor.ask(path="/tunnel", **opening).status == 404


@pytest.mark.sanitize
def test_the_identity_is_shown_to_agents_only_and_survives_a_restart(world, relay, site_certificate):
    def served(alpn):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([alpn])
        with socket.create_connection(("127.0.0.1", relay.port), timeout=30) as raw, context.wrap_socket(raw, server_hostname=HOSTNAME) as tls:
            return tls.getpeercert(binary_form=True)

    identity, site = served("sallyport/1"), served("http/1.1")
    assert identity != site
    pin = relay.pin
    relay.restart()
    assert relay.pin == pin and served("sallyport/1") == identity


def test_a_second_agent_with_the_same_key_does_not_take_the_place_of_a_live_one(world, relay, code, tmp_path):
    agent = world.agent(code)
    agent.wait_until_connected()
    agent.stop()
    shutil.copytree(agent.state_dir, tmp_path / "agent-copy")
    agent.start()
    agent.wait_until_connected()
    mark = relay.program.mark()
    copy = world.agent(name="copy")
    relay.wait_for_event("tunnel.duplicate", agent="home")
    assert not [line for line in relay.program.lines[mark:] if "event=tunnel.closed" in line]
    assert serves(world, relay)
    assert not copy.program.events("agent.connected")


@pytest.mark.parametrize("key, value, said", [
    ("relay_url", "ws://relay.example.org", "loopback"), ("relay_url", "http://relay.example.org", "wss"), ("relay_url", "relay", "wss"),
    ("heartbeat_interval", "30", "unit"), ("heartbeat_interval", "-5s", "heartbeat_interval"), ("concurrency_limit", "many", "concurrency_limit"),
    ("log_level", "loud", "log_level"), ("heartbeat_intervall", "30s", "heartbeat_interval"), ("services", {"web": "ftp://x"}, "services"),
])
def test_configuration_errors_name_file_line_and_key(world, key, value, said):
    agent = world.agent(**{key: value})
    assert agent.program.wait() != 0
    text = "\n".join(agent.program.lines)
    assert "agent-home.yaml:1" in text and said in text


def test_nothing_to_go_by_is_told(world):
    agent = world.agent()
    assert agent.program.wait() != 0
    assert "enroll" in "\n".join(agent.program.lines)
