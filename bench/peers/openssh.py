"""Stock OpenSSH: a public sshd, and `ssh -R` from home, both at their defaults but for what is said (cipher, windows)."""
import os
import pwd
import re

from .process import Process, free_port, run

SSHD = "/usr/sbin/sshd"
PRIVILEGE_SEPARATION = "/run/sshd"  # compiled into Debian's sshd; missing where no sshd has been started as a service

_SSHD_CONFIG = """
ListenAddress {address}:{port}
HostKey {keys.host}
AuthorizedKeysFile {keys.client}.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 200
LogLevel ERROR
Subsystem sftp internal-sftp
"""


def user():
    return pwd.getpwuid(os.geteuid()).pw_name


class Keys:
    """A host key and a client key, Ed25519, in a folder of their own."""

    def __init__(self, folder):
        os.makedirs(folder)
        self.folder = folder
        self.host = os.path.join(folder, "host_key")
        self.client = os.path.join(folder, "client_key")
        for path in (self.host, self.client):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], seconds=20)

    def client_line(self):
        with open(f"{self.client}.pub", encoding="ascii") as file:
            return file.read().strip()


def client_options(known_hosts, key):
    """What every `ssh` of ours is told: nothing of the machine's own configuration, this key, any host key."""
    return ["-F", "/dev/null", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
            "-o", f"UserKnownHostsFile={known_hosts}", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "LogLevel=INFO"]


class Sshd(Process):
    """An sshd that lets its own user in by the client key."""

    def __init__(self, folder, keys, address="127.0.0.1"):
        self._made_folder = self._make_privilege_separation_folder()
        self.port = free_port()
        config = os.path.join(keys.folder, "sshd_config")
        with open(config, "w", encoding="utf-8") as file:
            file.write(_SSHD_CONFIG.format(address=address, port=self.port, keys=keys))
        super().__init__("sshd", [SSHD, "-D", "-e", "-f", config], folder)
        self.wait_for_port(self.port, address=address)

    @staticmethod
    def _make_privilege_separation_folder():
        if os.geteuid() != 0 or os.path.isdir(PRIVILEGE_SEPARATION):
            return False
        os.mkdir(PRIVILEGE_SEPARATION, 0o755)
        return True

    def stop(self, seconds=5):
        super().stop(seconds)
        if self._made_folder:
            os.rmdir(PRIVILEGE_SEPARATION)
            self._made_folder = False


class RemoteForward(Process):
    """One `ssh -N -R` for each line of `forwards` ("127.0.0.1:0:127.0.0.1:80")."""

    def __init__(self, folder, key, port, forwards, address="127.0.0.1", options=(), name="ssh"):
        arguments = [argument for line in forwards for argument in ("-R", line)]
        super().__init__(name, ["ssh", *client_options(os.path.join(folder, "known_hosts"), key), "-N", "-T", "-p", str(port),
                                "-o", "ExitOnForwardFailure=yes", *options, *arguments, f"{user()}@{address}"], folder)

    def allocated_port(self, target):
        """Of a forward that asked for port 0."""
        return int(self.wait_for_output(re.compile(rf"Allocated port (\d+) for remote forward to 127\.0\.0\.1:{target}\b"))[1])


class OpenSsh:
    """sshd and one ssh that forwards a port of sshd's machine to each of `targets`. Use as a context manager."""

    def __init__(self, folder, targets):
        keys = Keys(os.path.join(folder, "openssh"))
        self._sshd = Sshd(keys.folder, keys)
        self._ssh = None
        try:
            self._ssh = RemoteForward(keys.folder, keys.client, self._sshd.port, [f"127.0.0.1:0:127.0.0.1:{target}" for target in targets])
            self.ports = [self._ssh.allocated_port(target) for target in targets]
        except BaseException:
            self.__exit__()
            raise
        self.pids = [self._sshd.pid, self._ssh.pid]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self._ssh, self._sshd):
            if process:
                process.stop()
