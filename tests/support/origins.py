"""Home services to tunnel to: aiohttp applications and raw sockets, each in a thread of its own, on a port the kernel chose."""
import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from dataclasses import dataclass

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from support.processes import DEADLINE_S


# What the agent asks every http service once, to find out whether it is a Home Assistant. Not what tests are about.
PROBED = ("/manifest.json", "/auth/providers")


@dataclass
class Received:
    """One request as it arrived: nothing decoded, nothing normalised."""
    method: str
    target: str  # as in the request line, query string included
    headers: list  # (name, value) in order of arrival
    peer: str

    def values(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def value(self, name, default=None):
        found = self.values(name)
        return found[0] if found else default


class Notes:
    """What happened, in order; a test waits for the entry it needs."""

    def __init__(self):
        self._entries = []
        self._changed = threading.Condition()

    def add(self, entry):
        with self._changed:
            self._entries.append(entry)
            self._changed.notify_all()

    def all(self):
        with self._changed:
            return list(self._entries)

    def wait_for(self, matches, what, deadline_s=None):
        deadline_s = DEADLINE_S if deadline_s is None else deadline_s
        with self._changed:
            found = self._changed.wait_for(lambda: next((e for e in self._entries if matches(e)), None), deadline_s)
            if found is None:
                raise AssertionError(f"waited {deadline_s:.0f} s for {what}; there are only {self._entries[-10:]}")
            return found


class CancellingHandler(RequestHandler):
    """Cancels the handler once its peer is gone, as Home Assistant has aiohttp do; Debian 12's aiohttp can't by itself."""

    def connection_lost(self, exc):
        handler = self._task_handler
        super().connection_lost(exc)
        if handler is not None and not handler.done():
            handler.cancel()


class CancellingServer(web.Server):
    def __call__(self):
        return CancellingHandler(self, loop=self._loop, **self._kwargs)


class AiohttpOrigin:
    """Serves `make_app()` until stop(). `requests` holds a Received per request, but for those whose target is in `unnoted`."""

    def __init__(self, make_app, tls=None, host="127.0.0.1", port=0, unnoted=PROBED, **server_options):
        self.requests = Notes()
        self._unnoted = unnoted
        self.host = host
        self._tls = tls
        self._options = {"access_log": None, "tcp_keepalive": False, **server_options}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, args=(make_app, port), name="origin", daemon=True)
        self._thread.start()
        if not self._ready.wait(DEADLINE_S) or self._failure:
            raise AssertionError(f"origin did not start: {self._failure}")

    @property
    def url(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def wait_for_request(self, target=None, method=None, deadline_s=None):
        def matches(request):
            return (target is None or request.target == target) and (method is None or request.method == method)
        return self.requests.wait_for(matches, f"a request for {target or 'anything'}", deadline_s)

    def call(self, coroutine, deadline_s=None):
        """Runs a coroutine in the origin's loop and gives its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(deadline_s or DEADLINE_S)

    def stop(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(DEADLINE_S)

    def _run(self, make_app, port):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(make_app, port))
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        with contextlib.suppress(Exception):
            self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, make_app, port):
        self._stopping = asyncio.Event()
        try:
            app = make_app()
            app.middlewares.insert(0, self._record)
            app._set_loop(self._loop)
            app.on_startup.freeze()
            await app.startup()
            app.freeze()
            server = CancellingServer(app._handle, request_factory=app._make_request, **self._options)
            listener = await self._loop.create_server(server, self.host, port, ssl=self._tls, backlog=2048)
            self.port = listener.sockets[0].getsockname()[1]
        except Exception as error:  # told to the thread that waits in __init__
            self._failure = error
            self._ready.set()
            return
        self._ready.set()
        await self._stopping.wait()
        listener.close()
        await server.shutdown(0.2)
        await app.shutdown()

    @web.middleware
    async def _record(self, request, handler):
        peer = request.transport.get_extra_info("peername")[0] if request.transport else ""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]
        received = Received(request.method, request.raw_path, headers, peer)
        request["received"] = received
        if received.target not in self._unnoted:
            self.requests.add(received)
        return await handler(request)


class RawOrigin:
    """A listening socket whose every connection runs `converse(connection)` in a thread: for octets no HTTP library would send.
    The agent's own questions are answered 404 before it."""

    def __init__(self, converse, backlog=128):
        self._converse = converse
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port = self._listener.getsockname()[1]
        self.accepted = Notes()
        threading.Thread(target=self._accept, name="raw origin", daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(DEADLINE_S)
            self.accepted.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            first = connection.recv(64, socket.MSG_PEEK).decode("latin-1").split(" ")
            if first[:1] == ["GET"] and first[1] in PROBED:
                read_head(connection)
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                self._converse(connection)

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.accepted.all():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def read_head(connection):
    """One message's header section off a socket, as octets, up to and with the empty line; and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data, b""
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    return head + b"\r\n\r\n", rest


def reset(connection):
    """Closes with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def server_tls(certificate):
    """A server context for (certificate file, key file)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, certificate))
    return context
