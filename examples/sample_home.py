#!/usr/bin/python3
"""A small home service to try a tunnel with: a page, a download and an upload of known hash, a WebSocket echo, server-sent events."""
import argparse
import asyncio
import hashlib
import json

from aiohttp import WSMsgType, web

MIB = 1 << 20
# One MiB that no compression or cache makes smaller on the way; the same at every start, so both sides know its hash.
BLOCK = hashlib.shake_256(b"sallyport sample home").digest(MIB)

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A sample home</title>
<style>
 body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: #f4f1ea; color: #2b2a27 }
 main { max-width: 34rem; margin: 12vh auto; padding: 2rem; background: #fff; border-radius: 12px; box-shadow: 0 2px 16px #0001 }
 h1 { margin: 0 0 .5rem; font-size: 1.5rem } button { font: inherit; padding: .5rem 1rem; border: 1px solid #8a6d3b; border-radius: 8px; background: #fdf8ee }
 button[aria-pressed=true] { background: #ffd966 } li { margin: .3rem 0 } #clock { font-variant-numeric: tabular-nums }
</style></head>
<body><main>
<h1>Welcome home</h1>
<p>This page came from a service that opened no port: through the relay, down the one connection its agent dialled.</p>
<p><button id="lamp" aria-pressed="false">Lamp</button> <small>switched over a WebSocket</small></p>
<p>Clock at home: <span id="clock">…</span> <small>server-sent events</small></p>
<ul><li><a href="/download?mib=64">Download 64 MiB</a></li><li><code>POST /upload</code> answers the SHA-256 of what it got</li></ul>
</main>
<script>
 const lamp = document.getElementById('lamp');
 const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`);
 lamp.onclick = () => socket.send(lamp.getAttribute('aria-pressed') === 'true' ? 'off' : 'on');
 socket.onmessage = e => lamp.setAttribute('aria-pressed', String(e.data === 'on'));
 new EventSource('/events').onmessage = e => document.getElementById('clock').textContent = JSON.parse(e.data).time;
</script></body></html>
"""


def download_sha256(mib):
    digest = hashlib.sha256()
    for _ in range(mib):
        digest.update(BLOCK)
    return digest.hexdigest()


async def page(_request):
    return web.Response(text=PAGE, content_type="text/html")


async def download(request):
    mib = min(max(int(request.query.get("mib", "64")), 0), 4096)
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream", "Content-Length": str(mib * MIB)})
    await response.prepare(request)
    for _ in range(mib):
        await response.write(BLOCK)
    return response


async def upload(request):
    digest, octets = hashlib.sha256(), 0
    async for chunk in request.content.iter_any():
        digest.update(chunk)
        octets += len(chunk)
    return web.json_response({"octets": octets, "sha256": digest.hexdigest()})


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        while True:
            tick = {"time": f"{loop.time() - start:.0f} s up"}
            await response.write(f"data: {json.dumps(tick)}\n\n".encode())
            await asyncio.sleep(1)
    except ConnectionResetError:
        return response  # the visitor left


def make_app():
    app = web.Application(client_max_size=0)
    app.router.add_get("/", page)
    app.router.add_get("/download", download)
    app.router.add_route("*", "/upload", upload)
    app.router.add_get("/ws", echo)
    app.router.add_get("/events", events)
    return app


async def serve(port):
    runner = web.AppRunner(make_app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=1)
    await site.start()
    print(f"event=home.listening address=127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 lets the kernel choose")
    try:
        asyncio.run(serve(arguments.parse_args().port))
    except KeyboardInterrupt:
        pass
