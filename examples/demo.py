#!/usr/bin/python3
"""Runs a relay, an agent and a sample home on loopback and says how to visit it; with --check, tries it and stops."""
import argparse
import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import aiohttp

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
import sample_home  # noqa: E402
from support.processes import Program  # noqa: E402

HOSTNAME = "demo.localhost"
CHECK_MIB = 64


class Demo:
    """The three programs and where they keep things. Fields are filled in as start() gets that far."""

    def __init__(self, binary, folder):
        self.binary = pathlib.Path(binary).resolve()
        self.folder = folder
        self.programs = []
        self.port = None
        self.certificate = folder / "relay-certificate.pem"

    def start(self):
        home = self._run("home", [sys.executable, HERE / "sample_home.py"])
        target = "http://" + home.wait_for_event("home.listening")["address"]
        relay = self._start_relay()
        self._start_agent(self._enrolment_code(target))
        relay.wait_for_event("tunnel.opened", agent="demo")
        self.certificate.write_text(served_certificate(self.port))

    def stop(self):
        for program in reversed(self.programs):
            program.stop()

    def url(self, path="/"):
        return f"https://{HOSTNAME}:{self.port}{path}"

    def ended(self):
        """The first program that ended by itself, if any."""
        return next((program for program in self.programs if not program.running), None)

    def _run(self, name, argv, **environment):
        program = Program(name, argv, env={**os.environ, **environment}, log_path=self.folder / f"{name}.log")
        self.programs.append(program)
        return program

    def _start_relay(self):
        self.port = free_port(preferred=8443)
        relay = self._run("relay", [
            self.binary, "relay", "--state-dir", self.folder / "relay",
            "--https-listen", f"127.0.0.1:{self.port}", "--http-listen", "off", "--metrics-listen", "127.0.0.1:0",
            "--public-url", f"https://127.0.0.1:{self.port}"])
        relay.wait_for_event("relay.ready")
        return relay

    def _enrolment_code(self, target):
        added = subprocess.run(
            [self.binary, "admin", "--state-dir", self.folder / "relay", "--json",
             "agent", "add", "demo", "--hostname", HOSTNAME, "--target", f"sample={target}"],
            capture_output=True, text=True, timeout=30)
        if added.returncode != 0:
            raise AssertionError(f"sallyport admin agent add: {added.stderr.strip()}")
        return json.loads(added.stdout)["enroll"]

    def _start_agent(self, code):
        # By the environment: an argument would be visible in the process list.
        self._run("agent", [self.binary, "agent", "--state-dir", self.folder / "agent"], SALLYPORT_ENROLL=code)


def free_port(preferred):
    """The preferred port when nobody listens there, else one the kernel chooses."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]
    raise AssertionError("no free port on 127.0.0.1")


def served_certificate(port):
    """The relay's self-signed certificate, as PEM, for curl's --cacert."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw, context.wrap_socket(raw, server_hostname=HOSTNAME) as tls:
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))


# --- the checks: each is a visitor that verifies the certificate, and answers with a few words for its line ---


async def check_page(visitor, demo):
    async with visitor.get(demo.url("/")) as response:
        text = await response.text()
        expect(response.status == 200 and text == sample_home.PAGE, f"status {response.status}, {len(text)} characters")
    return demo.url("/")


async def check_download(visitor, demo):
    digest, octets = hashlib.sha256(), 0
    async with visitor.get(demo.url(f"/download?mib={CHECK_MIB}")) as response:
        async for chunk in response.content.iter_any():
            digest.update(chunk)
            octets += len(chunk)
    expect(octets == CHECK_MIB << 20, f"{octets} octets came")
    expect(digest.hexdigest() == sample_home.download_sha256(CHECK_MIB), "another hash than the home's")
    return f"{CHECK_MIB} MiB, SHA-256 {digest.hexdigest()[:16]}…"


async def check_upload(visitor, demo):
    async def content():
        for _ in range(CHECK_MIB):
            yield sample_home.BLOCK

    async with visitor.post(demo.url("/upload"), data=content()) as response:
        expect(response.status == 200, f"status {response.status}: {(await response.text())[:200]}")
        got = await response.json()
    expect(got == {"octets": CHECK_MIB << 20, "sha256": sample_home.download_sha256(CHECK_MIB)}, f"the home got {got}")
    return f"{CHECK_MIB} MiB, SHA-256 {got['sha256'][:16]}…"


async def check_websocket(visitor, demo):
    async with visitor.ws_connect(demo.url("/ws")) as websocket:
        for message in ("hello from outside", "x" * 100_000):
            await websocket.send_str(message)
            expect(await websocket.receive_str(timeout=30) == message, "another message came back")
    return "text came back"


CHECKS = {"page": check_page, "download": check_download, "upload": check_upload, "websocket": check_websocket}


def expect(condition, otherwise):
    if not condition:
        raise AssertionError(otherwise)


class Loopback(aiohttp.abc.AbstractResolver):
    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def close(self):
        pass


async def run_checks(demo):
    context = ssl.create_default_context(cafile=demo.certificate)
    connector = aiohttp.TCPConnector(ssl=context, resolver=Loopback())
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=120)) as visitor:
        for name, check in CHECKS.items():
            start = time.monotonic()
            try:
                said = await check(visitor, demo)
            except (AssertionError, aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
                raise AssertionError(f"{name}: {error or type(error).__name__}") from error
            print(f"✓ {name:10} {said}  ({time.monotonic() - start:.1f} s)", flush=True)


# --- the two ways to run ---


def banner(demo):
    return f"""
  Sallyport demo is running.
    page    {demo.url()}
    curl    curl --cacert {demo.certificate} --resolve {HOSTNAME}:{demo.port}:127.0.0.1 {demo.url()}
    state   {demo.folder}
    logs    {demo.folder}/relay.log  agent.log  home.log
    admin   {demo.binary} admin --state-dir {demo.folder}/relay status
    stop    Ctrl-C
"""


def run_until_interrupted(demo):
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    demo.start()
    print(banner(demo), flush=True)
    while not stopping.wait(0.5):
        if ended := demo.ended():
            raise AssertionError(f"the {ended.name} ended by itself; its last lines:\n{ended.tail()}")
    print("stopping")


def check(demo):
    start = time.monotonic()
    demo.start()
    print(f"✓ {'tunnel':10} up after {time.monotonic() - start:.1f} s", flush=True)
    asyncio.run(run_checks(demo))


@contextlib.contextmanager
def demo_folder():
    """One fresh folder under the XDG state folder; a second demo at the same time is refused."""
    state_home = pathlib.Path(os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local/state")
    folder = state_home / "sallyport-demo"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AssertionError(f"another demo is running in {folder}") from None
        for part in ("relay", "agent"):
            shutil.rmtree(folder / part, ignore_errors=True)
        yield folder


@contextlib.contextmanager
def check_folder():
    """A temporary folder; kept for a look when the check fails."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-check-"))
    try:
        yield folder
    except BaseException:
        print(f"state and logs are kept in {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="try page, download, upload and WebSocket, then stop")
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        with check_folder() if options.check else demo_folder() as folder:
            demo = Demo(options.binary, folder)
            try:
                check(demo) if options.check else run_until_interrupted(demo)
            finally:
                demo.stop()
    except (AssertionError, OSError) as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
