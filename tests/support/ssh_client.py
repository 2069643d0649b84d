"""Stock SSH clients (ssh, autossh) of a relay that listens for them: keys, known hosts, forwards; no file of the user's own is read."""
import shutil
import signal
import subprocess

import pytest

from conftest import HOSTNAME, Tunnel
from support.processes import DEADLINE_S, Program, parse_event
from support.relay import free_port
from support.sshd import make_key

def public_file(key):
    return key.with_name(key.name + ".pub")


def public_half(key):
    return public_file(key).read_text().strip()


def origin_port(origin):
    return int(origin.url.rsplit(":", 1)[1])


class Client(Program):
    """A running ssh or autossh."""

    def stop(self, deadline_s=15):
        self.signal(signal.SIGCONT)  # a test may have stopped it, and it could hear nothing
        return super().stop(deadline_s)

    def wait_for_forward(self, after=0):
        """Until ssh itself says that a forward stands."""
        return self.wait_for_line(lambda line: "remote forward success" in line, "a forward", after=after)[1]


class SshRelay:
    """A relay with ssh_listen (or `port` where it listens without being told to); homes are added with keys made here. `tunnel`
    is for visitors."""

    def __init__(self, world, port=None, **config):
        if not shutil.which("ssh"):
            pytest.skip("ssh is not installed (./dev test installs it)")
        self.world = world
        self.port = port or free_port()
        if not port:
            config["ssh_listen"] = f"127.0.0.1:{self.port}"
        self.relay = world.relay(**config)
        self.known_hosts = self.relay.folder / "known_hosts"
        self.known_hosts.write_text(self.relay.admin_json("status")["ssh"]["known_hosts"] + "\n")
        self.tunnel = Tunnel(world, self.relay, None, HOSTNAME)
        self._clients = 0

    def key(self, name, *kind):
        return make_key(self.relay.folder / f"{name}.key", *kind)

    def add(self, agent="home", hostnames=(HOSTNAME,), options="", key=None):
        """An agent with an SSH key, and the file of its private half."""
        key = key or self.key(agent)
        words = [word for hostname in hostnames for word in ("--hostname", hostname)]
        self.relay.admin("agent", "add", agent, *words, "--ssh-key", f"{options} {public_half(key)}".strip())
        return key

    def argv(self, key, *words, user="home", program=("ssh",)):
        return [*program, "-F", "none", "-p", str(self.port), "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "GlobalKnownHostsFile=none",
                *map(str, words), f"{user}@{self.relay.host}"]

    def run(self, key, *words, command=(), input=None, env=None, **options):
        """Runs ssh to its end. `command` stands behind the host."""
        return subprocess.run([*self.argv(key, *words, **options), *command], stdin=subprocess.DEVNULL if input is None else None, input=input,
                              capture_output=True, text=True, timeout=DEADLINE_S, env=env)

    def start(self, key, *words, env=None, **options):
        """ssh beside the test, ended after it."""
        self._clients += 1
        client = Client(f"ssh {self._clients}", self.argv(key, "-v", *words, **options), env=env, log_path=self.relay.folder / f"ssh-{self._clients}.log")
        return self.world.keep_origin(client)

    def forward(self, key, *forwards, words=(), **options):
        """`ssh -N -R … -R …`, all of which the relay accepts."""
        mark = self.relay.program.mark()
        asked = [word for forward in forwards for word in ("-R", forward)]
        client = self.start(key, "-N", *asked, *words, "-o", "ExitOnForwardFailure=yes", **options)
        for _ in forwards:
            mark = self.wait_for("ssh.forward_opened", mark)
        return client

    def wait_for(self, event, after=0, **fields):
        """Where the relay's log stands behind that event."""
        def is_it(line):
            found = parse_event(line)
            return found.get("event") == event and all(found.get(key) == str(value) for key, value in fields.items())
        return self.relay.program.wait_for_line(is_it, f"event={event} {fields}", after=after)[0] + 1

    def page(self, hostname=HOSTNAME):
        """What a visitor sees: the name of the home, or a status."""
        answer = self.tunnel.ask(hostname=hostname)
        return answer.content.decode().removeprefix("<h1>").removesuffix("</h1>") if answer.status == 200 else answer.status

    def live(self, agent="home"):
        return self.relay.admin_json("agent", "show", agent)["agent"]["tunnel"]
