"""A real sshd with its own host key and one account: ours, on a port of 127.0.0.1 that was free a moment ago."""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

import pytest

from support.processes import Program, wait_until
from support.relay import free_port

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
PRIVILEGE_SEPARATION = "/run/sshd"  # compiled into Debian's sshd; missing where none has been started as a service
USER = pwd.getpwuid(os.geteuid()).pw_name


def make_key(file, kind="ed25519", bits=None):
    length = ["-b", str(bits)] if bits else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *length, "-N", "", "-C", "test", "-f", str(file)], check=True, timeout=120)
    return file


def fingerprint(file):
    shown = subprocess.run(["ssh-keygen", "-lf", str(file)], check=True, timeout=60, capture_output=True, text=True)
    return shown.stdout.split()[1]


def _descendants(pid):
    found = []
    with contextlib.suppress(OSError):
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [*_descendants(int(child)), int(child)]
    return found


class Sshd:
    """`settings` are lines of sshd_config. Stopped by World.keep_origin()."""

    def __init__(self, folder, *settings, port=None):
        if not SSHD:
            pytest.skip("sshd is not installed (./dev test installs it)")
        if os.geteuid() == 0:
            os.makedirs(PRIVILEGE_SEPARATION, mode=0o755, exist_ok=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self.settings = list(settings)
        self.appendix = ""  # Match blocks
        self.authorized_keys = folder / "authorized_keys"
        self.authorized_keys.write_text("")
        self.host_key = make_key(folder / "host_key")
        self.port = port or free_port()
        self._starts = 0
        self.start()

    def start(self):
        config = self.folder / "sshd_config"
        config.write_text("\n".join([
            *self.settings,  # in front: the first value of a setting counts
            f"ListenAddress 127.0.0.1:{self.port}", f"HostKey {self.host_key}", f"AuthorizedKeysFile {self.authorized_keys}", "PidFile none", "UsePAM no",
            "StrictModes no", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", "LogLevel VERBOSE", self.appendix, ""]))
        self._starts += 1
        self.program = Program("sshd", [SSHD, "-D", "-e", "-f", config], log_path=self.folder / f"sshd-{self._starts}.log")
        self.program.wait_for_line(lambda line: line.startswith("Server listening on"), "sshd listens")

    def authorize(self, line):
        self.authorized_keys.write_text(self.authorized_keys.read_text() + line + "\n")

    def public_host_key(self):
        return (self.folder / "host_key.pub").read_text().strip()

    def fingerprint(self):
        return fingerprint(self.folder / "host_key.pub")

    def change_host_key(self):
        (self.folder / "host_key").unlink()
        (self.folder / "host_key.pub").unlink()
        make_key(self.host_key)

    def sessions(self):
        """Processes that serve connections, children first."""
        return _descendants(self.program.pid)

    def kill_sessions(self):
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.sessions(), "sshd's sessions are gone")

    def stop(self):
        """With all its connections."""
        if self.program.running:
            sessions = self.sessions()
            self.program.signal(signal.SIGTERM)
            for pid in sessions:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.program.stop()
