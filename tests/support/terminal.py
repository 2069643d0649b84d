"""A user's terminal with a program in it: a pane of a tmux server of its own, which serves as an emulator independent of ours."""
import os
import pathlib
import signal
import subprocess

from support.processes import DEADLINE_S, wait_until

CONFIGURATION = """\
set -g remain-on-exit on
set -g remain-on-exit-format ''
set -g status off
set -g default-terminal xterm-256color
set -sg escape-time 0
set -g history-limit 5000
set -g update-environment ''
"""
# tmux forgets now and then how a pane's program ended: the program's parent writes it down. $0 is the terminal's folder.
PARENT = """\
sh -c 'echo $$ >"$0/pid"; exec "$@"' "$0" "$@"
echo $? >"$0/status.new"
mv "$0/status.new" "$0/status"
"""
ESCAPE = "\x1e"  # Ctrl-^


class Terminal:
    def __init__(self, folder, argv, columns=80, rows=24, **env):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.socket = folder / "tmux.sock"
        (folder / "tmux.conf").write_text(CONFIGURATION)
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        words = ["env", *(f"{name}={value}" for name, value in env.items()), *[str(word) for word in argv]] if env else [str(word) for word in argv]
        subprocess.run(["tmux", "-u", "-S", self.socket, "-f", folder / "tmux.conf", "new-session", "-d", "-x", str(columns), "-y", str(rows),
                        "sh", "-c", PARENT, str(folder), *words],
                       check=True, env=environment, timeout=DEADLINE_S)

    def _tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, *[str(word) for word in words]], check=True, capture_output=True, text=True, timeout=DEADLINE_S).stdout

    def type(self, text):
        octets = [f"{octet:02x}" for octet in text.encode()]
        for begin in range(0, len(octets), 200):
            self._tmux("send-keys", "-H", *octets[begin:begin + 200])

    def screen(self):
        return self._tmux("capture-pane", "-p")

    def picture(self):
        """Every cell with its style, and where the cursor is."""
        return self._tmux("capture-pane", "-p", "-e") + self._tmux("display-message", "-p", "cursor #{cursor_x},#{cursor_y} #{cursor_flag}")

    def wait_for(self, text, deadline_s=None):
        try:
            wait_until(lambda: text in self.screen(), f"the terminal shows {text!r}", deadline_s)
        except AssertionError:
            raise AssertionError(f"the terminal doesn't show {text!r} but\n{self.screen()}") from None

    def resize(self, columns, rows):
        self._tmux("resize-window", "-x", columns, "-y", rows)

    @property
    def pid(self):
        file = self._folder / "pid"
        wait_until(lambda: file.exists() and file.read_text().endswith("\n"), "the terminal's program runs")
        return int(file.read_text())

    @property
    def dead(self):
        return (self._folder / "status").exists()

    def wait(self):
        """The program's exit status."""
        try:
            wait_until(lambda: self.dead, "the program in the terminal ends")
        except AssertionError:
            raise AssertionError(f"the terminal's program didn't end but shows\n{self.screen()}") from None
        return int((self._folder / "status").read_text())

    def kill_program(self):
        os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: self.dead, "the program in the terminal is gone")

    def stop(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, timeout=DEADLINE_S)
