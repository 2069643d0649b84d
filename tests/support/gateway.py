"""A real `sallyport gateway` in front of a real sshd, which runs as whoever runs the tests, with keys and a home folder of its own."""
import getpass
import json
import os
import pathlib
import random
import socket
import subprocess
import urllib.request

from support.processes import DEADLINE_S, Program, wait_until
from support.relay import BINARY, clean_environment

USER = getpass.getuser()


def quiet_port():
    """A free port below those that the kernel gives to outgoing connections: nobody takes it before it is listened on."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def make_key(folder, name, kind="ed25519", bits=None, comment="test"):
    """A key pair in `folder`; the private key's path."""
    path = pathlib.Path(folder) / name
    size = ["-b", str(bits)] if bits else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", comment, "-f", path], check=True, stdin=subprocess.DEVNULL)
    return path


def public(key):
    return pathlib.Path(f"{key}.pub").read_text().strip()


def fingerprint(key):
    return subprocess.run(["ssh-keygen", "-l", "-f", f"{key}.pub"], check=True, capture_output=True, text=True).stdout.split()[1]


class RunningSshd:
    """`authorized` are lines for the user's authorized_keys. `home` is $HOME of what it runs (not the working folder)."""

    def __init__(self, folder, authorized=(), port=None, **options):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.home = self.folder / "home"
        (self.home / ".ssh").mkdir(parents=True, exist_ok=True)
        (self.home / ".bashrc").write_text("PS1='$ '\n")
        self.port = port or quiet_port()
        self.host_key = self.folder / "host_key"
        if not self.host_key.exists():
            make_key(self.folder, "host_key")
        self.authorize(*authorized)
        self.options = {
            "Port": self.port, "ListenAddress": "127.0.0.1", "HostKey": self.host_key, "PidFile": "none",
            "AuthorizedKeysFile": self.home / ".ssh" / "authorized_keys", "StrictModes": "no", "UsePAM": "no",
            "PasswordAuthentication": "no", "PermitRootLogin": "yes", "AllowTcpForwarding": "yes", "AllowAgentForwarding": "yes",
            "Subsystem": "sftp internal-sftp", "AcceptEnv": "LANG LC_* GREETING", "SetEnv": f"HOME={self.home}",
            "MaxStartups": "1000:30:2000", "MaxSessions": "100", "LogLevel": "VERBOSE", "PrintMotd": "no", "PrintLastLog": "no",
            **options}
        self.starts = 0
        self.start()

    def start(self):
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text("".join(f"{key} {value}\n" for key, value in self.options.items()))
        self.starts += 1
        self.program = Program("sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", config], log_path=self.folder / f"sshd-{self.starts}.log")
        self.program.wait_for_line(lambda line: "Server listening" in line, "sshd listens")

    def authorize(self, *lines):
        """The user's authorized_keys holds these lines from now on."""
        next_file = self.home / ".ssh" / "next"
        next_file.write_text("".join(f"{line}\n" for line in lines))
        next_file.rename(self.home / ".ssh" / "authorized_keys")

    def logins(self):
        return sum("Accepted publickey" in line for line in self.program.lines)

    def known_hosts(self):
        kind, key = public(self.host_key).split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    def stop(self):
        return self.program.kill()


class RunningGateway:
    """`config` holds keys of the configuration file and overrides what a test gateway has by default; None takes a key out."""

    def __init__(self, folder, sshd, env=None, wrapper=(), **config):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state_dir = self.folder / "state"
        self.port = 0
        self.env = clean_environment(**(env or {}))
        self.wrapper = list(wrapper)
        defaults = {
            "remote_host": "127.0.0.1", "remote_port": sshd.port, "host": "127.0.0.1", "port": self.port,
            "state_dir": str(self.state_dir), "host_key_path": str(self.folder / "host_key"), "metrics_listen": "127.0.0.1:0",
            "log_level": "debug", "drain_timeout": "500ms", "max_login_failures": 1000,
        }
        self.config = {key: str(value) if isinstance(value, pathlib.Path) else value
                       for key, value in {**defaults, **config}.items() if value is not None}
        self.known_hosts = self.folder / "client_known_hosts"
        self.starts = 0
        self.start()

    def start(self):
        file = self.folder / "gateway.yaml"
        file.write_text(json.dumps(self.config))
        self.starts += 1
        self.program = Program("gateway", [*self.wrapper, BINARY, "gateway", "--config", file], env=self.env,
                               log_path=self.folder / f"gateway-{self.starts}.log")
        started = self.program.wait_for_event("gateway.started")
        self.port = int(started["listen"].split(",")[0].rsplit(":", 1)[1])

    def stop(self):
        return self.program.stop()

    def restart(self):
        self.stop()
        self.start()

    # --- as a user ---

    def options(self, key=None, agent=None, log="ERROR"):
        """Of ssh, scp and sftp; nothing of the machine's own configuration."""
        words = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", f"LogLevel={log}",
                 "-o", "GlobalKnownHostsFile=none", "-o", f"IdentityAgent={agent or 'none'}", "-o", "ConnectTimeout=30"]
        if key:
            words += ["-o", f"IdentityFile={key}", "-o", "IdentitiesOnly=yes"]
        return [str(word) for word in words]

    def ssh_words(self, *words, key=None, user=USER, agent=None, batch=True, log="ERROR"):
        return ["ssh", *self.options(key, agent, log), *(["-o", "BatchMode=yes"] if batch else []), "-p", str(self.port),
                *(["-l", user] if user is not None else []), *[str(word) for word in words]]

    def ssh(self, *words, key=None, user=USER, agent=None, flags=(), stdin=None, text=True, timeout=DEADLINE_S * 2):
        """Runs ssh to the end. `words` are the command."""
        given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(self.ssh_words(*flags, "127.0.0.1", *words, key=key, user=user, agent=agent),
                              capture_output=True, text=text, timeout=timeout, **given)

    def start_ssh(self, *words, key=None, user=USER, agent=None, flags=(), name="ssh", log="ERROR", stdin=None):
        return Program(name, self.ssh_words(*flags, "127.0.0.1", *words, key=key, user=user, agent=agent, log=log), stdin=stdin)

    # --- what it says about itself ---

    def wait_for_event(self, event, **options):
        return self.program.wait_for_event(event, **options)

    def metrics(self):
        """Prometheus text as {'name{labels}': value}, without the prefix."""
        address = self.program.events("gateway.metrics")[0]["listen"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=DEADLINE_S) as response:
            text = response.read().decode()
        samples = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name.removeprefix("sallyport_gateway_")] = float(value)
        return samples

    def wait_for_metric(self, name, value):
        wait_until(lambda: self.metrics().get(name) == value, f"{name} is {value}")


class RunningAgent:
    """An ssh-agent with these keys."""

    def __init__(self, folder, *keys):
        self.socket = pathlib.Path(folder) / "agent.sock"
        self.program = Program("ssh-agent", ["ssh-agent", "-D", "-a", self.socket])
        wait_until(self.socket.exists, "the agent listens")
        for key in keys:
            subprocess.run(["ssh-add", "-q", key], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(self.socket)})

    def stop(self):
        return self.program.kill()
