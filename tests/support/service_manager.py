"""What systemd is to a service: a datagram socket that is told how the service is (sd_notify(3))."""
import os
import socket

from support.processes import DEADLINE_S


class ServiceManager:
    def __init__(self, folder, watchdog_us=None):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(DEADLINE_S)
        # Below /tmp and short: such an address has at most 107 octets.
        self._name = f"\0sallyport-test-{os.getpid()}-{id(self)}" if folder is None else str(folder / "n")
        self._socket.bind(self._name)
        self.env = {"NOTIFY_SOCKET": self._name.replace("\0", "@")}
        if watchdog_us:
            self.env["WATCHDOG_USEC"] = str(watchdog_us)

    def next(self):
        """One message as {KEY: value}."""
        return dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())

    def wait_for(self, **wanted):
        """The first message from now on that has these."""
        while True:
            message = self.next()
            if wanted.items() <= message.items():
                return message

    def close(self):
        self._socket.close()
