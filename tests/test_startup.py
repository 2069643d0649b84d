"""What a relay says when it can't start: one clear line and an exit code, and nothing is damaged."""
import contextlib
import json
import os
import pwd
import resource
import shutil
import tempfile
import sqlite3
import socket
import subprocess

import pytest

from support.certificates import self_signed
from support.processes import Program
from support.relay import BINARY, clean_environment


def start(*words, env=None, **options):
    return Program("relay", [BINARY, "relay", "--http-listen", "off", "--metrics-listen", "off", *words], env=env or clean_environment(), **options)


def fails_with(program, *said):
    """It ends by itself, with a code, and its last lines say why."""
    assert program.wait() not in (0, None)
    text = "\n".join(program.lines)
    for words in said:
        assert words in text, text
    assert "Sanitizer" not in text and "terminate called" not in text
    assert len(program.lines) <= 12, text


@pytest.fixture
def state(tmp_path):
    return ["--state-dir", tmp_path / "state"]


@pytest.mark.sanitize
def test_port_in_use(state):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        fails_with(start(*state, "--https-listen", f"127.0.0.1:{port}"), str(port), "in use")


@pytest.mark.skipif(os.getuid() != 0, reason="needs to become another user")
def test_port_that_needs_rights():
    nobody = pwd.getpwnam("nobody")
    # As nobody, without capabilities; the sysctl of containers may allow low ports to everyone.
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
        if int(file.read()) <= 443:
            pytest.skip("every user may bind port 443 here")
    folder = tempfile.mkdtemp()  # pytest's own folders are root's alone
    try:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        program = shutil.copy(BINARY, folder)
        done = subprocess.run(
            ["setpriv", "--reuid", "nobody", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", program, "relay",
             "--state-dir", f"{folder}/state"],
            capture_output=True, text=True, timeout=30, env=clean_environment())
    finally:
        shutil.rmtree(folder)
    assert done.returncode != 0 and "setcap" in done.stderr and "8443" in done.stderr


@pytest.mark.sanitize
def test_certificates_that_are_no_use(state, tmp_path):
    good, other = (self_signed(tmp_path, "a.example.test", stem=stem) for stem in ("good", "other"))
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    missing = tmp_path / "missing.pem"
    for certificate, key, said in [
            (missing, good[1], "missing.pem"), (good[0], missing, "missing.pem"), (broken, good[1], "broken.pem"),
            (good[0], broken, "broken.pem"), (good[0], other[1], "match")]:
        config = tmp_path / "relay.yaml"
        config.write_text(f"certificates:\n  - certificate: {certificate}\n    key: {key}\n")
        fails_with(start(*state, "--config", config, "--https-listen", "127.0.0.1:0"), said)


@pytest.mark.sanitize
@pytest.mark.parametrize("line, said", [
    ("htps_listen: ':443'", "https_listen"), ("https_listen: 443x", "https_listen"), ("offline_grace: 5", "offline_grace"),
    ("access_log: perhaps", "access_log"), ("threads: -1", "threads"), ("public_url: ftp://x", "public_url"), ("{broken", "relay.yaml"),
    ("log_level: loud", "log_level"), ("certificates: none", "certificates"), ("https_listen: [a, b]", "https_listen"),
])
def test_configuration_errors_name_file_line_and_key(state, tmp_path, line, said):
    config = tmp_path / "relay.yaml"
    config.write_text(f"# a comment\n{line}\n")
    fails_with(start(*state, "--config", config), said, "relay.yaml:2" if "broken" not in line else "relay.yaml")


def test_a_missing_configuration_file(state, tmp_path):
    fails_with(start(*state, "--config", tmp_path / "nowhere.yaml"), "nowhere.yaml")


def test_an_unknown_flag_and_command():
    for words, said in ((["relay", "--no-such-flag"], "no-such-flag"), (["dance"], "dance")):
        done = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=30)
        assert done.returncode != 0 and said in done.stderr + done.stdout


@pytest.mark.sanitize
def test_state_folder_that_can_not_be_used(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    fails_with(start("--state-dir", file / "state", "--https-listen", "127.0.0.1:0"), str(file))
    fails_with(start("--state-dir", "/proc/state", "--https-listen", "127.0.0.1:0"), "/proc/state")


def test_a_database_of_a_newer_version(state, tmp_path):
    program = start(*state, "--https-listen", "127.0.0.1:0")
    program.wait_for_event("relay.ready")
    program.stop()
    database = tmp_path / "state" / "relay.db"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        version_table = next(name for name in tables if "version" in name or "migration" in name)
        columns = [row[1] for row in connection.execute(f"pragma table_info({version_table})")]
        connection.execute(f"update {version_table} set {columns[0]} = 9999 where {columns[0]} = (select max({columns[0]}) from {version_table})")
    before = database.read_bytes()
    fails_with(start(*state, "--https-listen", "127.0.0.1:0"), "newer")
    assert database.read_bytes() == before


def test_a_damaged_database(state, tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "relay.db").write_bytes(b"not a database at all" * 1000)
    fails_with(start(*state, "--https-listen", "127.0.0.1:0"), "relay.db")


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("may not mount a tmpfs here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_told_and_does_no_damage(world, small_disk):
    relay = world.relay(state_dir=str(small_disk / "relay"))
    relay.state_dir = small_disk / "relay"
    relay.admin("agent", "add", "before")
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    for number in range(200):
        failed = relay.admin("agent", "add", f"agent{number}", check=False)
        if failed.returncode != 0:
            break
    assert failed.returncode != 0 and failed.stderr.strip()
    assert relay.program.running
    assert "before" in relay.admin("agent", "list").stdout
    filler.unlink()
    relay.admin("agent", "add", "after")
    relay.restart()
    assert "after" in relay.admin("agent", "list").stdout


@pytest.mark.sanitize
def test_first_start_says_where_it_listens_and_what_to_do_next(state, tmp_path):
    program = start(*state, "--https-listen", "127.0.0.1:0", "--public-url", "https://relay.example.test")
    ready = program.wait_for_event("relay.ready")
    text = "\n".join(program.lines)
    assert ready["pin"] in text
    assert "sallyport admin" in text and "agent add" in text
    assert program.stop() == 0


def test_the_descriptor_limit_is_raised_to_its_hard_limit(state):
    program = start(*state, "--https-listen", "127.0.0.1:0")
    program.wait_for_event("relay.ready")
    soft, hard = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)
    assert soft == hard
    assert program.stop() == 0


def test_log_as_json(state):
    program = start(*state, "--https-listen", "127.0.0.1:0", "--log-format", "json")
    _, line = program.wait_for_line(lambda line: '"relay.ready"' in line, "relay.ready as JSON")
    assert json.loads(line)["event"] == "relay.ready"
    assert program.stop() == 0


def test_version_and_help():
    for words in (["--version"], ["--help"], ["relay", "--help"], ["agent", "--help"], ["admin", "--help"]):
        done = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and done.stdout
