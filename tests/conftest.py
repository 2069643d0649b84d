"""Fixtures: every test gets its own relay, agents and origins, all ended after it and looked at for crashes."""
import os
import pathlib

import pytest

from support.agent import RunningAgent
from support.certificates import Authority
from support.origins import AiohttpOrigin, RawOrigin
from support.relay import BINARY, RunningRelay
from support.visitor import Visitor, curl
from support.wan import Wan

HOSTNAME = "home.example.test"
UNDER_SANITIZER = any(word in pathlib.Path(BINARY).parts for word in ("asan", "tsan"))


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Issues the certificates of one run; visitors trust authority.file."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def site_certificate(authority):
    return authority.issue("*.example.test", "example.test", stem="site")


class World:
    """Makes the programs of one test and ends them."""

    def __init__(self, folder, authority, site_certificate):
        if not os.access(BINARY, os.X_OK):
            pytest.fail("SALLYPORT_BINARY names no program: run ./dev test")
        self.folder = folder
        self.authority = authority
        self._site_certificate = site_certificate
        self._programs = []
        self._origins = []

    def relay(self, **config):
        config.setdefault("certificates", [self._site_certificate])
        folder = self.folder / f"r{len(self._programs)}"
        folder.mkdir()
        return self._keep(RunningRelay(folder, **config))

    def agent(self, code=None, **options):
        return self._keep(RunningAgent(self.folder, code, **options))

    def origin(self, make_app, **options):
        self._origins.append(AiohttpOrigin(make_app, **options))
        return self._origins[-1]

    def raw_origin(self, converse, **options):
        self._origins.append(RawOrigin(converse, **options))
        return self._origins[-1]

    def keep_origin(self, origin):
        """Anything with stop()."""
        self._origins.append(origin)
        return origin

    def tunnel(self, *origins, hostname=HOSTNAME, relay=None, agent_config=None, **relay_config):
        """Relay and enrolled agent, connected. Each origin (or URL, or (name, origin)) is a target, named t0, t1, … if it has
        no name; `hostname` leads to the first."""
        relay = relay or self.relay(**relay_config)
        named = [origin if isinstance(origin, tuple) else (f"t{number}", origin) for number, origin in enumerate(origins)]
        targets = [f"{name}={getattr(origin, 'url', origin)}" for name, origin in named]
        code = relay.add_agent("home", [hostname], targets)["enroll"]
        agent = self.agent(code, **(agent_config or {}))
        agent.wait_until_connected()
        relay.wait_for_event("tunnel.opened", agent="home")
        return Tunnel(self, relay, agent, hostname)

    def _keep(self, running):
        self._programs.append(running)
        return running

    def end(self):
        problems = []
        for running in reversed(self._programs):
            program = running.program
            was_running = program.running
            try:
                code = program.stop()
            except AssertionError as error:
                problems.append(str(error))
                continue
            # An agent may just have given up, as some tests want it to; a crash is never wanted.
            if was_running and (code != 0 if isinstance(running, RunningRelay) else code not in (0, 1)):
                problems.append(f"{program.name} ended with {code}; its last lines:\n{program.tail()}")
            report = next((n for n, line in enumerate(program.lines) if "Sanitizer" in line or "runtime error:" in line), None)
            if report is not None:
                problems.append(f"{program.name}:\n" + "\n".join(program.lines[report:report + 60]))
        for origin in self._origins:
            origin.stop()
        if problems:
            pytest.fail("\n".join(problems), pytrace=False)


class Tunnel:
    """One relay, one agent, one public name."""

    def __init__(self, world, relay, agent, hostname):
        self.relay, self.agent, self.hostname = relay, agent, hostname
        self._world = world
        self._visitors = []

    @property
    def trust(self):
        return self._world.authority.file

    def visitor(self, hostname=None, **options):
        options.setdefault("trust", self.trust)
        options.setdefault("host", self.relay.host)
        self._visitors.append(Visitor(self.relay.port, hostname or self.hostname, **options))
        return self._visitors[-1]

    def ask(self, method="GET", path="/", content=None, hostname=None, **fields):
        """One request on a connection of its own."""
        with self.visitor(hostname) as visitor:
            return visitor.ask(method, path, content, **fields)

    def curl(self, path="/", *options, **more):
        more.setdefault("hostname", self.hostname)
        return curl(self.relay.port, self.trust, path, *options, **more)

    def url(self, path="/", scheme="https"):
        return f"{scheme}://{self.hostname}:{self.relay.port}{path}"


@pytest.fixture
def wan():
    """Two namespaces joined by a network that can be made bad."""
    with Wan() as made:
        yield made


@pytest.fixture
def world(tmp_path, authority, site_certificate):
    made = World(tmp_path, authority, site_certificate)
    yield made
    made.end()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the programs' last lines beside a failure."""
    outcome = yield
    report = outcome.get_result()
    world = getattr(item, "funcargs", {}).get("world")
    if report.when == "call" and report.failed and world:
        for running in world._programs:
            report.sections.append((f"log of {running.program.name}", running.program.tail(60)))
