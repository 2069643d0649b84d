"""(c) ours: a relay and its agents, enrolled as a person would, through the command line."""
import json
import os
import re

from .process import Process, free_port, run


class Relay(Process):
    """A relay on loopback with its own state folder; no access log, as in the nginx of the other ways."""

    def __init__(self, binary, folder, certificate, name="relay", address="127.0.0.1", **config):
        self._binary = binary
        self.state = os.path.join(folder, name)
        os.mkdir(self.state, 0o700)
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        path = os.path.join(self.state, "relay.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({  # JSON is YAML
                "state_dir": self.state,
                "https_listen": f"{address}:{self.port}",
                "http_listen": "off",
                "metrics_listen": "off",
                "public_url": self.url,
                "certificates": [{"certificate": certificate.file, "key": certificate.key}],
                "access_log": False,
                **config,
            }, file)
        super().__init__(name, [binary, "relay", "--config", path], folder)
        self._wait_until_ready()

    def _wait_until_ready(self):
        self.wait_for_output(re.compile(r"event=relay\.ready\b"))

    def restart(self):
        """As `systemctl restart` does it."""
        self.stop(seconds=60)
        self.start()
        self._wait_until_ready()

    def add_agent(self, name, hostname, target):
        """The enrolment code of a new agent that `hostname` leads to, with `target` as 'name=scheme://host:port'."""
        said = run([self._binary, "admin", "--state-dir", self.state, "--json", "agent", "add", name,
                    "--hostname", hostname, "--target", target], seconds=20)
        return json.loads(said)["enroll"]

    def add_tcp_route(self, agent, target):
        """The port of a new TCP route to that target of the agent."""
        said = run([self._binary, "admin", "--state-dir", self.state, "--json", "tcp-route", "add", "127.0.0.1:0", agent, target], seconds=20)
        return int(json.loads(said)["tcp_route"]["address"].rsplit(":", 1)[1])


IN_FLIGHT = 1000  # requests of one agent: its default of 100 would refuse half of the 200 WebSockets


class Agent(Process):
    def __init__(self, binary, folder, name, enroll, resume_window="60s"):
        state = os.path.join(folder, name)
        os.mkdir(state, 0o700)
        super().__init__(name, [binary, "agent", "--state-dir", state, "--concurrency-limit", str(IN_FLIGHT),
                                "--resume-window", resume_window], folder,
                         env={"SALLYPORT_ENROLL": enroll})

    def wait_until_connected(self, seconds=15):
        self.wait_for_output(re.compile(r"event=agent\.connected\b"), seconds=seconds)
