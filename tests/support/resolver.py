"""A name server of the test's own, and programs that ask it instead of the machine's."""
import os
import socket
import struct
import subprocess
import threading

import pytest


class Resolver:
    """Answers A queries for any name with `address`; while that is None it hears them and says nothing. Use it with `with`."""

    def __init__(self, folder):
        self.address = None
        self.queries = 0
        self._heard = threading.Condition()
        self._host = f"127.{os.getpid() % 250 + 1}.{os.getpid() // 250 % 250 + 1}.53"
        self._file = folder / "resolv.conf"
        self._file.write_text(f"nameserver {self._host}\n")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._serve, name="resolver", daemon=True)

    def __enter__(self):
        if why := self._why_not():
            self._socket.close()
            pytest.skip(f"no name server of our own: {why}")
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(30)
        self._socket.close()

    @property
    def within(self):
        """Words before a command: it sees our resolv.conf, in a mount namespace of its own."""
        script = f'mount --bind "{self._file}" /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh"]

    def wait_for_query(self, count=1, deadline_s=60):
        with self._heard:
            assert self._heard.wait_for(lambda: self.queries >= count, deadline_s), f"{self.queries} queries of {count}"

    def _why_not(self):
        try:
            self._socket.bind((self._host, 53))
            probe = subprocess.run([*self.within, "cat", "/etc/resolv.conf"], capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
        return None if self._host in probe.stdout else probe.stderr.strip() or "resolv.conf can't be replaced"

    def _serve(self):
        while True:
            query, sender = self._socket.recvfrom(4096)
            if not query:
                return
            with self._heard:
                self.queries += 1
                self._heard.notify_all()
            if self.address:
                self._socket.sendto(_answer(query, self.address), sender)


def _answer(query, address):
    """The question again, with one A record if it asked for one (RFC 1035 4.1)."""
    end = query.index(b"\0", 12) + 5
    question = query[12:end]
    wants_a = question[-4:-2] == b"\0\1"
    head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, int(wants_a), 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton(address) if wants_a else b""
    return head + question + record
