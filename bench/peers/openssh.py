"""(b) what people do today: a public sshd, and `ssh -R` from home, with both at their defaults (cipher, windows)."""
import os
import pwd
import re

from .process import Process, free_port, run

SSHD = "/usr/sbin/sshd"
PRIVILEGE_SEPARATION = "/run/sshd"  # compiled into Debian's sshd; missing where no sshd has been started as a service

_SSHD_CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/client_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel ERROR
"""


class OpenSsh:
    """sshd and one ssh that forwards a port of sshd's machine to each of `targets`. Use as a context manager."""

    def __init__(self, folder, targets):
        self.folder = os.path.join(folder, "openssh")
        os.mkdir(self.folder)
        for key in ("host_key", "client_key"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(self.folder, key)], seconds=20)
        self._made_folder = self._make_privilege_separation_folder()
        self._sshd = self._start_sshd()
        try:
            self._ssh = self._start_ssh(targets)
            said = [self._ssh.wait_for_output(re.compile(rf"Allocated port (\d+) for remote forward to 127\.0\.0\.1:{target}\b"))
                    for target in targets]
        except BaseException:
            self.__exit__()
            raise
        self.ports = [int(match[1]) for match in said]
        self.pids = [self._sshd.pid, self._ssh.pid]

    @staticmethod
    def _make_privilege_separation_folder():
        if os.geteuid() != 0 or os.path.isdir(PRIVILEGE_SEPARATION):
            return False
        os.mkdir(PRIVILEGE_SEPARATION, 0o755)
        return True

    def _start_sshd(self):
        self.port = free_port()
        config = os.path.join(self.folder, "sshd_config")
        with open(config, "w", encoding="utf-8") as file:
            file.write(_SSHD_CONFIG.format(port=self.port, folder=self.folder))
        sshd = Process("sshd", [SSHD, "-D", "-e", "-f", config], self.folder)
        sshd.wait_for_port(self.port)
        return sshd

    def _start_ssh(self, targets):
        forwards = [argument for target in targets for argument in ("-R", f"127.0.0.1:0:127.0.0.1:{target}")]
        return Process("ssh", [
            "ssh", "-F", "/dev/null", "-N", "-T", "-p", str(self.port), "-i", os.path.join(self.folder, "client_key"),
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes",
            "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.folder}/known_hosts",
            *forwards, f"{pwd.getpwuid(os.geteuid()).pw_name}@127.0.0.1"], self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (getattr(self, "_ssh", None), self._sshd):
            if process:
                process.stop()
        if self._made_folder:
            os.rmdir(PRIVILEGE_SEPARATION)
