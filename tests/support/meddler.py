"""A TLS proxy in front of a relay that meddles with requests and answers, as badly set-up ones do; one request a connection."""
import asyncio
import contextlib
import ssl
import threading

from support.origins import server_tls

CHUNK = 1 << 16


class Meddler:
    """Listens on `host` at the relay's port, so that the public URL leads here. `request` may change a request's head (bytes to bytes) or
    answer it itself (gives (None, octets)); `upload_limit` and `download_limit` cut after so many octets; `holds` says of a head whether
    its answer is held back until it is whole; `flips` changes octets of long answers. With `to` it
    leads to that port of 127.0.0.1 instead, without TLS."""

    def __init__(self, relay_port, certificate, host="127.0.0.2", to=None):
        self.host, self.port = host, relay_port
        self._to = to
        self.request = lambda head: head
        self.holds = lambda head: False
        self.upload_limit = self.download_limit = None
        self.flips = False
        self._to_relay = ssl.create_default_context()
        self._to_relay.check_hostname, self._to_relay.verify_mode = False, ssl.CERT_NONE
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="meddler", daemon=True)
        self._thread.start()
        self._server = self._in_loop(asyncio.start_server(self._serve, host, relay_port, ssl=server_tls(certificate)))

    def stop(self):
        async def end():
            self._server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self._in_loop(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _in_loop(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _serve(self, visitor, to_visitor):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            head = await visitor.readuntil(b"\r\n\r\n")
            changed = self.request(head)
            if isinstance(changed, tuple):
                to_visitor.write(changed[1])
                while await visitor.read(CHUNK):  # what is left unread would turn the answer's end into a reset
                    pass
                return to_visitor.close()
            name = next(line.split(b":")[1].strip().decode() for line in head.split(b"\r\n") if line.lower().startswith(b"host:"))
            tls = {} if self._to else {"ssl": self._to_relay, "server_hostname": name}
            relay, to_relay = await asyncio.open_connection("127.0.0.1", self._to or self.port, **tls)
            to_relay.write(changed)
            up = asyncio.ensure_future(self._carry_up(visitor, to_visitor, to_relay))
            try:
                await self._carry_down(relay, to_visitor, self.holds(head))
            finally:
                up.cancel()
                to_relay.transport.abort()

    async def _carry_up(self, visitor, to_visitor, to_relay):
        passed = 0
        with contextlib.suppress(OSError, ssl.SSLError):
            while octets := await visitor.read(CHUNK):
                passed += len(octets)
                if self.upload_limit is not None and passed > self.upload_limit:
                    to_relay.transport.abort()
                    return to_visitor.transport.abort()
                to_relay.write(octets)
                await to_relay.drain()

    async def _carry_down(self, relay, to_visitor, hold):
        held, passed = b"", 0
        while octets := await relay.read(CHUNK):
            passed += len(octets)
            if self.download_limit is not None and passed > self.download_limit:
                return to_visitor.transport.abort()
            if self.flips and passed > 4 * CHUNK:
                octets = octets[:-1] + bytes([octets[-1] ^ 1])
            if hold:
                held += octets
                continue
            to_visitor.write(octets)
            await to_visitor.drain()
        to_visitor.write(held)
        await to_visitor.drain()
        to_visitor.close()
