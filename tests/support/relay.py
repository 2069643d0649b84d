"""A real `sallyport relay` with its own state folder, on ports of 127.0.0.1 that the kernel chose."""
import contextlib
import json
import os
import socket
import subprocess
import urllib.request

from support.processes import DEADLINE_S, Program

BINARY = os.environ.get("SALLYPORT_BINARY", "")


def free_port(host="127.0.0.1"):
    """A port that was free a moment ago: for programs which have to know their public port before they listen."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def clean_environment(**more):
    """Ours without what would configure the program under test."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("SALLYPORT_")}
    return {**inherited, **more}


class RunningRelay:
    """`config` holds keys of the relay's configuration file and overrides what a test relay has by default."""

    def __init__(self, folder, certificates=(), env=None, host="127.0.0.1", binary=BINARY, **config):
        self.folder = folder
        self._binary = binary
        self.state_dir = folder / "relay"
        self.host = host
        self.port = free_port(host)
        self.env = clean_environment(**(env or {}))
        self.config = {
            "state_dir": str(self.state_dir),
            "https_listen": f"{host}:{self.port}",
            "http_listen": "off",
            "metrics_listen": "127.0.0.1:0",
            "public_url": f"https://{host}:{self.port}",
            "certificates": [{"certificate": str(file), "key": str(key)} for file, key in certificates],
            "log_level": "debug",
            "drain_timeout": "500ms",
            "health_interval": "0s",  # a probe is a connection; tests that count those don't expect it (test_health.py does)
            **config,
        }
        if not self.config["certificates"]:
            del self.config["certificates"]
        self._starts = 0
        self.start()

    def start(self):
        """Starts it, again on the same ports: whoever knew the old one finds the new one."""
        config_file = self.folder / "relay.yaml"
        config_file.write_text(json.dumps(self.config))  # JSON is YAML
        self._starts += 1
        self.program = Program(
            "relay", [self._binary, "relay", "--config", config_file], env=self.env, log_path=self.folder / f"relay-{self._starts}.log")
        self.pin = self.program.wait_for_event("relay.ready").get("pin")
        addresses = {event["listener"]: event["address"] for event in self.program.events("relay.listening")}
        self.http_port = int(addresses["http"].rsplit(":", 1)[1]) if "http" in addresses else None
        self.metrics_address = addresses.get("metrics")

    def stop(self):
        return self.program.stop()

    def restart(self):
        self.stop()
        self.start()

    def upgrade(self):
        """Replaces it by itself; what `admin upgrade` answers."""
        answer = self.admin_json("upgrade")
        self.program.replaced_by(answer["pid"])
        return answer

    # --- the command line of its owner ---

    def admin(self, *words, check=True):
        done = subprocess.run(
            [BINARY, "admin", "--state-dir", str(self.state_dir), *map(str, words)],
            capture_output=True, text=True, timeout=DEADLINE_S, env=self.env)
        if check and done.returncode != 0:
            raise AssertionError(f"admin {' '.join(map(str, words))}: exit {done.returncode}: {done.stderr}{done.stdout}")
        return done

    def admin_json(self, *words):
        return json.loads(self.admin("--json", *words).stdout)

    def add_agent(self, name="home", hostnames=("home.example.test",), targets=(), *more):
        """What `agent add` answers: {"agent": …, "enroll": code} and the like. `targets` are NAME=URL words."""
        words = ["agent", "add", name]
        for hostname in hostnames:
            words += ["--hostname", hostname]
        for target in targets:
            words += ["--target", target]
        return self.admin_json(*words, *more)

    # --- what it says about itself ---

    def wait_for_event(self, event, **options):
        return self.program.wait_for_event(event, **options)

    def metrics(self):
        """Prometheus text as {'name{labels}': value}."""
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics", timeout=DEADLINE_S) as response:
            text = response.read().decode()
        samples = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                with contextlib.suppress(ValueError):
                    samples[name] = float(value)
        return samples
