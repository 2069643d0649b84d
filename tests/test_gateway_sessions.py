"""Terminals through the gateway: ssh in a real terminal, mosh behind it, sessions that wait for their users."""
import os
import pathlib
import signal
import socket
import subprocess

import pytest

from support.processes import wait_until
from support.terminal import ESCAPE, Terminal
from test_gateway import Site
from support.gateway import public


class Desk(Site):
    """A site with terminals in front of it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.terminals = []

    def usual(self, **config):
        self.remote(public(self.key("own")), public(self.key("alice")), public(self.key("bob")))
        (self.sshd.home / ".profile").write_text("PS1='prompt> '\n")
        (self.sshd.home / ".hushlogin").touch()
        return self.gateway(**{"ssh_key_path": self.key("own"), **config})

    def terminal(self, argv, columns=80, rows=24, **env):
        terminal = Terminal(self.folder / f"terminal-{len(self.terminals)}", argv, columns, rows, **env)
        self.terminals.append(terminal)
        return terminal

    def login(self, gateway, key="alice", flags=(), **given):
        return self.terminal(gateway.ssh_words(*flags, "127.0.0.1", key=self.key(key)), **given)

    def plain_login(self, **given):
        words = ["ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=none",
                 "-o", "LogLevel=ERROR", "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes", "-i", self.key("alice"), "-p", self.sshd.port, "127.0.0.1"]
        return self.terminal(words, **given)

    def stop(self):
        for terminal in self.terminals:
            terminal.stop()
        super().stop()
        for pid in self.mosh_servers():
            os.kill(pid, signal.SIGKILL)

    def mosh_servers(self):
        """Of this site's remote only: what runs with its home."""
        return [pid for pid in processes("mosh-server") if f"HOME={self.sshd.home}".encode() in environment(pid)]


def processes(name, parent=None):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if (entry / "comm").read_text().strip() != name:
                continue
            status = (entry / "status").read_text()
        except OSError:
            continue
        if parent is None or f"PPid:\t{parent}\n" in status:
            found.append(int(entry.name))
    return found


def environment(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.stop()


def shell(terminal):
    """The pid of the shell in it, which is the same as long as the session is."""
    terminal.type("clear; echo pid=$$.\r")
    terminal.wait_for("pid=")
    wait_until(lambda: any(line.startswith("pid=") and line.rstrip().endswith(".") for line in terminal.screen().splitlines()), "the shell's pid")
    return next(line for line in terminal.screen().splitlines() if line.startswith("pid=")).rstrip()


# ---------------------------------------------------------------- one session

def test_a_terminal_goes_by_mosh_with_its_size_and_exit_status(desk):
    gateway = desk.usual()
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>")
    terminal.type("stty size; echo $TERM; test -t 0 && echo tty; shopt -q login_shell && echo login\r")
    for text in ("24 80", "xterm-256color", "tty", "login"):
        terminal.wait_for(text)
    terminal.resize(100, 30)
    terminal.type("clear; stty size\r")
    terminal.wait_for("30 100")
    terminal.type("printf '\\344\\270\\255\\346\\226\\207 \\303\\251\\n'\r")
    terminal.wait_for("\u4e2d\u6587 \u00e9")
    samples = gateway.metrics()
    assert samples['open_sessions{kind="mosh"}'] == 1
    client = processes("mosh-client", gateway.program.pid)
    assert len(client) == 1
    key = next(entry for entry in environment(client[0]) if entry.startswith(b"MOSH_KEY="))[len(b"MOSH_KEY="):]
    assert key not in pathlib.Path(f"/proc/{client[0]}/cmdline").read_bytes()
    terminal.type("exit 37\r")
    assert terminal.wait() == 37
    line = gateway.wait_for_event("gateway.session", kind="mosh")
    assert line["exit"] == "37"
    assert not any(key.decode() in line for line in gateway.program.lines), "the key of mosh stands in no log"
    wait_until(lambda: not processes("mosh-client", gateway.program.pid), "mosh-client is gone")
    wait_until(lambda: not desk.mosh_servers(), "mosh-server is gone")


def test_a_missing_mosh_server_is_told_in_one_line_and_ssh_serves(desk):
    gateway = desk.usual(mosh_server="/nonexistent/mosh-server")
    terminal = desk.login(gateway)
    terminal.wait_for("sallyport: mosh-server is not installed on the remote: using plain SSH")
    terminal.type("stty size; exit 5\r")
    terminal.wait_for("24 80")
    assert terminal.wait() == 5
    assert gateway.wait_for_event("gateway.mosh_failed")["reason"] == "not_installed"
    assert gateway.wait_for_event("gateway.session", kind="shell")["exit"] == "5"


def test_blocked_udp_is_told_and_keys_typed_meanwhile_are_kept(desk):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        fake = desk.folder / "mosh-server"
        fake.write_text(f"#!/bin/sh\necho; echo MOSH CONNECT {silent.getsockname()[1]} ZHkDlFfYLtSGrXSZnd6O/Q\n")
        fake.chmod(0o755)
        gateway = desk.usual(mosh_server=str(fake), mosh_patience="2s")
        terminal = desk.login(gateway)
        gateway.wait_for_event("gateway.attached")
        terminal.type("echo typed $((40+2)) early\r")
        terminal.wait_for("using plain SSH")
        terminal.wait_for("typed 42 early")
        assert gateway.wait_for_event("gateway.mosh_failed")["reason"] == "no_contact"
        terminal.type("exit 3\r")
        assert terminal.wait() == 3


def test_a_terminal_without_size_and_of_an_unknown_kind(desk):
    gateway = desk.usual()
    # A pty that nobody has given a size: ssh says 0x0.
    words = gateway.ssh_words("-tt", "127.0.0.1", key=desk.key("alice"))
    master, slave = os.openpty()
    program = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "frobnicator-9000"}, start_new_session=True)
    os.close(slave)
    os.write(master, b"stty size; echo term is $TERM; exit 4\r")
    shown = b""
    try:
        while octets := os.read(master, 65536):
            shown += octets
    except OSError:
        pass  # the other side is closed
    assert program.wait(60) == 4
    os.close(master)
    assert b"24 80" in shown and b"xterm-256color" in shown


def test_a_locale_that_is_not_utf8(desk):
    gateway = desk.usual()
    terminal = desk.login(gateway, flags=["-o", "SendEnv=LANG LC_*"], LC_ALL="POSIX", LANG="de_DE.ISO-8859-1")
    terminal.wait_for("prompt>")
    terminal.type("echo $LANG / $LC_ALL; exit 0\r")
    terminal.wait_for("de_DE.UTF-8 / C.UTF-8")
    assert terminal.wait() == 0


@pytest.mark.parametrize("program", ["vim", "tmux"])
def test_programs_look_as_over_plain_ssh(desk, program):
    gateway = desk.usual()
    (desk.sshd.home / "text").write_text("".join(f"line {i} \u4e2d\u6587 e\u0301 {'x' * (i % 70)}\n" for i in range(1, 200)))
    (desk.sshd.home / "tmux.conf").write_text("set -g status-right ''\nset -g status-left 'STATUS '\nset -g automatic-rename off\nset -g default-command 'PS1=\"% \" exec sh'\n")
    terminals = [desk.login(gateway), desk.plain_login()]
    for number, terminal in enumerate(terminals):
        terminal.wait_for("prompt>")
        terminal.type(f"export TERM=xterm-256color LC_ALL=C.UTF-8; cd {desk.sshd.home}; clear\r")
        if program == "vim":
            terminal.type("vim.tiny -u NONE -N -i NONE -n '+set number ruler' text || vim -u NONE -N -i NONE -n '+set number ruler' text\r")
        else:
            terminal.type(f"tmux -u -S {desk.folder}/inner-{number} -f tmux.conf new-session -n w\r")

    def expect_same(text):
        for terminal in terminals:
            terminal.wait_for(text)
        try:
            wait_until(lambda: terminals[0].picture() == terminals[1].picture(), f"both look the same at {text}")
        except AssertionError:
            by_mosh, plain = (terminal.picture().splitlines() for terminal in terminals)
            assert by_mosh == plain

    if program == "vim":
        expect_same("line 1 ")
        for keys, text in ((("100G"), "line 100 "), ("osome new text\x1b", "some new text"), (":split\r", "[+]"), ("180Gzt", "line 181 ")):
            for terminal in terminals:
                terminal.type(keys)
            expect_same(text)
    else:
        expect_same("STATUS")
        for keys, text in (("printf '\\033[38;5;202mORANGE \\033[1;4;44mBOLD\\033[m\\n'\r", "ORANGE BOLD"), ("\x02%", "\u2502"), ("seq 1 40\r", "40")):
            for terminal in terminals:
                terminal.type(keys)
            expect_same(text)
    # And for a newcomer, who sees it drawn anew.
    terminals[0].kill_program()
    terminals[0] = desk.login(gateway)
    terminals[0].wait_for("resume? [Y/n]")
    terminals[0].type("y")
    expect_same(text)
    if program == "tmux":
        for number in range(2):
            subprocess.run(["tmux", "-S", desk.folder / f"inner-{number}", "kill-server"], check=True, timeout=60)


# ---------------------------------------------------------------- sessions wait

def test_a_session_waits_for_the_same_user_with_the_same_key(desk):
    gateway = desk.usual()
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>")
    pid = shell(terminal)
    terminal.type("echo before the train went into the tunnel\r")
    terminal.wait_for("before the train")
    terminal.kill_program()
    gateway.wait_for_event("gateway.detached")

    other = desk.login(gateway, key="bob")
    other.wait_for("prompt>")
    assert shell(other) != pid, "another key of the same user is offered nothing"

    back = desk.login(gateway, columns=100, rows=30)
    back.wait_for("1 session waiting")
    back.type("\r")
    back.wait_for("before the train")
    assert shell(back) == pid
    back.type("clear; stty size\r")
    back.wait_for("30 100")
    back.type("exit 9\r")
    assert back.wait() == 9
    fresh = desk.login(gateway)
    fresh.wait_for("prompt>")
    assert "waiting" not in fresh.screen(), "the shell's end was the session's"


def test_who_wants_a_new_session_gets_one_and_both_are_kept(desk):
    gateway = desk.usual()
    first = desk.login(gateway)
    first.wait_for("prompt>")
    pid = shell(first)
    first.type(ESCAPE + "d")
    assert first.wait() == 0
    assert "waits for you" in first.screen()
    second = desk.login(gateway)
    second.wait_for("resume? [Y/n]")
    second.type("n")
    second.wait_for("prompt>")
    assert shell(second) != pid
    second.type(ESCAPE + "d")
    assert second.wait() == 0
    third = desk.login(gateway)
    third.wait_for("2 sessions waiting")
    third.type("2")
    wait_until(lambda: "pid=" in third.screen(), "it is drawn")
    assert shell(third) == pid, "the one that waits longer"


def test_resuming_without_a_question(desk):
    gateway = desk.usual(resume="auto")
    first = desk.login(gateway)
    first.wait_for("prompt>")
    pid = shell(first)
    first.kill_program()
    gateway.wait_for_event("gateway.detached")
    second = desk.login(gateway)
    second.wait_for("pid=")
    assert shell(second) == pid


def test_a_session_that_nobody_takes_up_ends(desk):
    gateway = desk.usual(detach_timeout="1s")
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>")
    terminal.kill_program()
    gateway.wait_for_event("gateway.session", kind="mosh")
    wait_until(lambda: not desk.mosh_servers(), "mosh-server is gone, too")


def test_sessions_over_ssh_wait_as_well(desk):
    gateway = desk.usual(mosh="off")
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>")
    pid = shell(terminal)
    terminal.type("(sleep 1; echo mean''while) &\r")
    terminal.wait_for("[1]")
    terminal.kill_program()
    gateway.wait_for_event("gateway.detached")
    back = desk.login(gateway)
    back.wait_for("resume? [Y/n]")
    back.type("y")
    back.wait_for("meanwhile")
    assert shell(back) == pid
    back.type("exit 6\r")
    assert back.wait() == 6


# ---------------------------------------------------------------- scrollback

@pytest.mark.parametrize("mosh", ["auto", "off"])
def test_the_scrollback_is_read_by_key_and_left_without_a_trace(desk, mosh):
    gateway = desk.usual(mosh=mosh)
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>")
    # Slowly enough for mosh to show each line.
    terminal.type("clear; for i in $(seq 1 60); do echo number $i.; sleep 0.05; done; echo done with it\r")
    terminal.wait_for("done with it")
    before = terminal.picture()
    terminal.type(ESCAPE + "[")
    terminal.wait_for("q leaves")
    terminal.type("\x1b[H")
    terminal.wait_for("number 5.")
    assert "done with it" not in terminal.screen().replace("echo done with it", "")
    terminal.type("q")
    wait_until(lambda: terminal.picture() == before, "the screen is as before")
    terminal.type("exit 2\r")
    assert terminal.wait() == 2


# ---------------------------------------------------------------- what breaks

def test_a_killed_mosh_client_ends_its_session_only(desk):
    gateway = desk.usual()
    first, second = desk.login(gateway), desk.login(gateway, key="bob")
    first.wait_for("prompt>")
    second.wait_for("prompt>")
    clients = processes("mosh-client", gateway.program.pid)
    assert len(clients) == 2
    victim = min(clients)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: first.dead or second.dead, "one session is over")
    gone, stays = (first, second) if first.dead else (second, first)
    assert gone.wait() == 255
    assert "the session was lost" in gone.screen()
    stays.type("echo still $((40+2)) here\r")
    stays.wait_for("still 42 here")
    wait_until(lambda: len(desk.mosh_servers()) == 1, "its mosh-server was ended")
    assert len(processes("mosh-client", gateway.program.pid)) == 1


@pytest.mark.soak
def test_a_killed_mosh_server_is_noticed(desk):
    gateway = desk.usual()
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>")
    for pid in desk.mosh_servers():
        os.kill(pid, signal.SIGKILL)
    assert terminal.wait() == 255
    assert "the session was lost" in terminal.screen()


def test_a_user_can_end_what_hangs(desk):
    gateway = desk.usual()
    terminal = desk.login(gateway)
    terminal.wait_for("prompt>")
    terminal.type("sleep 1000\r")
    terminal.type(ESCAPE + ".")
    assert terminal.wait() == 255
    wait_until(lambda: not desk.mosh_servers(), "mosh-server is gone")
