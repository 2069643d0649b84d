"""Ours as the far end of stock `ssh -R`: a relay that lets OpenSSH clients in as agents, and a TCP route for each."""
import json
import os

from .process import free_port, run
from .sallyport import Relay


class SshRelay(Relay):
    """A relay with an SSH listener; agents are known by their SSH keys."""

    def __init__(self, binary, folder, certificate, address="127.0.0.1", **config):
        self.ssh_port = free_port()
        super().__init__(binary, folder, certificate, "ssh-relay", address, ssh_listen=f"{address}:{self.ssh_port}", **config)

    def admin(self, *words):
        return json.loads(run([self._binary, "admin", "--state-dir", self.state, "--json", *words], seconds=20))

    def add_ssh_agent(self, name, key_line, hostname=None):
        self.admin("agent", "add", name, "--ssh-key", key_line, *(("--hostname", hostname) if hostname else ()))

    def add_tcp_port(self, agent, address="127.0.0.1"):
        """The port of a new TCP route to the agent, which asks for it by -R."""
        port = free_port()
        self.admin("tcp-route", "add", f"{address}:{port}", agent, str(port))
        return port


def made_in(folder, name):
    path = os.path.join(folder, name)
    os.mkdir(path)
    return path
