"""A relay is replaced by another process of its program while visitors keep asking: none of them notices."""
import asyncio
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

import pytest
from aiohttp import web

from support.processes import wait_until
from support.relay import BINARY

UPGRADES = 20


class Home:
    """An origin: answers at once, echoes contents, and answers in parts that a test gives out."""

    def __init__(self):
        self.parts = None

    def make_app(self):
        self.go_on = asyncio.Event()
        app = web.Application()
        app.router.add_get("/", self._small)
        app.router.add_post("/echo", self._echo)
        app.router.add_get("/slow", self._slow)
        app.router.add_get("/socket", self._socket)
        return app

    async def _small(self, _request):
        return web.Response(text="here")

    async def _echo(self, request):
        return web.Response(body=await request.read())

    async def _slow(self, request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"begun ")
        await self.go_on.wait()
        await answer.write(b"ended")
        await answer.write_eof()
        return answer

    async def _socket(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket


class Load:
    """Threads that ask without a pause, and count."""

    def __init__(self, tunnel):
        self._tunnel = tunnel
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.answered = 0
        self.failures = []
        work = [self._keep_alive, self._keep_alive, self._afresh, self._with_content]
        self._threads = [threading.Thread(target=self._run, args=(one,), daemon=True) for one in work]
        for thread in self._threads:
            thread.start()

    def _run(self, work):
        while not self._stopping.is_set():
            try:
                work()
            except Exception as error:  # whatever it is, a visitor has seen it
                with self._lock:
                    self.failures.append(repr(error))

    def _ask(self, visitor, *request):
        response = visitor.ask(*request)
        with self._lock:
            if response.status == 200 and response.content == (request[2] if len(request) > 2 else b"here"):
                self.answered += 1
            else:
                self.failures.append(f"{request[:2]}: {response.status} {response.content[:300]!r}")
        return response

    def _keep_alive(self):
        with self._tunnel.visitor() as visitor:
            while not self._stopping.is_set():
                if self._ask(visitor, "GET", "/").value("Connection") == "close":
                    return

    def _afresh(self):
        with self._tunnel.visitor() as visitor:
            self._ask(visitor, "GET", "/")

    def _with_content(self):
        with self._tunnel.visitor() as visitor:
            while not self._stopping.is_set():
                if self._ask(visitor, "POST", "/echo", os.urandom(50_000)).value("Connection") == "close":
                    return

    def wait_for_more(self, count=20):
        wanted = self.answered + count
        wait_until(lambda: self.answered >= wanted or self.failures, f"{wanted} answers")

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)


async def set_event(event):
    event.set()


def open_socket(tunnel, path):
    visitor = tunnel.visitor()
    visitor.request("GET", path, Upgrade="websocket", Connection="Upgrade", Sec_WebSocket_Version="13",
                    Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
    assert visitor.read_head().status == 101
    return visitor


def echo(socket, text):
    """One short text message, masked with zeros, and what comes back (RFC 6455 5.2)."""
    socket.send(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)
    assert socket.read_exactly(2) == bytes([0x81, len(text)])
    return socket.read_exactly(len(text))


def close_socket(socket):
    """The closing handshake (RFC 6455 7), and the end of the connection."""
    socket.send(bytes([0x88, 0x82]) + bytes(4) + (1000).to_bytes(2, "big"))
    assert socket.is_closed_by_peer()
    socket.close()


@pytest.fixture
def home(world):
    """A relay with a short drain, its agent and an origin."""
    made = Home()
    origin = world.origin(made.make_app)
    made.origin = origin
    # Each old process ends as soon as nobody is connected to it.
    made.tunnel = world.tunnel(origin, drain_timeout="60s", offline_grace="30s", threads=2)
    return made


def test_twenty_upgrades_lose_no_request(home):
    tunnel, relay = home.tunnel, home.tunnel.relay
    load = Load(tunnel)
    load.wait_for_more()
    for number in range(UPGRADES):
        relay.admin("agent", "add", f"before{number}")
        answer = relay.upgrade()
        relay.admin("agent", "add", f"after{number}")
        assert [step["text"].split()[0] for step in answer["steps"]] == ["started", "it", "store", "new", "old"]
        load.wait_for_more()
    assert load.failures == []
    load.stop()
    print(f"{load.answered} requests through {UPGRADES} upgrades, {len(load.failures)} failed")
    assert load.failures == []
    names = {agent["name"] for agent in relay.admin_json("agent", "list")["agents"]}
    assert {f"{when}{number}" for when in ("before", "after") for number in range(UPGRADES)} <= names
    assert set(relay.program.wait_for_replaced()) == {0}
    assert relay.program.thread_and_fd_count()[1] < 60, "descriptors pile up from one process to the next"


@pytest.mark.sanitize
def test_what_runs_may_end_in_the_old_process(home):
    tunnel, relay = home.tunnel, home.tunnel.relay
    slow = tunnel.visitor()
    slow.request("GET", "/slow")
    slow.read_until(b"begun ")
    idle = tunnel.visitor()
    assert idle.ask().status == 200
    silent = tunnel.visitor()  # has said nothing yet
    socket = open_socket(tunnel, "/socket")
    assert echo(socket, b"one") == b"one"
    relay.upgrade()
    assert tunnel.ask().status == 200, "the new process serves"
    for visitor in (idle, silent):
        response = visitor.ask()
        assert (response.status, response.value("Connection")) == (200, "close")
        assert visitor.is_closed_by_peer()
    assert echo(socket, b"two") == b"two"
    home.origin.call(set_event(home.go_on))
    assert b"ended" in slow.read_until(b"\r\n0\r\n")
    slow.close()  # else it would get one more request answered
    close_socket(socket)
    assert relay.program.wait_for_replaced() == [0]
    relay.wait_for_event("relay.stopped")




def test_what_lasts_longer_is_cut_in_the_end(world):
    tunnel = world.tunnel(world.origin(Home().make_app), drain_timeout="1s", offline_grace="30s")
    socket, idle = open_socket(tunnel, "/socket"), tunnel.visitor()
    assert idle.ask().status == 200
    tunnel.relay.upgrade()
    assert idle.is_closed_by_peer()
    assert socket.is_closed_by_peer()
    assert tunnel.relay.program.wait_for_replaced() == [0]
    assert tunnel.ask().status == 200


def test_what_the_new_process_revokes_is_cut_in_the_old_one(world):
    tunnel = world.tunnel(world.origin(Home().make_app), drain_timeout="1h", offline_grace="30s")
    relay = tunnel.relay
    socket = open_socket(tunnel, "/socket")
    relay.upgrade()
    assert tunnel.ask().status == 200
    assert echo(socket, b"one") == b"one"
    relay.upgrade()  # the first one is told by way of the second
    assert tunnel.ask().status == 200
    relay.admin("agent", "disable", "home")
    assert socket.is_closed_by_peer()
    socket.close()
    assert relay.program.wait_for_replaced() == [0, 0]


# --- upgrades that fail ---

# A program that begins to replace a relay, and then waits at the step that it is told.
IDLE_SUCCESSOR = """#!/usr/bin/python3
import json, os, signal, socket, sys
channel = socket.socket(fileno=int(sys.argv[sys.argv.index("--upgrade-from") + 1]))
say = lambda kind, **members: channel.send(json.dumps({"kind": kind, **members}).encode())
last_step = os.environ["LAST_STEP"]
if last_step == "exit":
    sys.exit(7)
say("hello", pid=os.getpid(), version="9.9.9")
if last_step == "fail":
    say("failed", detail="no reason at all")
listeners = []
while last_step == "store":
    octets, descriptors, _, _ = socket.recv_fds(channel, 65536, 1)
    listeners += descriptors
    kind = json.loads(octets)["kind"]
    if kind == "listeners_end":
        say("prepared")
    if kind == "store":
        assert len(listeners) >= 3
        print("event=successor.has_store", flush=True)
        break
print("event=successor.waits", flush=True)
signal.pause()
"""


class Replaceable:
    """A relay whose program can be exchanged under its feet, as a package upgrade does it."""

    def __init__(self, world, **options):
        self._program = world.folder / "bin" / "sallyport"
        self._program.parent.mkdir()
        shutil.copy(BINARY, self._program)
        origin = world.origin(Home().make_app)
        self.tunnel = world.tunnel(origin, binary=str(self._program), offline_grace="30s", **options)
        self.relay = self.tunnel.relay

    def install(self, content=None):
        new = self._program.with_suffix(".new")
        if content is None:
            shutil.copy(BINARY, new)
        else:
            new.write_text(content)
            new.chmod(0o755)
        new.rename(self._program)

    def begin_upgrade(self):
        """`admin upgrade` beside the test; call it for its outcome."""
        process = subprocess.Popen(
            [BINARY, "admin", "--state-dir", str(self.relay.state_dir), "upgrade"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=self.relay.env)

        def outcome():
            out, err = process.communicate(timeout=60)
            return process.returncode, out + err
        return outcome

    def serves(self):
        return self.tunnel.ask().status == 200


def api(relay, method, path, content=""):
    """One request to the admin API, without what the command line adds to it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        folder = os.open(relay.state_dir, os.O_PATH)
        connection.connect(f"/proc/self/fd/{folder}/admin.sock")
        os.close(folder)
        connection.sendall(f"{method} /api/v1/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                           f"Content-Length: {len(content)}\r\n\r\n{content}".encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def test_what_can_not_replace_the_relay_leaves_it_as_it_is(world):
    made = Replaceable(world, env={"LAST_STEP": "exit"})
    relay = made.relay
    made.install(IDLE_SUCCESSOR)
    failed = relay.admin("upgrade", check=False)
    assert failed.returncode == 1 and "exit code 7" in failed.stderr
    relay.wait_for_event("relay.upgrade_failed")

    made.install("no program")
    failed = relay.admin("upgrade", check=False)
    assert failed.returncode == 1 and str(world.folder / "bin") in failed.stderr

    made.install()
    config = relay.folder / "relay.yaml"
    good = config.read_text()
    config.write_text("offline_grace: soon\n")
    failed = relay.admin("upgrade", check=False)
    assert failed.returncode == 1 and "relay.yaml:1: offline_grace" in failed.stderr

    config.write_text(json.dumps({**json.loads(good), "certificates": [{"certificate": "/no/such", "key": "/no/such"}]}))
    failed = relay.admin("upgrade", check=False)
    assert failed.returncode == 1 and "/no/such" in failed.stderr
    assert made.serves()
    relay.admin("agent", "add", "changes-work")

    config.write_text(good)
    relay.upgrade()
    assert made.serves()
    relay.admin("agent", "show", "changes-work")


def test_a_failure_that_it_tells_of_is_told(world):
    made = Replaceable(world, env={"LAST_STEP": "fail"})
    made.install(IDLE_SUCCESSOR)
    made.relay.program.signal(signal.SIGUSR2)
    assert made.relay.wait_for_event("relay.upgrade_failed")["detail"] == "no reason at all"
    assert made.serves()


def test_two_upgrades_at_once_are_one_too_many(world):
    made = Replaceable(world, env={"LAST_STEP": "hello"})
    made.install(IDLE_SUCCESSOR)
    first = made.begin_upgrade()
    pid = int(made.relay.wait_for_event("relay.upgrade_begun")["pid"])
    made.relay.wait_for_event("successor.waits")
    second = made.relay.admin("upgrade", check=False)
    assert second.returncode == 1 and "under way" in second.stderr
    os.kill(pid, signal.SIGKILL)
    code, said = first()
    assert code == 1 and "signal 9" in said
    assert made.serves()


def test_a_new_process_killed_with_the_store_in_hand_gives_it_back(world):
    made = Replaceable(world, env={"LAST_STEP": "store"})
    relay = made.relay
    relay.admin("agent", "add", "before")
    made.install(IDLE_SUCCESSOR)
    upgrade = made.begin_upgrade()
    pid = int(relay.wait_for_event("relay.upgrade_begun")["pid"])
    relay.wait_for_event("successor.has_store")

    assert made.serves(), "visitors don't notice"
    refused = api(relay, "POST", "agents", '{"name": "never"}')
    assert refused.startswith("HTTP/1.1 503") and "Retry-After: 1" in refused
    added = subprocess.Popen([BINARY, "admin", "--state-dir", str(relay.state_dir), "agent", "add", "patient"],
                             stdout=subprocess.DEVNULL, env=relay.env)
    os.kill(pid, signal.SIGKILL)
    code, said = upgrade()
    assert code == 1 and "signal 9" in said
    assert added.wait(60) == 0, "the command line tried again"
    names = {agent["name"] for agent in relay.admin_json("agent", "list")["agents"]}
    assert names == {"home", "before", "patient"}
    assert made.serves()

    made.install()
    relay.upgrade()
    assert made.serves()


def test_a_stop_ends_an_upgrade_that_is_under_way(world):
    made = Replaceable(world, env={"LAST_STEP": "store"})
    made.install(IDLE_SUCCESSOR)
    upgrade = made.begin_upgrade()
    pid = int(made.relay.wait_for_event("relay.upgrade_begun")["pid"])
    made.relay.wait_for_event("successor.has_store")
    made.relay.program.signal(signal.SIGTERM)
    code, said = upgrade()
    assert code == 1 and "told to stop" in said
    assert made.relay.program.wait() == 0
    assert not pathlib.Path(f"/proc/{pid}").exists()


def test_the_new_process_may_be_configured_otherwise(world):
    """Other numbers of loops and other addresses; nothing is left open that nobody listens on."""
    made = Replaceable(world, threads=3, http_listen="127.0.0.1:0")
    relay = made.relay
    config = relay.folder / "relay.yaml"
    changes = [
        {"threads": 1},
        {"threads": 4, "http_listen": "off"},
        {"threads": 2, "http_listen": "127.0.0.1:0", "https_listen": f":{relay.port}"},  # beside the one that it replaces
    ]
    for change in changes:
        relay.config.update(change)
        config.write_text(json.dumps(relay.config))
        relay.upgrade()
        assert relay.program.wait_for_replaced() == [0]
        status = relay.admin_json("status")
        assert status["loops"] == relay.config["threads"]
        assert ("http" in {listener["name"] for listener in status["listeners"]}) == (relay.config["http_listen"] != "off")
        for _ in range(8):  # whichever of the sockets the kernel chooses
            assert made.serves()
