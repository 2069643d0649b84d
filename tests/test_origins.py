"""Homes of other makes: nginx with files and ranges, https services whose key is learnt at first use, services on IPv6."""
import socket
import ssl
import subprocess

import pytest

from support.certificates import self_signed, spki_pin
from support.home_app import HomeApp, content
from support.origins import server_tls
from support.processes import DEADLINE_S, Program, wait_until
from support.relay import BINARY, free_port
from support.visitor import Visitor


class Nginx:
    """nginx serving a folder, as an ordinary program in the foreground."""

    def __init__(self, folder):
        self.port = free_port()
        self.root = folder / "www"
        self.root.mkdir()
        config = folder / "nginx.conf"
        config.write_text(f"""
            daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
            events {{ worker_connections 256; }}
            http {{
                access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
                uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
                gzip on; gzip_types text/plain; gzip_min_length 100;
                server {{ listen 127.0.0.1:{self.port}; root {self.root}; }}
            }}""")
        self._program = Program("nginx", ["nginx", "-p", folder, "-c", config])
        self._wait_until_it_listens()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _wait_until_it_listens(self):
        # nginx says nothing when it is ready, so it is asked.
        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        wait_until(listens, "nginx listens")

    def stop(self):
        self._program.stop()


@pytest.fixture
def nginx(world, tmp_path):
    folder = tmp_path / "nginx"
    folder.mkdir(mode=0o755)
    return world.keep_origin(Nginx(folder))


def test_nginx_ranges_and_conditions(world, nginx, tmp_path):
    (nginx.root / "file.bin").write_bytes(content(1_000_000))
    tunnel = world.tunnel(nginx)
    got = tunnel.curl("/file.bin", "-r", "1000-1999")
    assert (got.status, got.content) == (206, content(1_000_000)[1000:2000])
    got = tunnel.curl("/file.bin", "-r", "0-9,100-109")
    assert got.status == 206
    assert tunnel.curl("/file.bin", "-r", "2000000-").status == 416

    part = tmp_path / "part"
    part.write_bytes(content(1_000_000)[:400_000])
    assert tunnel.curl("/file.bin", "-C", "-", "-o", part).code == 0
    assert part.read_bytes() == content(1_000_000), "a broken-off download was continued"

    etag = tunnel.ask(path="/file.bin", method="HEAD").value("ETag")
    assert tunnel.ask(path="/file.bin", If_None_Match=etag).status == 304


def test_content_codings_pass_untouched(world, nginx):
    (nginx.root / "a.txt").write_text("compress me " * 1000)
    tunnel = world.tunnel(nginx)
    response = tunnel.ask(path="/a.txt", Accept_Encoding="gzip")
    assert response.value("Content-Encoding") == "gzip" and len(response.content) < 2000
    assert tunnel.ask(path="/a.txt").value("Content-Encoding") is None


@pytest.mark.sanitize
def test_an_https_home_with_its_own_certificate_is_pinned_at_first_use(world, tmp_path):
    first = self_signed(tmp_path, "home.lan", "127.0.0.1", stem="first")
    origin = world.origin(HomeApp(), tls=server_tls(first))
    tunnel = world.tunnel(origin)
    assert tunnel.ask().content == b"<h1>home</h1>"
    shown = tunnel.agent.program.wait_for_line(lambda line: "pin" in line and "t0" in line, "the pin learnt at first use")[1]
    assert spki_pin(first[0]) in shown

    # Another key at the same place: nobody gets through until the owner says so.
    port = origin.port
    origin.stop()
    second = self_signed(tmp_path, "home.lan", "127.0.0.1", stem="second")
    origin = world.origin(HomeApp("impostor"), tls=server_tls(second), port=port)
    response = tunnel.ask(Accept="application/json")
    assert response.status == 502
    assert b"impostor" not in response.content
    assert not origin.requests.all(), "not even a request was sent"
    tunnel.agent.program.wait_for_line(lambda line: "sallyport agent trust t0" in line, "the cure")

    trusted = subprocess.run(
        [BINARY, "agent", "--state-dir", tunnel.agent.state_dir, "trust", "t0"],
        capture_output=True, text=True, timeout=DEADLINE_S)
    assert trusted.returncode == 0, trusted.stderr
    assert tunnel.ask().content == b"<h1>impostor</h1>"


def test_a_key_pinned_in_the_configuration(world, tmp_path):
    right, wrong = (self_signed(tmp_path, "home.lan", stem=stem) for stem in ("right", "wrong"))
    origin = world.origin(HomeApp(), tls=server_tls(right))
    relay = world.relay()
    code = relay.add_agent("home", ["home.example.test"])["enroll"]
    relay.admin("route", "add", "good.example.test", "home", "good")
    relay.admin("route", "add", "bad.example.test", "home", "bad")
    agent = world.agent(code, services={
        "good": {"url": origin.url, "trust": spki_pin(right[0])}, "bad": {"url": origin.url, "trust": spki_pin(wrong[0])}})
    agent.wait_until_connected()
    for hostname, status in (("good.example.test", 200), ("bad.example.test", 502)):
        with Visitor(relay.port, hostname, trust=world.authority.file) as visitor:
            assert visitor.ask().status == status


def test_a_plain_service_behind_an_https_target_is_502(world):
    origin = world.origin(HomeApp())
    tunnel = world.tunnel(origin.url.replace("http://", "https://"))
    assert tunnel.ask().status == 502


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_a_home_on_ipv6(world):
    tunnel = world.tunnel(world.origin(HomeApp(), host="::1"))
    assert tunnel.ask().content == b"<h1>home</h1>"


def test_a_home_by_name(world):
    origin = world.origin(HomeApp())
    tunnel = world.tunnel(f"http://localhost:{origin.port}")
    assert tunnel.ask().status == 200


def test_tls_versions_towards_the_home(world, tmp_path):
    context = server_tls(self_signed(tmp_path, "home.lan"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert world.tunnel(world.origin(HomeApp(), tls=context)).ask().status == 200
