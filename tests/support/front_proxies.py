"""Caddy and nginx in front of a relay, as docs/behind-a-proxy.md says."""
import os
import pathlib
import re
import shutil
import socket

import pytest

from support.processes import Program, wait_until
from support.relay import free_port

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGE = DOCS / "behind-a-proxy.md"
SEARCHED = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
STREAM_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")


def example(beginning, page=PAGE):
    """The block of the page whose first line holds `beginning`."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    found = [block for block in blocks if beginning in block.split("\n", 1)[0]]
    assert len(found) == 1, f"{len(found)} blocks of {page.name} begin with {beginning}"
    return found[0]


def fitted(text, changes):
    """The example with the ports, names and files of a test."""
    for old, new in changes.items():
        assert old in text, f"the example has no {old!r} any more"
        text = text.replace(old, str(new))
    return text


def on_a_free_port(start):
    """start(port), again if the port was taken between being found free and being listened on."""
    for _ in range(3):
        proxy = start(free_port())
        if proxy.listens():
            return proxy
    raise AssertionError(f"{proxy.program.name} ended:\n{proxy.program.tail()}")


class FrontProxy:
    """`port` is where visitors and agents connect. Stopped by World.keep_origin()."""

    def __init__(self, name, folder, config_name, config, argv, port):
        binary = shutil.which(name, path=SEARCHED)
        if not binary:
            pytest.skip(f"{name} is not installed (./dev test installs it)")
        folder.mkdir(parents=True)
        file = folder / config_name
        file.write_text(config)
        self.port = port
        environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        self.program = Program(name, [binary, *argv(folder, file)], env=environment, log_path=folder / "log")

    def listens(self):
        """Waits until it does; False: it has ended."""
        wait_until(lambda: not self.program.running or self._accepts(), f"{self.program.name} listens")
        return self.program.running

    def _accepts(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        except ConnectionRefusedError:
            return False

    def stop(self):
        self.program.stop()


def caddy(folder, relay_port, certificate):
    return on_a_free_port(lambda port: _caddy(folder, port, relay_port, certificate))


def _caddy(folder, port, relay_port, certificate):
    site = fitted(example("# Caddyfile"), {
        "*.example.org {": f"https://*.example.test:{port}, https://localhost:{port} {{",
        "/etc/ssl/example.org/fullchain.pem": certificate[0],
        "/etc/ssl/example.org/privkey.pem": certificate[1],
        "127.0.0.1:8080": f"127.0.0.1:{relay_port}",
    })
    options = "{\n admin off\n default_bind 127.0.0.1\n auto_https disable_redirects\n skip_install_trust\n servers {\n  protocols h1 h2\n }\n}\n"
    return FrontProxy("caddy", folder / f"caddy-{port}", "Caddyfile", options + site,
                      lambda _, file: ["run", "--config", file, "--adapter", "caddyfile"], port)


def _nginx(folder, port, blocks, modules=""):
    name = f"nginx-{port}"
    user = "user root;\n" if os.geteuid() == 0 else ""
    config = f"{modules}{user}daemon off;\npid {folder}/{name}/pid;\nerror_log stderr notice;\nevents {{}}\n{blocks}"
    return FrontProxy("nginx", folder / name, "nginx.conf", config,
                      lambda home, file: ["-p", home, "-e", "stderr", "-c", file], port)


def nginx(folder, relay_port, certificate):
    return on_a_free_port(lambda port: _nginx_http(folder, port, relay_port, certificate))


def _nginx_http(folder, port, relay_port, certificate):
    site = fitted(example("conf.d/sallyport.conf"), {
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "    listen [::]:443 ssl http2;\n": "",
        "*.example.org;": "*.example.test localhost;",
        "/etc/ssl/example.org/fullchain.pem": certificate[0],
        "/etc/ssl/example.org/privkey.pem": certificate[1],
        "127.0.0.1:8080": f"127.0.0.1:{relay_port}",
    })
    return _nginx(folder, port, f"http {{\naccess_log off;\n{site}\n}}\n")


def nginx_before_ssh(folder, forwarded_port, certificate):
    """In front of a port that an agent has opened on an sshd, as docs/ssh.md says."""
    return on_a_free_port(lambda port: _nginx_before_ssh(folder, port, forwarded_port, certificate))


def _nginx_before_ssh(folder, port, forwarded_port, certificate):
    site = fitted(example("conf.d/home.conf", DOCS / "ssh.md"), {
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "    listen [::]:443 ssl http2;\n": "",
        "home.example.org;": "home.example.test;",
        "/etc/letsencrypt/live/home.example.org/fullchain.pem": certificate[0],
        "/etc/letsencrypt/live/home.example.org/privkey.pem": certificate[1],
        "127.0.0.1:8123": f"127.0.0.1:{forwarded_port}",
    })
    return _nginx(folder, port, f"http {{\naccess_log off;\n{site}\n}}\n")


def nginx_stream(folder, relay_port):
    if not STREAM_MODULE.exists():
        pytest.skip("libnginx-mod-stream is not installed (./dev test installs it)")
    return on_a_free_port(lambda port: _nginx_stream(folder, port, relay_port))


def _nginx_stream(folder, port, relay_port):
    blocks = fitted(example("beside the http block"), {
        "listen 443;": f"listen 127.0.0.1:{port};",
        "        listen [::]:443;\n": "",
        "127.0.0.1:8443": f"127.0.0.1:{relay_port}",
    })
    return _nginx(folder, port, blocks, modules=f"load_module {STREAM_MODULE};\n")
