"""The gateway with real ssh, scp, sftp, rsync and sshd: who gets in, and what goes over the connection to the remote."""
import base64
import hashlib
import os
import signal
import socket
import subprocess
import threading

import pytest

from support.gateway import USER, RunningAgent, RunningGateway, RunningSshd, fingerprint, make_key, public, quiet_port
from support.processes import DEADLINE_S, lives, wait_until
from support.relay import BINARY, clean_environment


class Site:
    """A remote, keys (`own` is the gateway's), and gateways in front of it."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []
        self.keys = {}
        self.sshd = None

    def key(self, name, **kind):
        if name not in self.keys:
            self.keys[name] = make_key(self.folder, name, **kind)
        return self.keys[name]

    def remote(self, *authorized, **options):
        self.sshd = RunningSshd(self.folder / f"remote-{len(self.started)}", authorized, **options)
        self.started.append(self.sshd)
        return self.sshd

    def gateway(self, **config):
        gateway = RunningGateway(self.folder / f"gateway-{len(self.started)}", self.sshd, **config)
        self.started.append(gateway)
        return gateway

    def usual(self, **config):
        """Alice's key stands in the remote's file beside the gateway's."""
        self.remote(public(self.key("own")), public(self.key("alice")))
        return self.gateway(**{"ssh_key_path": self.key("own"), **config})

    def agent(self, *keys):
        agent = RunningAgent(self.folder, *keys)
        self.started.append(agent)
        return agent

    def stop(self):
        codes = [(type(each).__name__, each.stop()) for each in reversed(self.started)]
        assert all(code in (0, -9) for name, code in codes if name == "RunningGateway"), codes


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.stop()


def serve_echo():
    """A listener that sends back what it gets, until EOF; its port and the socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection:
            while octets := connection.recv(65536):
                connection.sendall(octets)

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener


def echo_through(port, octets=b"hello", host="127.0.0.1"):
    with socket.create_connection((host, port), timeout=DEADLINE_S) as connection:
        connection.settimeout(DEADLINE_S)
        connection.sendall(octets)
        connection.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := connection.recv(65536):
            got += chunk
        return got


def can_connect(port):
    try:
        return echo_through(port) == b"hello"
    except OSError:
        return False


# ---------------------------------------------------------------- commands and files

@pytest.mark.sanitize
def test_a_command_has_its_own_streams_and_exit_status(site):
    gateway = site.usual()
    done = gateway.ssh("echo out; echo err >&2; exit 7", key=site.key("alice"))
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    done = gateway.ssh("cat; echo end", key=site.key("alice"), stdin="in\n")
    assert (done.returncode, done.stdout) == (0, "in\nend\n")
    assert gateway.ssh("kill -TERM $$", key=site.key("alice")).returncode == 255, "as ssh itself says of a signal"
    assert gateway.ssh("definitely-not-there", key=site.key("alice")).returncode == 127
    line = gateway.wait_for_event("gateway.session", exit="7")
    assert line["user"] == USER and line["from"] == "127.0.0.1" and line["key"] == fingerprint(site.key("alice")) and line["kind"] == "exec"
    assert line["octets_out"] == "8"


def test_environment_goes_where_the_remote_takes_it(site):
    gateway = site.usual()
    done = gateway.ssh("echo $GREETING $FORBIDDEN", key=site.key("alice"), flags=["-o", "SetEnv=GREETING=hello FORBIDDEN=x"])
    assert done.stdout == "hello\n"


def test_octets_pass_unchanged_both_ways(site):
    gateway = site.usual()
    octets = os.urandom(24 << 20)
    done = gateway.ssh("cat", key=site.key("alice"), stdin=octets, text=False)
    assert done.returncode == 0 and hashlib.sha256(done.stdout).digest() == hashlib.sha256(octets).digest()


@pytest.mark.soak
def test_a_gibibyte_passes_unchanged_both_ways(site):
    gateway = site.usual()
    script = "head -c 1073741824 /dev/zero | openssl enc -aes-128-ctr -pass pass:x -nosalt -pbkdf2 2>/dev/null"
    wanted = subprocess.run(["sh", "-c", script + " | sha256sum"], capture_output=True, text=True, check=True).stdout
    words = " ".join(gateway.ssh_words("127.0.0.1", "cat", key=site.key("alice")))
    got = subprocess.run(["sh", "-c", f"{script} | {words} | sha256sum"], capture_output=True, text=True, check=True, timeout=600).stdout
    assert got == wanted
    assert gateway.program.resident_kib() < 200_000


def test_a_slow_reader_holds_the_remote_back_and_not_the_gateway(site):
    gateway = site.usual()
    before = gateway.program.resident_kib()
    with subprocess.Popen(gateway.ssh_words("127.0.0.1", "head -c 200000000 /dev/zero; echo done >&2", key=site.key("alice")),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as slow:
        assert slow.stdout.read(1000) == b"\0" * 1000
        assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n", "others aren't held up"
        assert gateway.program.resident_kib() - before < 60_000
        rest = 1000
        while chunk := slow.stdout.read(1 << 20):
            rest += len(chunk)
        assert rest == 200_000_000 and slow.stderr.read() == b"done\n"


def test_a_signal_reaches_the_command(site):
    gateway = site.usual()
    client = gateway.start_ssh("trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.1; done", key=site.key("alice"), flags=["-tt"])
    client.wait_for_line(lambda line: "ready" in line, "it runs")
    client.signal(signal.SIGKILL)
    client.wait()
    gateway.wait_for_event("gateway.session", kind="exec")
    gateway.wait_for_metric('open_sessions{kind="exec"}', 0)


@pytest.mark.sanitize
def test_files_go_by_scp_sftp_and_rsync(site):
    gateway = site.usual()
    octets = os.urandom(3 << 20)
    (site.folder / "from").write_bytes(octets)
    options = gateway.options(site.key("alice"))
    for tool in (["scp", "-q"], ["scp", "-q", "-O"]):
        target, back = site.folder / "to", site.folder / "back"
        subprocess.run([*tool, *options, "-P", str(gateway.port), site.folder / "from", f"{USER}@127.0.0.1:{target}"], check=True, timeout=120)
        assert target.read_bytes() == octets
        subprocess.run([*tool, *options, "-P", str(gateway.port), f"{USER}@127.0.0.1:{target}", back], check=True, timeout=120)
        assert back.read_bytes() == octets
        target.unlink(), back.unlink()
    batch = f"put {site.folder}/from {site.folder}/by-sftp\n"
    subprocess.run(["sftp", "-q", "-b", "-", *options, "-P", str(gateway.port), f"{USER}@127.0.0.1"], input=batch, text=True, check=True, timeout=120, capture_output=True)
    assert (site.folder / "by-sftp").read_bytes() == octets
    shell = " ".join(["ssh", *options, "-p", str(gateway.port)])
    (site.folder / "tree").mkdir()
    (site.folder / "tree" / "file").write_bytes(octets)
    subprocess.run(["rsync", "-a", "-e", shell, f"{site.folder}/tree", f"{USER}@127.0.0.1:{site.folder}/by-rsync"], check=True, timeout=120)
    assert (site.folder / "by-rsync" / "tree" / "file").read_bytes() == octets
    gateway.wait_for_event("gateway.session", kind="subsystem")


def test_git_clones_through_it(site):
    gateway = site.usual()
    source = site.folder / "source"
    commands = [["init", "-q", source], ["-C", source, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "first"]]
    for words in commands:
        subprocess.run(["git", *words], check=True, capture_output=True)
    env = {**os.environ, "GIT_SSH_COMMAND": " ".join(["ssh", *gateway.options(site.key("alice"))])}
    subprocess.run(["git", "clone", "-q", f"ssh://{USER}@127.0.0.1:{gateway.port}{source}", site.folder / "clone"], check=True, env=env, timeout=120)
    assert (site.folder / "clone" / ".git").exists()


# ---------------------------------------------------------------- forwards

@pytest.mark.sanitize
def test_local_dynamic_and_jump_forwards(site):
    gateway = site.usual()
    echo = serve_echo()
    target = echo.getsockname()[1]
    local, dynamic = quiet_port(), quiet_port()
    client = gateway.start_ssh("echo ready; cat", key=site.key("alice"), flags=["-tt", "-L", f"127.0.0.1:{local}:127.0.0.1:{target}", "-D", f"127.0.0.1:{dynamic}"])
    client.wait_for_line(lambda line: "ready" in line, "it runs")
    octets = os.urandom(1 << 20)
    assert echo_through(local, octets) == octets
    nothing = quiet_port()
    with socket.create_connection(("127.0.0.1", dynamic), timeout=DEADLINE_S) as socks:
        socks.settimeout(DEADLINE_S)
        socks.sendall(b"\x05\x01\x00")
        assert socks.recv(2) == b"\x05\x00"
        socks.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + target.to_bytes(2, "big"))
        assert socks.recv(10)[1] == 0
        socks.sendall(b"over socks")
        assert socks.recv(10) == b"over socks"
    refused = gateway.ssh(key=site.key("alice"), flags=["-W", f"127.0.0.1:{nothing}"])
    assert refused.returncode == 255 and "forwarding failed" in refused.stderr
    jump = subprocess.run(["ssh", *gateway.options(site.key("alice")), "-o", f"ProxyCommand={' '.join(gateway.ssh_words('-W', '%h:%p', '127.0.0.1', key=site.key('alice')))}",
                           "-p", str(site.sshd.port), f"{USER}@127.0.0.1", "echo beyond"], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert jump.stdout == "beyond\n", jump.stderr
    forward = gateway.wait_for_event("gateway.forward", kind="direct", at=f"127.0.0.1:{target}")
    assert forward["octets_in"] == forward["octets_out"] == str(1 << 20)
    client.kill()
    gateway.wait_for_metric('open_sessions{kind="direct"}', 0)
    echo.close()


@pytest.mark.sanitize
def test_remote_forwards(site):
    gateway = site.usual()
    echo = serve_echo()
    target = echo.getsockname()[1]
    chosen = quiet_port()
    client = gateway.start_ssh("echo ready; cat", key=site.key("alice"), flags=["-tt", "-R", f"{chosen}:127.0.0.1:{target}", "-R", f"0:127.0.0.1:{target}"], log="INFO")
    allocated = client.wait_for_line(lambda line: "Allocated port" in line, "the remote chose a port")[1]
    client.wait_for_line(lambda line: "ready" in line, "it runs")
    octets = os.urandom(300_000)
    assert echo_through(chosen, octets) == octets
    assert echo_through(int(allocated.split("Allocated port ")[1].split()[0]), octets) == octets
    taken = gateway.ssh("true", key=site.key("alice"), flags=["-o", "ExitOnForwardFailure=yes", "-R", f"{chosen}:127.0.0.1:{target}"])
    assert taken.returncode == 255 and "remote port forwarding failed" in taken.stderr
    gateway.wait_for_event("gateway.forward", kind="forwarded")
    client.kill()
    wait_until(lambda: not can_connect(chosen), "the forward ends with its client")
    echo.close()


def test_a_control_master_adds_and_takes_back_forwards(site):
    gateway = site.usual()
    echo = serve_echo()
    control = site.folder / "control"
    port = quiet_port()
    master = gateway.start_ssh(key=site.key("alice"), flags=["-M", "-S", control, "-N"], name="master")
    wait_until(control.exists, "the master is there")
    for number in range(3):
        assert gateway.ssh(f"echo {number}", key=site.key("alice"), flags=["-S", control]).stdout == f"{number}\n"
    words = gateway.ssh_words("-S", control, "-R", f"{port}:127.0.0.1:{echo.getsockname()[1]}", "127.0.0.1")
    subprocess.run([*words[:1], "-O", "forward", *words[1:]], check=True, timeout=60)
    assert echo_through(port) == b"hello"
    subprocess.run([*words[:1], "-O", "cancel", *words[1:]], check=True, timeout=60)
    wait_until(lambda: not can_connect(port), "the forward was cancelled")
    assert len(gateway.program.events("gateway.login")) == 1
    master.kill()
    echo.close()


# ---------------------------------------------------------------- who gets in

def test_keys_of_the_gateways_own_file(site):
    site.remote(public(site.key("own")))
    file = site.folder / "authorized"
    file.write_text(public(site.key("alice")) + "\n")
    gateway = site.gateway(ssh_key_path=site.key("own"), authorized_keys_path=file)
    assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n"
    assert gateway.wait_for_event("gateway.login")["by"] == "local_key"
    assert gateway.ssh("true", key=site.key("bob")).returncode == 255
    file.write_text(public(site.key("bob")) + "\n")
    assert gateway.ssh("echo hi", key=site.key("bob")).stdout == "hi\n"
    assert gateway.ssh("true", key=site.key("alice")).returncode == 255, "it was taken out"


@pytest.mark.parametrize("encoded", [False, True])
def test_keys_in_variables(site, encoded):
    site.remote(public(site.key("own")))
    lines = public(site.key("alice")) + "\n"
    gateway = site.gateway(env={"GATEWAY_AUTHORIZED_KEYS_CONTENT": base64.b64encode(lines.encode()).decode() if encoded else lines,
                                "GATEWAY_SSH_KEY_CONTENT": base64.b64encode(site.key("own").read_bytes()).decode(),
                                "REMOTE_PORT": "1"}, remote_port=None, **({} if encoded else {}))
    gateway.stop()
    gateway.env["REMOTE_PORT"] = str(site.sshd.port)
    gateway.start()
    assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n"


def test_options_of_a_key_are_honoured(site):
    port = quiet_port()
    echo = serve_echo()
    target = echo.getsockname()[1]
    lines = {
        "forced": 'command="echo forced: $SSH_ORIGINAL_COMMAND",no-pty ',
        "elsewhere": 'from="192.0.2.0/24" ',
        "here": 'from="127.0.0.0/8,!127.0.0.9" ',
        "expired": 'expiry-time="20200101" ',
        "lasting": 'expiry-time="20990101" ',
        "narrow": f'restrict,port-forwarding,permitopen="127.0.0.1:{target}" ',
        "odd": "no-such-option ",
    }
    site.remote(public(site.key("own")), *(options + public(site.key(name)) for name, options in lines.items()))
    gateway = site.gateway(ssh_key_path=site.key("own"))
    assert gateway.ssh("rm -rf 'x y'", key=site.key("forced")).stdout == "forced: rm -rf 'x y'\n"
    assert "PTY allocation request failed" in gateway.ssh("x", key=site.key("forced"), flags=["-tt"]).stderr
    for name, returncode in {"elsewhere": 255, "here": 0, "expired": 255, "lasting": 0, "odd": 255, "narrow": 0}.items():
        assert gateway.ssh("true", key=site.key(name)).returncode == returncode, name
    local = quiet_port()
    client = gateway.start_ssh("echo ready; sleep 100", key=site.key("narrow"), flags=["-L", f"{local}:127.0.0.1:{target}", "-L", f"{port}:127.0.0.1:{site.sshd.port}"])
    client.wait_for_line(lambda line: "ready" in line, "it runs")
    assert echo_through(local) == b"hello"
    assert not can_connect(port)
    client.kill()
    refused = gateway.ssh("true", key=site.key("here"), flags=["-o", "ExitOnForwardFailure=yes", "-R", f"{quiet_port()}:127.0.0.1:{target}"])
    assert refused.returncode == 0, "no-port-forwarding isn't said"
    echo.close()


def test_a_key_taken_out_at_the_remote_is_out_within_the_cache_time(site):
    gateway = site.usual(key_cache="1s", warm_timeout="1h")
    assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n"
    site.sshd.authorize(public(site.key("own")))
    wait_until(lambda: gateway.ssh("true", key=site.key("alice")).returncode == 255, "she is out")
    site.sshd.authorize(public(site.key("own")), public(site.key("alice")))
    wait_until(lambda: gateway.ssh("true", key=site.key("alice")).returncode == 0, "she is in again")


def test_the_remotes_file_is_asked_for_once_while_it_is_believed(site):
    gateway = site.usual(key_cache="1h", warm_connections=0)
    for _ in range(3):
        assert gateway.ssh("true", key=site.key("alice")).returncode == 0
    metrics = gateway.metrics()
    assert metrics['key_cache_total{result="miss"}'] == 1
    assert site.sshd.logins() == 3, "the connection that fetched it was the first login's"


def test_a_login_finds_a_connection_ready(site):
    gateway = site.usual(key_cache="1h")
    assert gateway.ssh("true", key=site.key("alice")).returncode == 0
    gateway.wait_for_metric("warm_connections", 1)
    assert gateway.ssh("true", key=site.key("alice")).returncode == 0
    assert gateway.metrics()["warm_taken_total"] >= 1
    gateway.wait_for_metric("warm_connections", 1)


def test_a_spare_connection_is_for_the_key_it_was_made_for(site):
    site.remote(public(site.key("own")), public(site.key("alice")), public(site.key("bob")))
    gateway = site.gateway(ssh_key_path=site.key("own"), key_cache="1h")
    assert gateway.ssh("true", key=site.key("alice")).returncode == 0
    gateway.wait_for_metric("warm_connections", 1)
    logins = site.sshd.logins()
    taken = gateway.metrics()["warm_taken_total"]
    assert gateway.ssh("true", key=site.key("bob")).returncode == 0
    assert site.sshd.logins() > logins and gateway.metrics()["warm_taken_total"] == taken
    gateway.wait_for_metric("warm_connections", 2)


def test_spare_connections_end_when_nobody_takes_them(site):
    gateway = site.usual(key_cache="1h", warm_timeout="1s")
    assert gateway.ssh("true", key=site.key("alice")).returncode == 0
    gateway.wait_for_metric("warm_connections", 0)
    assert gateway.ssh("true", key=site.key("alice")).returncode == 0


def test_wrong_keys_stay_out(site):
    gateway = site.usual()
    assert gateway.ssh("true", key=site.key("bob")).returncode == 255
    assert gateway.wait_for_event("gateway.refused")["reason"] == "bad_key"
    # The public half of somebody else's key proves nothing.
    thief = make_key(site.folder, "thief")
    (site.folder / "thief.pub").write_text(public(site.key("alice")) + "\n")
    assert gateway.ssh("true", key=thief).returncode == 255
    weak = site.key("weak", kind="rsa", bits=2048)
    site.sshd.authorize(public(site.key("own")), public(weak))
    assert gateway.ssh("true", key=weak).returncode == 255
    assert not gateway.program.events("gateway.login")


@pytest.mark.parametrize("kind,bits", [("rsa", 3072), ("ecdsa", 256), ("ecdsa", 521)])
def test_keys_of_every_kind(site, kind, bits):
    key = site.key("key", kind=kind, bits=bits)
    site.remote(public(site.key("own")), public(key))
    assert site.gateway(ssh_key_path=site.key("own")).ssh("echo hi", key=key).stdout == "hi\n"


@pytest.mark.parametrize("kind,bits", [("rsa", 3072), ("ecdsa", 384)])
def test_gateway_keys_of_every_kind(site, kind, bits):
    own = site.key("own", kind=kind, bits=bits)
    site.remote(public(own), public(site.key("alice")))
    assert site.gateway(ssh_key_path=own).ssh("echo hi", key=site.key("alice")).stdout == "hi\n"


@pytest.mark.parametrize("name", ["-oProxyCommand=id", "a b", "a;id", "$(id)", "a'b", "../a", "a/b", "a\nb", "x" * 65, "ä", "a@b", "a|b", "`id`"])
def test_user_names_that_mean_something_elsewhere_are_refused(site, name):
    gateway = site.usual(accept_any_key=True)
    done = subprocess.run([*gateway.ssh_words("-l", name, "127.0.0.1", "id", key=site.key("alice"), user=None)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 255 and "uid" not in done.stdout
    assert site.sshd.logins() == 0


def test_a_name_that_the_remote_refuses_is_not_asked_for_again_and_again(site):
    gateway = site.usual()
    for _ in range(5):
        assert gateway.ssh("true", key=site.key("alice"), user="nobody-there").returncode == 255
    metrics = gateway.metrics()
    assert metrics['key_cache_total{result="miss"}'] == 3 and metrics['key_cache_total{result="suppressed"}'] == 2
    assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n"


def test_any_key_where_it_is_allowed(site):
    site.remote(public(site.key("own")))
    gateway = site.gateway(ssh_key_path=site.key("own"), accept_any_key=True)
    assert gateway.wait_for_event("gateway.any_key_accepted")["level"] == "warn"
    assert gateway.ssh("echo hi", key=site.key("stranger")).stdout == "hi\n"
    assert gateway.wait_for_event("gateway.login")["by"] == "any_key"


def with_password(gateway, password, *words):
    askpass = gateway.folder / "askpass"
    askpass.write_text("#!/bin/sh\nprintf '%s\\n' \"$TEST_PASSWORD\"\n")
    askpass.chmod(0o700)
    env = {**os.environ, "SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force", "TEST_PASSWORD": password, "DISPLAY": "none"}
    return subprocess.run(gateway.ssh_words("-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1", "127.0.0.1", *words, batch=False),
                          capture_output=True, text=True, timeout=120, env=env, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("hashed", [None, "bcrypt", "yescrypt"])
def test_passwords_where_they_are_allowed(site, hashed):
    password = "a,b:c d"
    stored = password
    if hashed:
        done = subprocess.run([BINARY, "hash-password", *(["--bcrypt"] if hashed == "bcrypt" else [])], input=password + "\n", capture_output=True, text=True, check=True)
        stored = done.stdout.strip()
    site.remote(public(site.key("own")))
    gateway = site.gateway(ssh_key_path=site.key("own"), password_auth=True, passwords={USER: stored})
    assert with_password(gateway, password, "echo hi").stdout == "hi\n"
    assert gateway.wait_for_event("gateway.login")["by"] == "password"
    assert with_password(gateway, "hunter22", "echo hi").returncode == 255
    assert gateway.wait_for_event("gateway.refused")["reason"] == "bad_password"
    log = "\n".join(gateway.program.lines)
    assert password not in log and "hunter22" not in log


def test_no_password_where_it_is_not_allowed(site):
    gateway = site.usual(passwords={USER: "pw"})
    assert with_password(gateway, "pw", "echo hi").returncode == 255
    assert not gateway.program.events("gateway.login")


# ---------------------------------------------------------------- agents

@pytest.mark.sanitize
def test_the_agent_logs_in_where_the_gateway_has_no_key(site):
    alice = site.key("alice")
    site.remote(public(alice))
    gateway = site.gateway()
    agent = site.agent(alice)
    done = gateway.ssh("echo hi; exit 4", agent=agent.socket, flags=["-A"])
    assert (done.returncode, done.stdout) == (4, "hi\n"), done.stderr
    assert gateway.wait_for_event("gateway.login")["by"] == "agent"
    without = gateway.ssh("echo hi", agent=agent.socket)
    assert without.returncode == 255 and "ssh -A" in without.stderr and without.stdout == ""
    tunnel = gateway.ssh(agent=agent.socket, flags=["-A", "-W", f"127.0.0.1:{site.sshd.port}"])
    assert tunnel.returncode == 255, "nothing without a session that brings the agent"
    assert gateway.metrics()["warm_connections"] == 0


def test_an_agent_without_the_right_key_gets_nothing(site):
    site.remote(public(site.key("alice")))
    gateway = site.gateway()
    agent = site.agent(site.key("mallory"))
    done = gateway.ssh("echo hi", agent=agent.socket, flags=["-A"])
    assert done.returncode == 255 and done.stdout == "" and "did not let you in" in done.stderr
    assert gateway.wait_for_event("gateway.remote_lost")["reason"] == "remote_refused"


def test_files_and_forwards_with_the_agent(site):
    alice = site.key("alice")
    site.remote(public(alice))
    gateway = site.gateway()
    agent = site.agent(alice)
    echo = serve_echo()
    port = quiet_port()
    client = gateway.start_ssh("echo ready; cat", agent=agent.socket, flags=["-A", "-tt", "-R", f"{port}:127.0.0.1:{echo.getsockname()[1]}"])
    client.wait_for_line(lambda line: "ready" in line, "it runs")
    wait_until(lambda: can_connect(port), "the forward is there")
    client.kill()
    echo.close()


def test_the_agent_can_be_used_at_the_remote(site):
    gateway = site.usual()
    agent = site.agent(site.key("alice"))
    listed = gateway.ssh("ssh-add -l", agent=agent.socket, flags=["-A"])
    assert fingerprint(site.key("alice")) in listed.stdout, listed.stderr
    assert "SHA256" not in gateway.ssh("ssh-add -l", agent=agent.socket).stdout


# ---------------------------------------------------------------- the remote

def test_the_remotes_key_is_noted_and_then_insisted_on(site):
    gateway = site.usual(key_cache="0s", warm_timeout="0s")
    assert gateway.ssh("true", key=site.key("alice")).returncode == 0
    noted = gateway.wait_for_event("gateway.remote_key_noted")
    assert noted["fingerprint"] == fingerprint(site.sshd.host_key)
    site.sshd.stop()
    site.sshd.host_key.unlink()
    make_key(site.sshd.folder, "host_key")
    site.sshd.start()
    assert gateway.ssh("true", key=site.key("alice")).returncode == 255
    assert "another key" in gateway.wait_for_event("gateway.remote_key_refused")["reason"]


@pytest.mark.parametrize("right", [True, False])
def test_a_known_hosts_file_decides(site, right):
    site.remote(public(site.key("own")), public(site.key("alice")))
    known = site.folder / "known_hosts"
    other = public(site.key("other")).split()
    known.write_text(site.sshd.known_hosts() if right else f"[127.0.0.1]:{site.sshd.port} {other[0]} {other[1]}\n")
    gateway = site.gateway(ssh_key_path=site.key("own"), remote_known_hosts=known)
    assert gateway.ssh("true", key=site.key("alice")).returncode == (0 if right else 255)
    assert not gateway.program.events("gateway.remote_key_noted")


def test_a_remote_known_by_another_kind_of_key_is_asked_for_that(site):
    """The file names its RSA key only, and it has an Ed25519 one, too."""
    rsa = make_key(site.folder, "remote_rsa", kind="rsa", bits=3072)
    site.remote(public(site.key("own")), public(site.key("alice")))
    site.sshd.stop()
    site.sshd.options["HostKey"] = f"{site.sshd.host_key}\nHostKey {rsa}"
    site.sshd.start()
    known = site.folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{site.sshd.port} {' '.join(public(rsa).split()[:2])}\n")
    gateway = site.gateway(ssh_key_path=site.key("own"), remote_known_hosts=known)
    assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n"


def test_a_host_key_can_be_ignored_loudly(site):
    site.remote(public(site.key("own")), public(site.key("alice")))
    gateway = site.gateway(ssh_key_path=site.key("own"), remote_ignore_host_key=True)
    assert gateway.wait_for_event("gateway.host_key_ignored")["level"] == "warn"
    assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n"


@pytest.mark.sanitize
def test_a_remote_that_vanishes_is_told_of(site):
    gateway = site.usual()
    client = gateway.start_ssh("echo ready; cat", key=site.key("alice"), flags=["-tt"])
    client.wait_for_line(lambda line: "ready" in line, "it runs")
    for pid in subprocess.run(["pgrep", "-P", str(site.sshd.program.pid)], capture_output=True, text=True).stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    client.wait_for_line(lambda line: "connection to the remote host was lost" in line, "the user is told")
    assert client.wait() == 255
    assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n", "the next one gets a new connection"


def test_a_remote_that_is_not_there(site):
    gateway = site.usual()
    site.sshd.stop()
    assert gateway.ssh("true", key=site.key("alice")).returncode == 255
    assert gateway.wait_for_event("gateway.keys_not_fetched")["reason"] == "remote_unreachable"
    site.sshd.start()
    assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n"


# ---------------------------------------------------------------- limits, many, the end

def test_limits(site):
    gateway = site.usual(max_connections_per_user=2)
    clients = [gateway.start_ssh("echo ready; cat", key=site.key("alice"), flags=["-tt"]) for _ in range(2)]
    for client in clients:
        client.wait_for_line(lambda line: "ready" in line, "it runs")
    refused = gateway.ssh("true", key=site.key("alice"))
    assert refused.returncode == 255 and "too many connections" in refused.stderr
    assert gateway.wait_for_event("gateway.refused")["reason"] == "too_many_of_user"
    for client in clients:
        client.kill()
    wait_until(lambda: gateway.ssh("true", key=site.key("alice")).returncode == 0, "there is room again")


def test_addresses_that_fail_too_often_wait(site):
    gateway = site.usual(max_login_failures=2)
    for _ in range(2):
        assert gateway.ssh("true", key=site.key("bob")).returncode == 255
    wait_until(lambda: gateway.metrics()['refusals_total{reason="bad_key"}'] == 2, "both were counted")
    assert gateway.ssh("true", key=site.key("alice")).returncode == 255
    assert gateway.metrics()['refusals_total{reason="address_waits"}'] == 1


def test_who_does_not_log_in_in_time_is_cut(site):
    gateway = site.usual(login_grace_time="1s")
    with socket.create_connection(("127.0.0.1", gateway.port)) as idle:
        idle.settimeout(DEADLINE_S)
        while idle.recv(4096):
            pass
    gateway.wait_for_metric("connections", 0)


def test_a_connection_that_carries_nothing_ends(site):
    gateway = site.usual(idle_timeout="1s")
    client = gateway.start_ssh("echo ready; sleep 1000", key=site.key("alice"))
    client.wait_for_line(lambda line: "idle for too long" in line, "it is told")
    assert client.wait() == 255


def test_many_at_once(site):
    gateway = site.usual(key_cache="1h")
    many(gateway, site.key("alice"), 30)


@pytest.mark.soak
def test_two_hundred_at_once(site):
    gateway = site.usual(key_cache="1h", max_unauthenticated=300, max_connections_per_user=300, max_connections_per_address=300)
    many(gateway, site.key("alice"), 200)


def many(gateway, key, count):
    clients = [gateway.start_ssh(f"echo ready {number}; read line; echo got $line; exit 5", key=key, flags=["-tt"], name=f"ssh {number}") for number in range(count)]
    for number, client in enumerate(clients):
        client.wait_for_line(lambda line: f"ready {number}" in line, "it runs", deadline_s=120)
    assert gateway.metrics()['open_sessions{kind="exec"}'] == count
    for client in clients:
        client.kill()
    gateway.wait_for_metric('open_sessions{kind="exec"}', 0)
    gateway.wait_for_metric("connections", 0)


@pytest.mark.sanitize
def test_it_stops_in_order(site):
    gateway = site.usual(drain_timeout="20s")
    client = gateway.start_ssh("echo ready; read line; echo got $line; exit 5", key=site.key("alice"), flags=["-tt"])
    client.wait_for_line(lambda line: "ready" in line, "it runs")
    idle = gateway.start_ssh(key=site.key("alice"), flags=["-N"])
    wait_until(lambda: len(gateway.program.events("gateway.login")) == 2, "both are in")
    gateway.program.signal(signal.SIGTERM)
    idle.wait_for_line(lambda line: "being stopped" in line, "what does nothing is told")
    gateway.program.signal(signal.SIGTERM)
    client.wait_for_line(lambda line: "being stopped" in line, "the second signal doesn't wait")
    assert gateway.program.wait() == 0


def test_the_old_variables_and_flags_start_it(site):
    site.remote(public(site.key("own")), public(site.key("alice")))
    from support.processes import Program
    port = quiet_port()
    env = clean_environment(REMOTE_HOST="127.0.0.1", REMOTE_PORT=str(site.sshd.port), GATEWAY_HOST="127.0.0.1", GATEWAY_SSH_KEY_PATH=str(site.key("own")),
                            GATEWAY_HOST_KEY_PATH=str(site.folder / "hk"), SALLYPORT_STATE_DIR=str(site.folder / "state"))
    program = Program("gateway", [BINARY, "gateway", "--port", port, "--remote-known-hosts", site.folder / "known", "--log-level", "debug"], env=env)
    (site.folder / "known").write_text(site.sshd.known_hosts())
    try:
        program.wait_for_event("gateway.started")
        done = subprocess.run(["ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={site.folder}/u", "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes",
                               "-i", site.key("alice"), "-p", str(port), f"{USER}@127.0.0.1", "echo hi"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        assert done.stdout == "hi\n", done.stderr
    finally:
        assert program.stop() == 0


def test_what_is_wrong_at_the_start_is_said(site):
    def start(**env):
        done = subprocess.run([BINARY, "gateway"], env=clean_environment(SALLYPORT_STATE_DIR=str(site.folder / "s"), GATEWAY_HOST="127.0.0.1", GATEWAY_PORT="0",
                                                                      GATEWAY_HOST_KEY_PATH=str(site.folder / "hk"), **env), capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr
    code, said = start()
    assert code == 2 and "REMOTE_HOST" in said
    code, said = start(REMOTE_HOST="r", GATEWAY_SSH_KEY_PATH="/nonexistent")
    assert code == 1 and "ssh_key_path" in said
    code, said = start(REMOTE_HOST="r", GATEWAY_AUTHORIZED_KEYS_CONTENT="rubbish here")
    assert code == 1 and "authorized_keys_content" in said
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = start(REMOTE_HOST="r", SALLYPORT_PORT=str(taken.getsockname()[1]))
    assert code == 1 and "port" in said


# ---------------------------------------------------------------- terminals (test_gateway_sessions.py has more)

@pytest.mark.sanitize
def test_a_terminal_over_mosh_has_its_exit_status_and_leaves_nothing_behind(site):
    gateway = site.usual()
    client = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="echo $((6*7)); exit 5\n")
    client.wait_for_line(lambda line: "42" in line, "the shell answers")
    assert client.wait() == 5
    line = gateway.wait_for_event("gateway.session", kind="mosh")
    assert line["exit"] == "5" and line["user"] == USER and line["key"] == fingerprint(site.key("alice"))
    wait_until(lambda: not children(gateway.program.pid), "its mosh-client is gone")
    assert "MOSH_KEY" not in "\n".join(gateway.program.lines)


def children(pid):
    return subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("reason", ["missing", "off"])
def test_a_terminal_goes_over_ssh_where_mosh_does_not_work(site, reason):
    gateway = site.usual(**({"mosh": "off"} if reason == "off" else {"mosh_server": "/nonexistent/mosh-server"}))
    client = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="echo $((6*7)); exit 5\n")
    client.wait_for_line(lambda line: "42" in line, "the shell answers")
    assert client.wait() == 5
    told = any("mosh-server is not installed" in line for line in client.lines)
    assert told == (reason == "missing")
    assert gateway.wait_for_event("gateway.session", kind="shell")["exit"] == "5"


@pytest.mark.sanitize
def test_a_session_waits_for_its_user_and_for_nobody_else(site):
    site.remote(public(site.key("own")), public(site.key("alice")), public(site.key("bob")))
    gateway = site.gateway(ssh_key_path=site.key("own"), resume="auto")
    client = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="PS1=; marker=first; echo $((6*7))\n")
    client.wait_for_line(lambda line: "42" in line, "the shell answers")
    client.kill()
    gateway.wait_for_event("gateway.detached")
    gateway.wait_for_metric("detached_sessions", 1)
    other = gateway.start_ssh(key=site.key("bob"), flags=["-tt"], stdin="echo [$marker]$((6*8)); exit 1\n")
    other.wait_for_line(lambda line: "[]48" in line, "bob's is a new one")
    assert other.wait() == 1
    again = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="echo [$marker]; exit 3\n")
    again.wait_for_line(lambda line: "[first]" in line, "alice has hers back")
    assert again.wait() == 3
    gateway.wait_for_metric("detached_sessions", 0)


def test_a_mosh_client_that_dies_harms_nobody_else(site):
    gateway = site.usual()
    clients = [gateway.start_ssh(key=site.key("alice"), flags=["-tt"], name=f"ssh {n}") for n in range(2)]
    wait_until(lambda: len(children(gateway.program.pid)) == 2, "both have a mosh-client")
    os.kill(int(children(gateway.program.pid)[0]), signal.SIGKILL)
    gateway.wait_for_event("gateway.session", kind="mosh", exit="lost")
    wait_until(lambda: sum(client.running for client in clients) == 1, "its user is told")
    assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n"


def test_terminals_end_with_the_gateway(site):
    gateway = site.usual(drain_timeout="20s")
    client = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="echo $((6*7)); echo pid $$ end\n")
    client.wait_for_line(lambda line: "42" in line, "the shell answers")
    shell = int(client.wait_for_line(lambda line: "pid " in line and "$$" not in line, "its pid")[1].split("pid ")[1].split()[0])
    assert gateway.program.stop() == 0
    client.wait()
    wait_until(lambda: not lives(shell), "the shell at the remote has ended")
    gateway.start()


def test_a_session_whose_client_answers_no_more_is_offered_at_once(site):
    gateway = site.usual(resume="auto")
    lost = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="PS1=; marker=first; echo $((6*7))\n")
    lost.wait_for_line(lambda line: "42" in line, "the shell answers")
    lost.signal(signal.SIGSTOP)
    again = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="echo [$marker]; exit 3\n")
    again.wait_for_line(lambda line: "[first]" in line, "alice has hers back")
    assert again.wait() == 3
    lost.signal(signal.SIGCONT)
    lost.wait()


def test_a_second_terminal_is_a_second_session_while_the_first_is_there(site):
    gateway = site.usual(resume="auto", keepalive_interval="10m")  # the first may take its time to say that it is there
    first = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="PS1=; marker=first; echo $((6*7))\n")
    first.wait_for_line(lambda line: "42" in line, "the shell answers")
    second = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="echo [$marker]$((6*8)); exit 3\n")
    second.wait_for_line(lambda line: "[]48" in line, "hers is a new one")
    assert second.wait() == 3 and first.running
    first.kill()


def test_a_terminal_outlives_the_connection_that_started_it(site):
    """sshd's process of the connection dies: mosh goes on; the user can still leave and come back."""
    gateway = site.usual(resume="auto", warm_connections=0)
    client = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="PS1=; marker=first; echo $((6*7))\n")
    client.wait_for_line(lambda line: "42" in line, "the shell answers")
    for pid in children(site.sshd.program.pid):
        os.kill(int(pid), signal.SIGKILL)
    gateway.wait_for_event("gateway.remote_lost")
    client.kill()
    gateway.wait_for_event("gateway.detached")
    site.sshd.stop()
    again = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="echo [$marker]; exit 3\n")
    again.wait_for_line(lambda line: "[first]" in line, "hers is still there")
    assert again.wait() == 3
    site.sshd.start()


@pytest.mark.sanitize
def test_a_terminal_goes_on_over_ssh_where_no_datagram_comes_back(site):
    fake = site.folder / "mosh-server"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))  # takes datagrams and never answers
        fake.write_text(f"#!/bin/sh\necho\necho MOSH CONNECT {nobody.getsockname()[1]} AAAAAAAAAAAAAAAAAAAAAA\n")
        fake.chmod(0o755)
        gateway = site.usual(mosh_server=fake, mosh_patience="1s")
        client = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="echo $((6*7)); exit 5\n")
        client.wait_for_line(lambda line: "plain SSH" in line, "it is told")
        client.wait_for_line(lambda line: "42" in line, "the shell answers")
        assert client.wait() == 5
    assert gateway.wait_for_event("gateway.mosh_failed")["reason"] == "no_contact"
    assert gateway.metrics()["mosh_fallbacks_total"] == 1


def test_a_gateway_that_is_killed_leaves_no_mosh_client_behind(site):
    gateway = site.usual()
    client = gateway.start_ssh(key=site.key("alice"), flags=["-tt"], stdin="echo $((6*7))\n")
    client.wait_for_line(lambda line: "42" in line, "the shell answers")
    mosh_clients = children(gateway.program.pid)
    gateway.program.kill()
    assert client.wait() == 255
    wait_until(lambda: not any(lives(pid) for pid in mosh_clients), "its mosh-client is gone")
    gateway.start()
    assert gateway.ssh("echo hi", key=site.key("alice")).stdout == "hi\n"


def test_a_session_that_was_taken_up_again_finds_the_new_clients_agent(site):
    gateway = site.usual(resume="auto")
    agent = site.agent(site.key("alice"))
    client = gateway.start_ssh(agent=agent.socket, flags=["-tt", "-A"], stdin="PS1=; echo $((6*7))\n")
    client.wait_for_line(lambda line: "42" in line, "the shell answers")
    client.kill()
    gateway.wait_for_event("gateway.detached")
    again = gateway.start_ssh(agent=agent.socket, flags=["-tt", "-A"], stdin="ssh-add -l; exit 3\n")
    again.wait_for_line(lambda line: fingerprint(site.key("alice")) in line, "the agent answers")
    assert again.wait() == 3
