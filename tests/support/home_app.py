"""An ordinary home service for the tests: pages, content of every framing, uploads, streams that a test feeds, WebSockets."""
import asyncio
import hashlib
import json

from aiohttp import WSMsgType, web

from support.origins import Notes

BLOCK = hashlib.shake_256(b"content of the tests").digest(1 << 16)


def content(octets):
    """The same octets at every call; nothing that compresses."""
    whole, rest = divmod(octets, len(BLOCK))
    return BLOCK * whole + BLOCK[:rest]


def content_sha256(octets):
    return hashlib.sha256(content(octets)).hexdigest()


class HomeApp:
    """Call it for the application. `feed` pushes a chunk into every open /fed answer."""

    def __init__(self, name="home"):
        self.name = name
        self._fed = set()
        self.cancelled = Notes()  # targets whose visitor left before the answer
        self.close_codes = Notes()  # of ended WebSockets

    def __call__(self):
        app = web.Application(client_max_size=0)
        app.add_routes(self._routes())
        return app

    def _routes(self):
        return [
            web.get("/", self._page),
            web.get("/content/{octets}", self._content),
            web.get("/chunked/{octets}", self._chunked),
            web.route("*", "/hash", self._hash),
            web.get("/status/{status}", self._status),
            web.get("/fed", self._feed_answer),
            web.get("/hang", self._hang),
            web.get("/ws", self._websocket),
            web.get("/no-websocket", self._forbid),
            web.route("*", "/refuse-early", self._forbid),
            web.route("*", "/{rest:.*}", self._echo_request),
        ]

    async def feed(self, chunk):
        for queue in self._fed:
            queue.put_nowait(chunk)

    async def _page(self, _request):
        return web.Response(text=f"<h1>{self.name}</h1>", content_type="text/html", headers={"ETag": '"page"'})

    async def _content(self, request):
        octets = int(request.match_info["octets"])
        response = web.StreamResponse(headers={"Content-Length": str(octets), "Content-Type": "application/octet-stream"})
        await response.prepare(request)
        await self._write(response, octets)
        return response

    async def _chunked(self, request):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await self._write(response, int(request.match_info["octets"]))
        return response

    @staticmethod
    async def _write(response, octets):
        if response._req.method == "HEAD":
            return
        while octets:
            step = min(octets, len(BLOCK))
            await response.write(BLOCK[:step])
            octets -= step

    async def _hash(self, request):
        digest, octets = hashlib.sha256(), 0
        async for chunk in request.content.iter_any():
            digest.update(chunk)
            octets += len(chunk)
        return web.json_response({"octets": octets, "sha256": digest.hexdigest()})

    async def _status(self, request):
        return web.Response(status=int(request.match_info["status"]), headers={"X-From": self.name})

    async def _feed_answer(self, request):
        queue = asyncio.Queue()
        self._fed.add(queue)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": open\n\n")
        try:
            while (chunk := await queue.get()) is not None:
                await response.write(chunk)
        finally:
            self._fed.discard(queue)
        return response

    async def _hang(self, request):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.add(request.raw_path)
            raise

    async def _websocket(self, request):
        socket = web.WebSocketResponse(protocols=("chat.v2", "chat.v1"), max_msg_size=0)
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                if message.data == "close 4001":
                    await socket.close(code=4001, message=b"as asked")
                else:
                    await socket.send_str(message.data)
            elif message.type == WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        self.close_codes.add(socket.close_code)
        return socket

    async def _forbid(self, _request):
        return web.Response(status=403, text="not here")

    async def _echo_request(self, request):
        received = request["received"]
        body = await request.read()
        return web.json_response({
            "method": received.method, "target": received.target, "headers": received.headers, "octets": len(body), "home": self.name},
            dumps=json.dumps)
