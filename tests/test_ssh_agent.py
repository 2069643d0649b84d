"""The agent against a stock sshd, by libssh and through the system's ssh."""
import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import threading

import aiohttp
import pytest

from home_assistant.double import HomeAssistant
from support import front_proxies
from support.home_app import HomeApp, content, content_sha256
from support.processes import Program, wait_until
from support.relay import BINARY, clean_environment, free_port
from support.sshd import USER, Sshd, fingerprint, make_key
from support.transfers import NumberedHome, numbered, sha256_of
from support.visitor import Visitor, curl

MIB = 1 << 20
# One option that the agent leaves to the system's ssh, so that this does the work.
BY_PROGRAM = "-o Ciphers=aes128-gcm@openssh.com"
ENGINES = {"libssh": "-v", "ssh": BY_PROGRAM}


@pytest.fixture(params=sorted(ENGINES))
def engine(request):
    return request.param


class Setting:
    """An sshd, a home, and agents between them."""

    def __init__(self, world, engine="libssh"):
        self.world = world
        self.engine = engine
        self.app = HomeApp()
        self.origin = world.origin(self.app)
        self._servers = 0

    def sshd(self, *settings, **options):
        self._servers += 1
        return self.world.keep_origin(Sshd(self.world.folder / f"sshd{self._servers}", *settings, **options))

    def config(self, server, **options):
        config = {"hostname": "127.0.0.1", "ssh_port": server.port, "username": USER, "local_ip_address": "127.0.0.1",
                  "local_port": int(self.origin.url.rsplit(":", 1)[1]), "other_ssh_options": ENGINES[self.engine], **options}
        return {key: value for key, value in config.items() if value is not None}

    def agent(self, server, **options):
        """One that nobody has let in yet."""
        self.port = options.setdefault("remote_port", free_port())
        return self.world.agent(**self.config(server, **options))

    def connected(self, server, **options):
        agent = self.agent(server, **options)
        let_in(server, agent)
        agent.wait_until_connected()
        return agent


def let_in(server, agent):
    """With the line that the agent prints."""
    line = agent.wait_for_event("agent.ssh_key")["authorized_keys"]
    server.authorize(line)
    return line


def ask(port, path="/", host="127.0.0.1"):
    with Visitor(port, "home", tls=False, host=host) as visitor:
        visitor.request(path=path)
        return visitor.read_response()


def refuses(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def setting(world, engine):
    return Setting(world, engine)


@pytest.fixture
def in_process(world):
    return Setting(world)


@pytest.mark.sanitize
def test_first_start_says_what_lets_it_in_and_waits(setting, engine):
    server = setting.sshd()
    agent = setting.agent(server)
    line = agent.wait_for_event("agent.ssh_key")["authorized_keys"]
    assert line.startswith(f'restrict,port-forwarding,permitlisten="127.0.0.1:{setting.port}" ssh-ed25519 AAAA')
    agent.program.wait_for_line(lambda shown: shown == line, "the line on standard output")
    assert agent.wait_for_event("agent.ssh_engine")["engine"] == engine
    assert agent.wait_for_event("agent.ssh_key_noted")["fingerprint"] == server.fingerprint()
    for _ in range(3):
        refused = agent.wait_for_event("agent.dial_failed", after=agent.program.mark())
    assert refused["cause"] == "key_refused"
    told = agent.program.events("agent.not_connected")
    assert len(told) == 1 and told[0]["cause"] == "key_refused" and line in told[0]["advice"] and "authorized_keys" in told[0]["advice"]

    server.authorize(line)
    connected = agent.wait_until_connected()
    assert connected["relay"] == f"ssh://{USER}@127.0.0.1:{server.port}" and connected["version"].startswith("OpenSSH_")
    assert agent.wait_for_event("agent.forward")["listen"] == f"127.0.0.1:{setting.port}"
    assert ask(setting.port).content == b"<h1>home</h1>"

    key = agent.state_dir / "agent.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and stat.S_IMODE(agent.state_dir.stat().st_mode) == 0o700
    before = key.read_text()
    agent.restart()
    agent.wait_until_connected()
    assert key.read_text() == before
    assert not agent.program.events("agent.ssh_key"), "who was let in needs no line"
    assert ask(setting.port).status == 200


def test_content_passes_both_ways(setting):
    server = setting.sshd()
    setting.connected(server)
    octets = 24 * MIB
    answer = ask(setting.port, f"/content/{octets}")
    assert len(answer.content) == octets and answer.content == content(octets)
    with Visitor(setting.port, "home", tls=False) as visitor:
        visitor.request("POST", "/hash", content=content(octets))
        assert json.loads(visitor.read_response().content) == {"octets": octets, "sha256": content_sha256(octets)}
    visitors = [Visitor(setting.port, "home", tls=False) for _ in range(40)]
    for number, visitor in enumerate(visitors):
        visitor.request(path=f"/status/{200 + number % 3}")
    for number, visitor in enumerate(visitors):
        assert visitor.read_response().status == 200 + number % 3
        visitor.close()


def test_new_keys_under_load(in_process):
    """sshd wants new ones each 2 MiB, in the middle of content both ways."""
    server = in_process.sshd("RekeyLimit 2M")
    agent = in_process.connected(server)
    octets = 16 * MIB
    answers = []
    visits = [threading.Thread(target=lambda: answers.append(ask(in_process.port, f"/content/{octets}").content == content(octets))) for _ in range(2)]
    for visit in visits:
        visit.start()
    with Visitor(in_process.port, "home", tls=False) as visitor:
        visitor.request("POST", "/hash", content=content(octets))
        assert json.loads(visitor.read_response().content) == {"octets": octets, "sha256": content_sha256(octets)}
    for visit in visits:
        visit.join()
    assert answers == [True, True]
    assert not agent.program.events("agent.disconnected")


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_gigabyte_passes_both_ways(world, engine):
    setting = Setting(world, engine)
    setting.origin = world.origin(NumberedHome())
    server = setting.sshd()
    setting.connected(server)
    octets = 1 << 30
    with Visitor(setting.port, "home", tls=False) as visitor:
        visitor.socket.settimeout(600)
        visitor.send(f"POST /hash HTTP/1.1\r\nHost: home\r\nContent-Length: {octets}\r\n\r\n")
        for block in numbered(octets):
            visitor.send(block)
        assert json.loads(visitor.read_response().content)["sha256"] == sha256_of(octets)
    fetched = subprocess.run(f"set -o pipefail; curl -sf http://127.0.0.1:{setting.port}/content/{octets} | sha256sum", shell=True, executable="/bin/bash",
                             capture_output=True, text=True, timeout=600, check=True)
    assert fetched.stdout.split()[0] == sha256_of(octets)


def test_sshd_restarts(setting):
    server = setting.sshd()
    agent = setting.connected(server)
    for _ in range(2):
        mark = agent.program.mark()
        server.stop()
        assert agent.wait_for_event("agent.disconnected", after=mark)["reason"] == "ended"
        agent.wait_for_event("agent.not_connected", cause="network", after=mark)
        server.start()
        agent.wait_until_connected(after=mark)
        assert ask(setting.port).status == 200


def test_a_port_that_a_stale_session_holds(setting):
    """sshd still believes in the connection before: another ssh with the same port stands for it."""
    server = setting.sshd()
    agent = setting.connected(server)
    agent.stop()
    stale_key = make_key(server.folder / "stale")
    server.authorize((server.folder / "stale.pub").read_text().strip())
    stale = Program("stale ssh", ["ssh", "-F", "none", "-N", "-v", "-p", server.port, "-i", stale_key, "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes",
                                  "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={server.folder}/stale_hosts",
                                  "-R", f"127.0.0.1:{setting.port}:127.0.0.1:1", "127.0.0.1"])
    try:
        stale.wait_for_line(lambda line: "remote forward success" in line, "the stale session's forward")
        agent.start()
        for _ in range(3):
            failed = agent.wait_for_event("agent.dial_failed", after=agent.program.mark())
            assert failed["cause"] == "forward_taken"
        told = agent.program.events("agent.not_connected")
        assert len(told) == 1 and told[0]["level"] == "warn" and "ClientAliveInterval 15" in told[0]["advice"]
    finally:
        stale.stop()
    agent.wait_until_connected()
    assert ask(setting.port).status == 200


def trust(agent, name):
    return subprocess.run([BINARY, "agent", "--config", agent.folder / f"agent-{agent.name}.yaml", "--state-dir", agent.state_dir, "trust", name],
                          env=clean_environment(), capture_output=True, text=True, timeout=60)


def test_a_changed_host_key_is_refused_until_it_is_trusted(setting):
    server = setting.sshd()
    agent = setting.connected(server)
    old = server.fingerprint()
    server.stop()
    server.change_host_key()
    mark = agent.program.mark()
    server.start()
    told = agent.wait_for_event("agent.not_connected", cause="host_key_changed", after=mark)
    assert old in told["reason"] and server.fingerprint() in told["reason"] and told["level"] == "error"
    assert "sallyport agent trust 127.0.0.1" in told["advice"]
    assert agent.program.running
    answer = trust(agent, "127.0.0.1")
    assert answer.returncode == 0 and old in answer.stdout, answer
    agent.wait_until_connected(after=mark)
    assert ask(setting.port).status == 200
    assert agent.program.events("agent.ssh_key_noted")[-1]["fingerprint"] == server.fingerprint()
    assert trust(agent, "elsewhere").returncode == 1


def test_given_host_keys(setting, tmp_path):
    server = setting.sshd()
    stranger = make_key(tmp_path / "stranger")
    wrong = (tmp_path / "stranger.pub").read_text()
    agent = setting.agent(server, host_key=wrong)
    let_in(server, agent)
    told = agent.wait_for_event("agent.not_connected")
    assert told["cause"] == "host_key_changed" and fingerprint(stranger) in told["reason"] and server.fingerprint() in told["reason"]
    assert trust(agent, "127.0.0.1").returncode == 1, "what is given is changed where it is given"
    agent.stop()
    file = tmp_path / "known"
    file.write_text(f"[127.0.0.1]:{server.port} {server.public_host_key()}\n")
    ways = [{"host_key": server.public_host_key()}, {"host_key": [wrong, server.public_host_key()]}, {"known_hosts": str(file)}, {"known_hosts": file.read_text()}]
    if setting.engine == "libssh":
        ways.append({"host_key": server.fingerprint()})
    for way in ways:
        agent.config.pop("host_key", None)
        agent.config.pop("known_hosts", None)
        agent.config.update(way)
        agent.start()
        agent.wait_until_connected()
        assert not agent.program.events("agent.ssh_key_noted")
        agent.stop()


def test_a_known_key_of_another_kind(in_process, tmp_path):
    """A server with several keys is asked for the one that is known."""
    make_key(tmp_path / "rsa_host_key", "rsa")
    server = in_process.sshd(f"HostKey {tmp_path}/rsa_host_key")
    agent = in_process.connected(server, host_key=(tmp_path / "rsa_host_key.pub").read_text())
    assert not agent.program.events("agent.not_connected") or {told["cause"] for told in agent.program.events("agent.not_connected")} == {"key_refused"}


def test_no_login_when_the_host_key_is_wrong(in_process, tmp_path):
    server = in_process.sshd()
    make_key(tmp_path / "stranger")
    agent = in_process.agent(server, host_key=(tmp_path / "stranger.pub").read_text())
    agent.wait_for_event("agent.not_connected", cause="host_key_changed")
    agent.stop()
    server.stop()
    assert not [line for line in server.program.lines if "publickey" in line]


@pytest.mark.parametrize("bind, port, host", [("127.0.0.1", 1, "127.0.0.1"), ("localhost", 1, "127.0.0.1"), ("*", 1, "127.0.0.1"), ("::1", 1, "::1"),
                                               ("127.0.0.1", 0, "127.0.0.1"), ("*", 0, "127.0.0.1")])
def test_the_printed_line_fits_every_bind_address(setting, bind, port, host):
    server = setting.sshd()
    agent = setting.connected(server, remote_ip_address=bind, remote_port=free_port(host) if port else 0)
    listen = agent.wait_for_event("agent.forward")["listen"]
    assert ask(int(listen.rsplit(":", 1)[1]), host=host).status == 200


def test_the_printed_line_allows_nothing_else(in_process):
    server = in_process.sshd()
    agent = in_process.connected(server)
    agent.stop()
    key = agent.state_dir / "ssh.key"
    for words in (["true"], ["-N", "-o", "ExitOnForwardFailure=yes", "-R", f"127.0.0.1:{free_port()}:127.0.0.1:1"], ["-tt"]):
        tried = subprocess.run(["ssh", "-F", "none", "-p", str(server.port), "-i", key, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                                "-o", f"UserKnownHostsFile={server.folder}/hosts", *[w for w in words if w.startswith("-") or ":" in w or "=" in w],
                                f"{USER}@127.0.0.1", *[w for w in words if w == "true"]],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if words != ["true"]:
            assert tried.returncode != 0, tried


def test_several_forwards(setting):
    second = setting.world.origin(HomeApp("second"))
    host, port = second.url.removeprefix("http://").rsplit(":", 1)
    ports = [free_port(), free_port()]
    server = setting.sshd()
    agent = setting.agent(server, remote_forwarding=[f"127.0.0.1:{ports[0]}:{host}:{port}", f"{ports[1]}:{host}:{port}"])
    line = let_in(server, agent)
    assert f'permitlisten="127.0.0.1:{ports[0]}",permitlisten="localhost:{ports[1]}" ' in line
    agent.wait_until_connected()
    assert ask(setting.port).content == b"<h1>home</h1>"
    for port in ports:
        assert ask(port).content == b"<h1>second</h1>"


@pytest.mark.parametrize("settings, line, words", [
    (["AllowTcpForwarding no"], None, "AllowTcpForwarding"),
    (["AllowTcpForwarding local"], None, "AllowTcpForwarding"),
    (["PermitListen 127.0.0.1:1"], None, "PermitListen"),
    ([], 'restrict,port-forwarding,permitlisten="127.0.0.1:1"', "permitlisten"),
    ([], "restrict", "port-forwarding"),
])
def test_a_forward_that_is_not_allowed_names_the_setting(setting, settings, line, words):
    server = setting.sshd(*settings)
    agent = setting.agent(server)
    printed = agent.wait_for_event("agent.ssh_key")["authorized_keys"]
    server.authorize(printed if line is None else f"{line} {printed.split(' ', 1)[1]}")
    told = agent.wait_for_event("agent.not_connected", cause="forward_refused")
    assert words in told["advice"] and printed in told["advice"] and told["level"] == "error"
    assert agent.program.running


def test_an_address_that_came_out_differently(in_process):
    """GatewayPorts no: sshd listens on its loopback, whatever was asked for, and doesn't say so."""
    server = in_process.sshd()
    server.stop()
    server.settings = [f"ListenAddress 127.0.0.2:{server.port}"]
    server.start()
    agent = in_process.agent(server, hostname="127.0.0.2", remote_ip_address="*")
    let_in(server, agent)
    agent.wait_until_connected()
    told = agent.wait_for_event("agent.ssh_not_public")
    assert told["listen"] == f"*:{in_process.port}" and "GatewayPorts clientspecified" in told["advice"]
    agent.stop()
    server.stop()
    server.settings.append("GatewayPorts clientspecified")
    server.start()
    agent.start()
    agent.wait_until_connected()
    assert ask(in_process.port, host="127.0.0.2").status == 200
    assert not agent.program.events("agent.ssh_not_public")


def test_a_port_that_came_out_open_to_all(in_process):
    """GatewayPorts yes: sshd listens on every address, though its loopback was asked for."""
    server = in_process.sshd()
    server.stop()
    server.settings = [f"ListenAddress 127.0.0.2:{server.port}", "GatewayPorts yes"]
    server.start()
    agent = in_process.agent(server, hostname="127.0.0.2")
    let_in(server, agent)
    agent.wait_until_connected()
    told = agent.wait_for_event("agent.ssh_open_to_all")
    assert told["listen"] == f"127.0.0.1:{in_process.port}" and told["address"] == "127.0.0.2" and "GatewayPorts no" in told["advice"]
    assert ask(in_process.port).status == 200


def test_silence_is_noticed(setting):
    server = setting.sshd()
    agent = setting.agent(server, other_ssh_options=f"{ENGINES[setting.engine]} -o ServerAliveInterval=1 -o ServerAliveCountMax=2")
    let_in(server, agent)
    agent.wait_until_connected()
    stopped = server.sessions()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert agent.wait_for_event("agent.disconnected")["reason"] == "ended"
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: len(agent.program.events("agent.connected")) >= 2, "connected again")
    assert ask(setting.port).status == 200


def test_the_reverse_tunnel_add_on_and_a_given_key(setting, tmp_path):
    """Its options.json; the key pasted into one line, as the add-on's form makes it."""
    key = make_key(tmp_path / "given")
    server = setting.sshd()
    server.authorize((tmp_path / "given.pub").read_text().strip())
    port = free_port()
    agent = setting.world.agent(username=USER, private_key=" ".join(key.read_text().split("\n")), password=None, server={"host": "127.0.0.1", "port": port},
                                ssh_port=server.port, services={"homeassistant": setting.origin.url}, other_ssh_options=ENGINES[setting.engine])
    agent.wait_until_connected()
    assert agent.wait_for_event("agent.forward")["target"] == "homeassistant"
    assert ask(port).content == b"<h1>home</h1>"
    assert not (agent.state_dir / "agent.key").exists(), "it has a key, and makes none"
    assert not [line for line in agent.program.lines if key.read_text().split("\n")[2] in line]


@pytest.mark.parametrize("kind, bits", [("rsa", 3072), ("ecdsa", 256)])
def test_other_kinds_of_keys(in_process, tmp_path, kind, bits):
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", str(bits), "-N", "", "-f", tmp_path / "given"], check=True, timeout=120)
    server = in_process.sshd()
    server.authorize((tmp_path / "given.pub").read_text().strip())
    in_process.agent(server, private_key_file=str(tmp_path / "given")).wait_until_connected()
    assert ask(in_process.port).status == 200


def test_force_keygen_makes_a_key_once(in_process):
    server = in_process.sshd()
    agent = in_process.agent(server, force_keygen=False)
    agent.wait_for_event("agent.ssh_engine")
    keys = []
    for force in (False, True, True, False, True):
        agent.stop()
        agent.config["force_keygen"] = force
        agent.start()
        agent.wait_for_event("agent.ssh_engine")
        keys.append((agent.state_dir / "agent.key").read_text())
    assert keys[0] != keys[1] and keys[1] == keys[2] == keys[3] and keys[3] != keys[4]


def test_several_servers_all_of_them(setting):
    servers = [setting.sshd(), setting.sshd()]
    port = free_port()
    ports = [free_port(), free_port()]
    agent = setting.world.agent(username=USER, other_ssh_options=ENGINES[setting.engine], local_ip_address="127.0.0.1", local_port=int(setting.origin.url.rsplit(":", 1)[1]),
                                servers=[{"name": f"s{n}", "hostname": "127.0.0.1", "ssh_port": server.port, "remote_port": ports[n]} for n, server in enumerate(servers)])
    del port
    for server in servers:
        line = agent.wait_for_event("agent.ssh_key", relay=f"ssh://{USER}@127.0.0.1:{server.port}")["authorized_keys"]
        server.authorize(line)
    for server, port in zip(servers, ports):
        agent.wait_for_event("agent.connected", relay=f"ssh://{USER}@127.0.0.1:{server.port}")
        assert ask(port).status == 200
    servers[0].stop()
    agent.wait_for_event("agent.disconnected")
    assert ask(ports[1]).status == 200


def test_several_servers_one_after_the_other(in_process):
    servers = [in_process.sshd(), in_process.sshd()]
    port = free_port()
    agent = in_process.world.agent(username=USER, remote_port=port, servers_up="one", servers=",".join(f"127.0.0.1:{server.port}" for server in servers),
                                   local_ip_address="127.0.0.1", local_port=int(in_process.origin.url.rsplit(":", 1)[1]))
    line = agent.wait_for_event("agent.ssh_key")["authorized_keys"]
    for server in servers:
        server.authorize(line)

    def used(after=0):
        return int(agent.wait_until_connected(after=after)["relay"].rsplit(":", 1)[1])

    used_first = used()
    assert ask(port).status == 200
    assert not agent.program.events("agent.disconnected") and len(agent.program.events("agent.connected")) == 1
    first = next(server for server in servers if server.port == used_first)
    mark = agent.program.mark()
    first.stop()
    assert used(mark) != used_first
    assert ask(port).status == 200


def test_what_is_wrong_with_the_way_there_is_said_plainly(in_process):
    web = in_process.origin
    nobody = free_port()
    for options, cause, words in [
            ({"hostname": "nobody.invalid"}, "network", "there is no host called nobody.invalid"),
            ({"hostname": "127.0.0.1", "ssh_port": nobody}, "network", "nobody listens at"),
            ({"hostname": "127.0.0.1", "ssh_port": int(web.url.rsplit(":", 1)[1])}, "no_ssh", "")]:
        agent = in_process.world.agent(name=f"n{options.get('ssh_port', 0)}", username=USER, other_ssh_options="-o ConnectTimeout=1", **options)
        told = agent.wait_for_event("agent.not_connected")
        assert told["cause"] == cause and words in told["reason"], told
        agent.stop()


class Talker:
    """Says one line to whoever connects."""

    def __init__(self, line):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._line = line
        threading.Thread(target=self._talk, daemon=True).start()

    def _talk(self):
        kept = []
        with contextlib.suppress(OSError):
            while True:
                kept.append(self._listener.accept()[0])
                kept[-1].sendall(self._line)

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def test_a_server_that_is_not_ssh(in_process):
    talker = in_process.world.keep_origin(Talker(b"220 mail.example.test ESMTP\r\n"))
    agent = in_process.world.agent(hostname="127.0.0.1", ssh_port=talker.port, username=USER)
    told = agent.wait_for_event("agent.not_connected", cause="no_ssh")
    assert "is no SSH server" in told["reason"] and "220 mail" in told["reason"] and "ssh_port" in told["advice"]


def test_skip_remote_host_checks_skips_only_the_look_before(in_process):
    server = in_process.sshd()
    agent = in_process.connected(server, skip_remote_host_checks=True)
    assert not agent.program.events("agent.ssh_seen")
    assert agent.program.events("agent.ssh_key_noted"), "the host key is looked at all the same"
    agent.restart()
    agent.wait_until_connected()
    agent.stop()
    agent.config["skip_remote_host_checks"] = False
    agent.start()
    agent.wait_until_connected()
    assert agent.program.events("agent.ssh_seen")


def test_a_dead_agent_takes_its_ssh_with_it(world):
    setting = Setting(world, "ssh")
    server = setting.sshd()
    agent = setting.connected(server)
    agent.kill()
    wait_until(lambda: refuses(setting.port), "the port is closed")
    agent.start()
    agent.wait_until_connected()
    assert ask(setting.port).status == 200


def test_options_that_only_ssh_knows(world, tmp_path):
    """A ProxyCommand is what many need it for; and no secret stands in the arguments."""
    setting = Setting(world, "ssh")
    server = setting.sshd()
    bridge = tmp_path / "bridge.py"
    bridge.write_text("import socket,sys,threading,os\ns=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
                      "def up():\n  while d:=os.read(0,65536): s.sendall(d)\n  s.shutdown(1)\n"
                      "threading.Thread(target=up,daemon=True).start()\nwhile d:=s.recv(65536): os.write(1,d)\n")
    agent = setting.agent(server, other_ssh_options=f"-o 'ProxyCommand=/usr/bin/python3 {bridge} %h %p'")
    let_in(server, agent)
    agent.wait_until_connected()
    why = agent.wait_for_event("agent.ssh_engine")
    assert why["engine"] == "ssh" and "ProxyCommand" in why["why"]
    assert ask(setting.port).status == 200


def test_ssh_says_why_it_does_not_take_an_option(world):
    setting = Setting(world, "ssh")
    server = setting.sshd()
    agent = setting.agent(server, other_ssh_options="-o NoSuchOption=yes")
    told = agent.wait_for_event("agent.not_connected", cause="setup")
    assert "nosuchoption" in told["reason"].lower() and "other_ssh_options" in told["advice"]


def test_flags_and_variables(in_process):
    server = in_process.sshd()
    port = free_port()
    destination = in_process.origin.url.removeprefix("http://")
    agent = in_process.world.agent(words=["--hostname", "127.0.0.1", "--ssh-port", str(server.port), "--remote-forwarding", f"127.0.0.1:{port}:{destination}"],
                                   env={"SALLYPORT_USERNAME": USER, "SALLYPORT_HOST_KEY": server.public_host_key()})
    let_in(server, agent)
    agent.wait_until_connected()
    assert ask(port).status == 200


def test_home_comes_and_goes(in_process):
    """The forward stays; visitors are cut off while nobody answers at home."""
    server = in_process.sshd()
    in_process.connected(server)
    assert ask(in_process.port).status == 200
    port = int(in_process.origin.url.rsplit(":", 1)[1])
    in_process.origin.stop()
    with pytest.raises(AssertionError):
        ask(in_process.port)
    in_process.origin = in_process.world.origin(HomeApp("back"), port=port)
    assert ask(in_process.port).content == b"<h1>back</h1>"


def test_the_hardened_server_of_the_page(setting):
    server = setting.sshd()
    server.stop()
    port = free_port()
    block = front_proxies.fitted(front_proxies.example("sshd_config.d/home.conf", front_proxies.DOCS / "ssh.md"), {"User home": f"User {USER}", "127.0.0.1:8123": f"127.0.0.1:{port}"})
    server.appendix = block
    server.start()
    setting.connected(server, remote_port=port)
    assert ask(port).status == 200


def test_a_home_assistant_that_lets_the_internet_in_is_not_served(in_process):
    """Nobody else is there to see to it: with the login provider trusted_networks a visitor would be a user at home."""
    double = in_process.world.keep_origin(HomeAssistant(trusted_networks=["127.0.0.0/8"]))
    server = in_process.sshd()
    agent = in_process.agent(server, local_ip_address=None, local_port=None, services={"homeassistant": double.url})
    let_in(server, agent)
    agent.wait_until_connected()
    assert agent.wait_for_event("agent.home_assistant")["trusted_networks"] == "yes"
    for _ in range(2):
        with pytest.raises(AssertionError):
            ask(in_process.port)
    agent.stop()
    agent.config.update(local_ip_address="127.0.0.1", local_port=int(double.url.rsplit(":", 1)[1]))
    agent.start()
    agent.wait_until_connected()
    assert ask(in_process.port).status == 200, "its owner has named it"


def test_home_assistant_is_found_and_asked(in_process):
    double = in_process.world.keep_origin(HomeAssistant(use_x_forwarded_for=True, trusted_proxies=["127.0.0.1"]))
    server = in_process.sshd()
    agent = in_process.agent(server, local_ip_address=None, local_port=None, services={"homeassistant": double.url})
    let_in(server, agent)
    assert agent.wait_for_event("agent.forward")["target"] == "homeassistant"
    assert agent.wait_for_event("agent.home_assistant")["forwarded_for"] == "accepted"
    assert b"<home-assistant>" in ask(in_process.port).content


def doctor(agent, *words):
    """(exit code, the steps by name, the first that failed)"""
    answer = subprocess.run([BINARY, "doctor", "--config", agent.folder / f"agent-{agent.name}.yaml", "--state-dir", agent.state_dir, "--json", *words],
                            env=clean_environment(), capture_output=True, text=True, timeout=100)
    report = json.loads(answer.stdout)
    return answer.returncode, {step["step"]: step for step in report["steps"]}, report["first_failed"]


def test_the_doctor_names_the_hop(in_process):
    server = in_process.sshd()
    agent = in_process.agent(server, local_ip_address=None, local_port=None, services={"homeassistant": in_process.origin.url})
    line = agent.wait_for_event("agent.ssh_key")["authorized_keys"]
    agent.wait_for_event("agent.not_connected", cause="key_refused")
    code, steps, failed = doctor(agent)
    assert (code, failed) == (1, "credential") and line in steps["credential"]["cure"]
    assert steps["ssh"]["result"] == "ok" and steps["ssh"]["facts"]["fingerprint"] == server.fingerprint()

    server.authorize(line)
    agent.wait_until_connected()
    code, steps, failed = doctor(agent)
    assert (code, failed) == (0, None), steps
    assert {name for name, step in steps.items() if step["result"] != "ok"} == {"relay_view"}, steps
    assert agent.program.running and not agent.program.events("agent.disconnected"), "it takes nothing from a running agent"

    agent.stop()
    code, steps, failed = doctor(agent)
    assert (code, failed) == (0, None) and steps["tunnel"]["facts"]["agent_runs"] is False and steps["public_way"]["result"] == "skipped"

    server.stop()
    server.change_host_key()
    server.settings = ["AllowTcpForwarding no"]
    server.start()
    code, steps, failed = doctor(agent)
    assert (code, failed) == (1, "ssh") and "agent trust 127.0.0.1" in steps["ssh"]["cure"]
    assert trust(agent, "127.0.0.1").returncode == 0
    code, steps, failed = doctor(agent)
    assert (code, failed) == (1, "tunnel") and "AllowTcpForwarding" in steps["tunnel"]["cure"]
    server.stop()
    assert doctor(agent)[2] == "tcp"


def test_the_first_start_looks_at_the_whole_way(in_process):
    server = in_process.sshd()
    agent = in_process.connected(server, first_look=True)
    assert agent.wait_for_event("agent.first_look")["result"] == "ok"


@pytest.mark.sanitize
def test_a_relay_of_ours_takes_it_as_it_takes_any_client(setting):
    """The same agent, by SSH: its key and its route are the relay's affair, and it says so."""
    relay = setting.world.relay(ssh_listen="127.0.0.1:0")
    port = next(int(event["address"].rsplit(":", 1)[1]) for event in relay.program.events("relay.listening") if event["listener"] == "ssh")
    agent = setting.world.agent(hostname="127.0.0.1", ssh_port=port, username="home", remote_ip_address="home.example.test", remote_port=80,
                                services={"homeassistant": setting.origin.url}, other_ssh_options=ENGINES[setting.engine])
    line = agent.wait_for_event("agent.ssh_key")["authorized_keys"]
    told = agent.wait_for_event("agent.not_connected", cause="key_refused")
    key = line[line.index("ssh-ed25519"):]
    if setting.engine == "libssh":
        assert "agent add NAME --ssh-key" in told["advice"] and key.split(" ")[1] in told["advice"]
    relay.add_agent("home", ["home.example.test"], [], "--ssh-key", key)
    agent.wait_until_connected()
    relay.wait_for_event("tunnel.opened", agent="home")
    answer = curl(relay.port, setting.world.authority.file, "/", hostname="home.example.test")
    assert answer.status == 200 and answer.content == b"<h1>home</h1>"
    agent.config["remote_ip_address"] = "other.example.test"
    agent.restart()
    told = agent.wait_for_event("agent.not_connected", cause="forward_refused")
    assert "no route of this agent has the name other.example.test" in told["reason"], told


@pytest.mark.sanitize
def test_it_stops_in_order_with_visitors_there(setting):
    server = setting.sshd()
    agent = setting.connected(server)
    with Visitor(setting.port, "home", tls=False) as hanging, Visitor(setting.port, "home", tls=False) as idle:
        hanging.request(path="/hang")
        idle.request(path="/")
        assert idle.read_response().status == 200
        assert agent.stop() == 0
        assert hanging.socket.recv(1) == b""
    assert agent.program.events("agent.stopped") and agent.program.events("agent.disconnected")[-1]["reason"] == "stopped"
    wait_until(lambda: refuses(setting.port), "the port is closed")


@pytest.fixture
def proxied(in_process, authority):
    """nginx by the example of docs/ssh.md in front of the port that the agent opened."""
    server = in_process.sshd()
    in_process.connected(server)
    certificate = authority.issue("home.example.test", stem="behind-ssh")
    in_process.proxy = in_process.world.keep_origin(front_proxies.nginx_before_ssh(in_process.world.folder, in_process.port, certificate))
    return in_process


def test_a_reverse_proxy_in_front_serves_pages_and_websockets(proxied, authority):
    port = proxied.proxy.port
    answer = curl(port, authority.file, "/", hostname="home.example.test")
    assert answer.status == 200 and answer.content == b"<h1>home</h1>"
    seen = json.loads(curl(port, authority.file, "/echo", hostname="home.example.test").content)
    fields = {name.lower(): value for name, value in seen["headers"]}
    assert fields["x-forwarded-for"] == "127.0.0.1" and fields["x-forwarded-proto"] == "https" and fields["host"] == "home.example.test"

    async def talk():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
            url = f"https://127.0.0.1:{port}/ws"
            async with session.ws_connect(url, headers={"Host": "home.example.test"}) as websocket:
                for number in range(50):
                    await websocket.send_str(f"message {number}")
                    assert (await websocket.receive(timeout=30)).data == f"message {number}"
    asyncio.run(talk())
