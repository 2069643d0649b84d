"""What a route does beyond leading somewhere: who may come, to what, with how much, and what is changed on the way."""
import base64
import json
import os
import sqlite3
import subprocess

import pytest

from home_assistant.double import HomeAssistant
from support.home_app import HomeApp, content
from support.http2_client import Http2Client
from support.origins import Notes
from support.processes import DEADLINE_S
from support.relay import BINARY

ROUTE = "home.example.test"
# Of "U*U", from bcrypt's reference test vectors.
BCRYPT = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"


@pytest.fixture
def tunnel(world):
    return world.tunnel(world.origin(HomeApp()))


def set_route(tunnel, *words, check=True):
    return tunnel.relay.admin("route", "set", ROUTE, *words, check=check)


def policy(tunnel):
    return tunnel.relay.admin_json("route", "list")["routes"][0]["policy"]


def hash_password(*words, password="U*U\n"):
    return subprocess.run([BINARY, "hash-password", *words], input=password, capture_output=True, text=True, timeout=DEADLINE_S)


def set_users(tunnel, folder, text, *words):
    file = folder / "users"
    file.write_text(text)
    set_route(tunnel, "--basic-auth", file, *words)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def headers(response):
    return {name.lower(): value for name, value in json.loads(response.content)["headers"]}


# --- settings ---


@pytest.mark.sanitize
def test_settings_are_kept_shown_and_taken_back(tunnel, tmp_path):
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}\n", "--deny-ip", "192.0.2.0/24", "--deny-ip", "2001:db8::/32", "--max-body", "5MiB", "--preset", "home-assistant")
    expected = {"basic_auth": ["anna"], "deny_ips": ["192.0.2.0/24", "2001:db8::/32"], "max_body": "5MiB", "preset": "home-assistant"}
    assert policy(tunnel) == expected
    for words in (("route", "list"), ("route", "show", ROUTE), ("--json", "route", "show", ROUTE), ("--json", "agent", "show", "home"), ("audit",)):
        shown = tunnel.relay.admin(*words).stdout
        assert "$2" not in shown and BCRYPT not in shown, words
    assert "basic-auth=1" in tunnel.relay.admin("route", "list").stdout
    assert "192.0.2.0/24" in tunnel.relay.admin("route", "show", ROUTE).stdout
    tunnel.relay.restart()
    assert policy(tunnel) == expected
    set_route(tunnel, "--deny-ip", "none", "--max-body", "off", "--preset", "none")
    assert policy(tunnel) == {"basic_auth": ["anna"]}
    set_route(tunnel, "--no-basic-auth")
    assert policy(tunnel) == {}


@pytest.mark.parametrize("words, said", [
    (("--deny-ip", "192.0.2.1/24"), "192.0.2.0/24"), (("--allow-path", "api"), "begin with /"), (("--deny-path", "/a/../b"), "more than one way"),
    (("--idle-timeout", "5m"), "10m"), (("--max-body", "5MB"), "MiB"), (("--preset", "nextcloud"), "home-assistant"), (("--maintenance", "maybe"), "on or off"),
    (("--set-request-field", "Host: x"), "relay decides"), (("--set-request-field", "X-Forwarded-For: 1.2.3.4"), "relay decides"),
    (("--set-response-field", "Transfer-Encoding: chunked"), "relay decides"), (("--remove-request-field", "Content-Length"), "relay decides"),
    (("--set-request-field", "Authorization: Basic eDp5"), "secret"), (("--basic-auth", "/nonexistent"), "/nonexistent"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_mistakes_are_told_and_change_nothing(tunnel, words, said):
    done = set_route(tunnel, *words, check=False)
    assert done.returncode != 0 and said in done.stderr and len(done.stderr.splitlines()) <= 2, done.stderr
    assert policy(tunnel) == {}


def test_users_with_hashes_that_are_none_are_refused_without_showing_them(tunnel, tmp_path):
    for text in ("anna:hunter2-in-clear\n", "anna\n", "", f"anna:{BCRYPT}\nanna:{BCRYPT}\n", f"anna:{BCRYPT.replace('$05$', '$31$')}\n"):
        file = tmp_path / "users"
        file.write_text(text)
        done = set_route(tunnel, "--basic-auth", file, check=False)
        assert done.returncode != 0 and "hunter2" not in done.stderr and "CCCC" not in done.stderr, done.stderr
    assert policy(tunnel) == {}


# --- hash-password ---


@pytest.mark.parametrize("words, beginning", [
    ((), "$y$j9T$"), (("--cost", "1"), "$y$j75$"), (("--bcrypt", "--cost", "5"), "$2b$05$"), (("--user", "anna", "--cost", "1"), "anna:$y$j75$")])
def test_hash_password_reads_standard_input(words, beginning):
    done = hash_password(*words)
    assert done.returncode == 0 and done.stdout.startswith(beginning) and done.stdout.count("\n") == 1, done.stderr
    assert not done.stderr


@pytest.mark.parametrize("words, password", [((), "\n"), ((), ""), (("--bcrypt",), "x" * 73 + "\n"), ((), "x" * 513 + "\n"), (("--cost", "9"), "x\n"), (("--user", "a:b"), "x\n")])
def test_hash_password_refuses_what_makes_no_sense(words, password):
    done = hash_password(*words, password=password)
    assert done.returncode != 0 and not done.stdout and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("again, works", [("U*U", True), ("U*V", False)])
def test_hash_password_asks_twice_at_a_terminal_and_shows_nothing(again, works):
    ours, terminal = os.openpty()
    program = subprocess.Popen([BINARY, "hash-password", "--cost", "1"], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    shown = b""

    def read_until(mark):
        nonlocal shown
        while mark not in shown:
            shown += os.read(ours, 4096)

    read_until(b"Password: ")  # the echo is off by then
    os.write(ours, b"U*U\n")
    read_until(b"Again: ")
    os.write(ours, again.encode() + b"\n")
    made = program.communicate(timeout=DEADLINE_S)[0]
    os.close(ours)
    assert b"U*" not in shown
    assert (program.returncode == 0, made.startswith(b"$y$")) == (works, works)


# --- name and password ---


@pytest.mark.sanitize
@pytest.mark.parametrize("make", [
    lambda: hash_password("--cost", "1").stdout, lambda: hash_password("--bcrypt", "--cost", "5").stdout, lambda: BCRYPT.replace("$2b$", "$2y$"),
    lambda: BCRYPT.replace("$2b$", "$2a$"), lambda: base64.b64encode(BCRYPT.encode()).decode()], ids=["yescrypt", "bcrypt", "htpasswd", "2a", "caddy"])
def test_a_password_lets_in(tunnel, tmp_path, make):
    set_users(tunnel, tmp_path, f"anna:{make()}")
    for options in ((), ("-u", "anna:wrong"), ("-u", "bert:U*U"), ("-u", "anna:"), ("-H", "Authorization: Bearer U*U")):
        got = tunnel.curl("/echo", *options)
        assert got.status == 401, options
    for _ in range(2):
        got = tunnel.curl("/echo", "-u", "anna:U*U")
        assert got.status == 200, got
        assert "authorization" not in [name.lower() for name, _ in json.loads(got.content)["headers"]], "the home doesn't see it"
    refused = tunnel.ask(path="/")
    assert refused.value("WWW-Authenticate").startswith("Basic realm=")
    metrics = tunnel.relay.metrics()
    assert metrics['sallyport_policy_refusals_total{reason="wrong_password"}'] == 3
    assert metrics['sallyport_policy_refusals_total{reason="no_password"}'] == 3


def test_a_changed_password_is_another_at_once(tunnel, tmp_path):
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}")
    assert tunnel.ask(path="/", Authorization=basic("anna", "U*U")).status == 200
    set_users(tunnel, tmp_path, "anna:" + hash_password("--cost", "1", password="other\n").stdout)
    assert tunnel.ask(path="/", Authorization=basic("anna", "U*U")).status == 401
    assert tunnel.ask(path="/", Authorization=basic("anna", "other")).status == 200


def test_guessing_is_slowed_down(tunnel, tmp_path):
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}")
    statuses = []
    with tunnel.visitor() as visitor:
        while statuses.count(503) == 0 and len(statuses) < 500:
            response = visitor.ask(path="/", Authorization=basic("anna", f"guess {len(statuses)}"))
            statuses.append(response.status)
    assert set(statuses) == {401, 503}
    assert int(response.value("Retry-After")) > 0


def test_bearer_tokens_are_refused_or_passed_untouched(tunnel, tmp_path):
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}")
    assert tunnel.ask(path="/api", Authorization="Bearer abc").status == 401
    set_route(tunnel, "--basic-auth-bearer", "pass")
    passed = tunnel.ask(path="/api", Authorization="Bearer abc")
    assert passed.status == 200 and headers(passed)["authorization"] == "Bearer abc"
    assert tunnel.ask(path="/api").status == 401
    with tunnel.visitor() as visitor:
        visitor.send(f"GET / HTTP/1.1\r\nHost: {ROUTE}\r\nAuthorization: Bearer a\r\nAuthorization: {basic('anna', 'U*U')}\r\n\r\n")
        assert visitor.read_response().status == 401


def test_open_paths_need_no_password(tunnel, tmp_path):
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}", "--basic-auth-open-path", "/hooks")
    assert tunnel.ask("POST", "/hooks/x", content=b"").status == 200
    for path in ("/", "/hooksx", "/hooks/../x", "/hooks/%2e%2e/x", "/hooks/..;/x", "/hooks%2f..%2fx", "/Hooks/x", "//hooks/x"):
        assert tunnel.ask(path=path).status == 401, path


def test_home_assistants_app_beside_a_password(world, tmp_path):
    """The mix that docs/routes.md describes: a password in front of browsers, tokens, webhooks and the WebSocket let through."""
    double = world.keep_origin(HomeAssistant())
    tunnel = world.tunnel(("homeassistant", double))
    token = double.auth.make_long_lived_token()
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}")
    assert tunnel.ask(path="/api/", Authorization=f"Bearer {token}").status == 401
    assert tunnel.ask("POST", "/api/webhook/abc", content=b"x").status == 401
    set_route(tunnel, "--basic-auth-bearer", "pass", "--basic-auth-open-path", "/api/webhook", "--basic-auth-open-path", "/api/websocket",
              "--basic-auth-open-path", "/auth/token")
    assert tunnel.ask(path="/").status == 401
    assert tunnel.ask(path="/", Authorization=basic("anna", "U*U")).status == 200
    assert tunnel.ask(path="/api/", Authorization=f"Bearer {token}").status == 200
    assert tunnel.ask(path="/api/", Authorization="Bearer of nothing").status == 401, "Home Assistant judged it"
    assert tunnel.ask("POST", "/api/webhook/abc", content=b"x").status == 200
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
    with tunnel.visitor() as visitor:
        assert visitor.ask(path="/api/websocket", **upgrade).status == 101


# --- addresses ---


def test_addresses(tunnel):
    def status(source):
        with tunnel.visitor(source=source) as visitor:
            return visitor.ask().status

    set_route(tunnel, "--allow-ip", "127.0.0.0/28", "--deny-ip", "127.0.0.7")
    assert [status(source) for source in ("127.0.0.1", "127.0.0.7", "127.0.0.8", "127.0.0.16")] == [200, 403, 200, 403]
    set_route(tunnel, "--allow-ip", "none")
    assert [status(source) for source in ("127.0.0.7", "127.0.0.16")] == [403, 200]
    set_route(tunnel, "--allow-ip", "::/0", "--deny-ip", "none")
    assert status("127.0.0.1") == 403


def test_an_ipv4_visitor_of_a_dual_stack_socket_is_an_ipv4_visitor(world):
    relay = world.relay()
    relay.stop()
    relay.config["https_listen"] = f"[::]:{relay.port}"
    relay.start()
    tunnel = world.tunnel(world.origin(HomeApp()), relay=relay)
    set_route(tunnel, "--deny-ip", "127.0.0.0/8")
    assert tunnel.ask().status == 403
    set_route(tunnel, "--deny-ip", "::/0")
    assert tunnel.ask().status == 200


# --- paths ---

CLOSED = ["/api/hassio/core/logs/follow", "/api/template", "/api/stream", "/api/hassio_ingress/token/", "/api/states", "/api/services/homeassistant/restart", "/api/error_log"]


def disguises(path):
    first, rest = path[1:].split("/", 1)
    letter = rest[0]
    encoded = f"%{ord(letter):02x}"
    return [
        path, path + "/", path.upper(), path.title(), f"/{first}/{encoded}{rest[1:]}", f"/{first}/{encoded.upper()}{rest[1:]}",
        "/" + "".join(f"%{ord(c):02x}" for c in first) + "/" + rest, f"/{first}/%25{ord(letter):02x}{rest[1:]}", f"/{first}/%%{ord(letter):02x}{rest[1:]}",
        f"//{first}/{rest}", f"/{first}//{rest}", f"/{first}/./{rest}", f"/{first}/%2e/{rest}", f"/x/../{first}/{rest}", f"/x/%2e%2e/{first}/{rest}",
        f"/x/.%2E/{first}/{rest}", f"/x/%252e%252e/{first}/{rest}", f"/x/..;/{first}/{rest}", f"/x/..;a=b/{first}/{rest}", f"/{first};a=b/{rest}", f"/;/{first}/{rest}",
        f"/{first}%2f{rest}", f"/{first}%2F{rest}", f"/{first}%252f{rest}", f"/{first}\\{rest}", f"/{first}%5c{rest}", f"/{first}%c0%af{rest}", f"/{first}/%c0%ae/{rest}",
        f"/{first}./{rest}", f"/{first}%20/{rest}", path + ".", path + "%20", path + ";a=b", path + "%3fa", path + "%23", path + "%2f", path + ".json",
        f"/{first}%00/{rest}", path + "%00", f"/{first}/\u017f{rest[1:]}" if letter == "s" else path + "%0a",
    ]


@pytest.mark.sanitize
def test_the_restricted_preset_resists_disguises(world):
    double = world.keep_origin(HomeAssistant())
    tunnel = world.tunnel(("homeassistant", double))
    set_route(tunnel, "--preset", "home-assistant-restricted")
    bearer = f"Bearer {double.auth.make_long_lived_token()}"
    for path in CLOSED:
        for disguise in disguises(path):
            with tunnel.visitor() as visitor:
                visitor.send(f"GET {disguise}?disguised HTTP/1.1\r\nHost: {ROUTE}\r\nAuthorization: {bearer}\r\n\r\n".encode())
                assert visitor.read_response().status in (400, 403), disguise
    with tunnel.visitor() as visitor:  # whoever asks in absolute form is no better off
        visitor.send(f"GET https://{ROUTE}/api/%74emplate?disguised HTTP/1.1\r\nHost: {ROUTE}\r\n\r\n")
        assert visitor.read_response().status == 403
    assert not [request.target for request in double.requests.all() if "disguised" in request.target]
    for path in ("/", "/manifest.json", "/auth/providers", "/frontend_latest/app.js", "/api/", "/api/camera_proxy/camera.door"):
        assert tunnel.ask(path=path, Authorization=bearer).status in (200, 401, 403), path
        assert any(request.target == path for request in double.requests.all()), path
    metrics = tunnel.relay.metrics()
    assert all(metrics[f'sallyport_policy_refusals_total{{reason="{reason}"}}'] > 0 for reason in ("path", "ambiguous_path"))


def test_paths_are_judged_as_the_service_sees_them(world):
    relay = world.relay()
    tunnel = world.tunnel(world.origin(HomeApp()), relay=relay)
    relay.admin("route", "add", f"{ROUTE}/app", "home", "t0", "--strip-prefix", "--deny-path", "/admin", "--deny-path", "/app/x")
    assert tunnel.ask(path="/admin").status == 200, "another route"
    assert tunnel.ask(path="/app/admin").status == 403
    assert tunnel.ask(path="/app//admin").status == 400
    assert tunnel.ask(path="/app/app/x").status == 403
    for path, seen in (("/app/app/x2", "/app/x2"), ("/app/x", "/x"), ("/app/y?/admin", "/y?/admin")):
        assert json.loads(tunnel.ask(path=path).content)["target"] == seen


def test_without_rules_every_path_passes_octet_for_octet(tunnel):
    for path in ("/a//b", "/a/../b", "/%2e%2e/b", "/a;b/c", "/a%2fb", "/%25%32%66"):
        assert json.loads(tunnel.ask(path=path).content)["target"] == path


def test_allowed_paths_close_all_others(tunnel):
    set_route(tunnel, "--allow-path", "/public", "--allow-path", "/hash", "--deny-path", "/public/secret")
    for path, status in (("/public", 200), ("/public/a%20b", 200), ("/", 403), ("/publicity", 403), ("/public/secret", 403), ("/public/../x", 400)):
        assert tunnel.ask(path=path).status == status, path


# --- content ---


@pytest.mark.sanitize
@pytest.mark.parametrize("octets, status", [(1 << 20, 200), ((1 << 20) + 1, 413), (64 << 20, 413)])
@pytest.mark.parametrize("options", [(), ("-H", "Transfer-Encoding: chunked"), ("-H", "Transfer-Encoding: chunked", "-H", "Expect:")], ids=["length", "chunked", "no-expect"])
def test_content_is_bounded(tunnel, tmp_path, octets, status, options):
    set_route(tunnel, "--max-body", "1MiB")
    file = tmp_path / "in"
    file.write_bytes(content(octets))
    got = tunnel.curl("/hash", "-T", file, *options)
    assert got.status == status, got
    if status == 200:
        assert json.loads(got.content)["octets"] == octets


def test_a_chunked_upload_is_cut_at_the_bound_for_the_service_too(world):
    received = Notes()  # all octets of a connection so far, at each receive; the last time with its end

    def converse(connection):
        data = b""
        try:
            while chunk := connection.recv(65536):
                data += chunk
                received.add((data, False))
        except OSError:
            pass
        received.add((data, True))

    tunnel = world.tunnel(world.raw_origin(converse))
    set_route(tunnel, "--max-body", "10B")
    with tunnel.visitor() as visitor:
        visitor.send(f"PUT / HTTP/1.1\r\nHost: {ROUTE}\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n")
        received.wait_for(lambda got: b"abcdef" in got[0], "what fits")
        visitor.send("5\r\nGHIJK\r\n0\r\n\r\n")
        assert visitor.read_response().status == 413
    got, _ = received.wait_for(lambda got: got[1] and b"PUT" in got[0], "the end of the upload")
    assert b"GHI" not in got and not got.endswith(b"0\r\n\r\n"), got


# --- maintenance, fields, idle ---


def test_maintenance(tunnel):
    set_route(tunnel, "--maintenance", "on", "--maintenance-text", "Back at <noon>.", "--maintenance-retry-after", "1h")
    for accept, said in (("text/html", b"Back at &lt;noon&gt;."), ("application/json", b'"Back at <noon>."')):
        response = tunnel.ask(path="/x", Accept=accept)
        assert (response.status, response.value("Retry-After")) == (503, "3600")
        assert said in response.content
    tunnel.agent.stop()
    assert tunnel.ask().status == 503, "no agent is needed to say so"
    set_route(tunnel, "--maintenance", "off", "--deny-ip", "127.0.0.1")
    assert tunnel.ask().status == 403


def test_fields_are_set_and_removed(tunnel):
    set_route(tunnel, "--set-request-field", "X-Tenant: a, b", "--set-request-field", "X-Empty:", "--remove-request-field", "Referer",
              "--set-response-field", "X-Frame-Options: DENY", "--set-response-field", "Cache-Control: private", "--remove-response-field", "Server")
    response = tunnel.ask(path="/x", X_TENANT="forged", Referer="https://elsewhere", X_Kept="1")
    got = headers(response)
    assert got["x-tenant"] == "a, b" and got["x-empty"] == "" and got["x-kept"] == "1" and "referer" not in got
    assert response.values("X-Frame-Options") == ["DENY"] and response.value("Cache-Control") == "private"
    assert response.value("Server") is None
    set_route(tunnel, "--set-request-field", "none", "--set-response-field", "none", "--remove-request-field", "none", "--remove-response-field", "none")
    response = tunnel.ask(path="/x", Referer="https://elsewhere")
    assert headers(response)["referer"] and response.value("Server") and response.value("X-Frame-Options") is None


def test_a_websocket_is_judged_like_any_request(tunnel, tmp_path):
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}", "--idle-timeout", "10m")
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
    assert tunnel.ask(path="/ws", **upgrade).status == 401
    with tunnel.visitor() as visitor:
        assert visitor.ask(path="/ws", Authorization=basic("anna", "U*U"), **upgrade).status == 101
        visitor.send(b"\x81\x82\0\0\0\0hi")
        assert visitor.read_exactly(4) == b"\x81\x02hi"


def test_the_preset_gives_home_assistant_time(world):
    tunnel = world.tunnel(world.origin(HomeApp()), agent_config={"request_timeout": "1s"})
    with tunnel.visitor() as visitor:
        assert visitor.ask(path="/hang").status == 504
    set_route(tunnel, "--preset", "home-assistant")
    with tunnel.visitor() as visitor, pytest.raises(TimeoutError):
        visitor.socket.settimeout(4)  # four times what the agent would allow; 300 s are too many to wait for
        visitor.ask(path="/hang")
    set_route(tunnel, "--request-timeout", "1s")
    with tunnel.visitor() as visitor:
        assert visitor.ask(path="/hang").status == 504


def test_a_policy_that_cannot_be_read_serves_nothing(tunnel):
    tunnel.relay.stop()
    with sqlite3.connect(tunnel.relay.state_dir / "relay.db") as database:
        database.execute("update routes set policy = '{\"of_a_later_release\": true}'")
    database.close()
    tunnel.relay.start()
    assert tunnel.ask().status == 503
    assert "policy" in tunnel.relay.admin("status").stdout
    assert "--no-policy" in set_route(tunnel, "--max-body", "1MiB", check=False).stderr
    set_route(tunnel, "--no-policy")
    tunnel.agent.wait_until_connected()
    assert tunnel.ask().status == 200


@pytest.mark.sanitize
def test_the_same_over_http_2(tunnel, tmp_path):
    set_users(tunnel, tmp_path, f"anna:{BCRYPT}", "--deny-path", "/admin", "--max-body", "1000B", "--set-request-field", "X-Tenant: a",
              "--set-response-field", "X-Frame-Options: DENY")
    user = [("authorization", basic("anna", "U*U"))]
    with Http2Client(tunnel.relay.port, ROUTE, tunnel.trust) as visitor:
        refused = visitor.ask()
        assert refused.status == 401 and refused.value("www-authenticate")
        for path, status in (("/admin", 403), ("/%61dmin", 403), ("/x/../admin", 400)):
            assert visitor.ask(path=path, extra=user).status == status
        passed = visitor.ask(path="/x", extra=user)
        fields = {name.lower(): value for name, value in json.loads(passed.content)["headers"]}
        assert fields["x-tenant"] == "a" and "authorization" not in fields and passed.value("x-frame-options") == "DENY"
        for octets, status in ((1000, 200), (1001, 413)):
            for length in ([], [("content-length", str(octets))]):
                assert visitor.ask("PUT", "/hash", extra=user + length, content=content(octets)).status == status, (octets, length)
