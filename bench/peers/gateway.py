"""Ours: a gateway, set up by its environment as an operator would."""
import os
import re

from . import openssh
from .process import Process, free_port


class Gateway(Process):
    """Lets the client key in and logs in to `remote_port` of `remote_host` with the same one."""

    def __init__(self, binary, folder, keys, remote_host, remote_port, name="gateway", **settings):
        self.port = free_port()
        state = os.path.join(folder, name)
        os.mkdir(state, 0o700)
        super().__init__(name, [binary, "gateway"], folder, env={
            "REMOTE_HOST": remote_host,
            "REMOTE_PORT": str(remote_port),
            "REMOTE_IGNORE_HOST_KEY": "true",
            "GATEWAY_AUTHORIZED_KEYS_PATH": f"{keys.client}.pub",
            "GATEWAY_SSH_KEY_PATH": keys.client,
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_HOST_KEY_PATH": os.path.join(state, "host_key"),
            "GATEWAY_DETACH_TIMEOUT": "0s",  # a terminal that is closed ends its session
            "SALLYPORT_STATE_DIR": state,
            **settings})
        self.wait_for_output(re.compile(r"event=gateway\.started\b"))

    def client(self, keys, *command):
        """The argv of a user's ssh."""
        return ["ssh", *openssh.client_options(os.path.join(self._folder, f"{self.name}.known_hosts"), keys.client), "-p", str(self.port),
                f"{openssh.user()}@127.0.0.1", *command]
