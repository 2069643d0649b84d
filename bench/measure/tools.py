"""The load programs of bench/*.cc; each prints one line of JSON."""
import json
import os

from peers.certificate import HOST, WEBSOCKET_HOST
from peers.process import run


class Tools:
    def __init__(self, folder, certificate):
        self._folder = folder
        self._certificate = certificate

    def path(self, name):
        return os.path.join(self._folder, name)

    def connect_load(self, way, milliseconds):
        """Full handshake, one request, closed: 16 at a time, which keeps both cores busy without a queue of its own."""
        return self._load("connect_load", way, HOST, milliseconds, "--path", "/1k", "--concurrency", "16")

    def websocket_load(self, way, connections, milliseconds):
        return self._load("websocket_load", way, WEBSOCKET_HOST, milliseconds, "--connections", str(connections))

    def _load(self, name, way, host, milliseconds, *arguments):
        out = run([self.path(name), "--port", str(way.port), "--host", host, "--ca-file", self._certificate.file,
                   "--milliseconds", str(milliseconds), *arguments], seconds=milliseconds / 1000 + 30)
        return json.loads(out.splitlines()[-1])
