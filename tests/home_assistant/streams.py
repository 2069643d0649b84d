"""The double's long answers: server-sent events, MJPEG, HLS with a blocking playlist, followed logs, backups in and out."""
import asyncio
import hashlib
import json

from aiohttp import web

FRAME_BOUNDARY = b"--frameboundary"
JPEG = b"\xff\xd8\xff\xe0" + b"double of a picture " * 500 + b"\xff\xd9"
BACKUP_BLOCK = hashlib.shake_256(b"backup of the double").digest(1 << 20)


def backup_sha256(mib):
    digest = hashlib.sha256()
    for _ in range(mib):
        digest.update(BACKUP_BLOCK)
    return digest.hexdigest()


class Streams:
    def __init__(self, home):
        self._home = home
        self._playlist_parts = 0
        self._part_added = None

    def routes(self):
        return [
            web.get("/api/stream", self._events),
            web.get("/api/camera_proxy/{camera}", self._picture),
            web.get("/api/camera_proxy_stream/{camera}", self._mjpeg),
            web.get("/api/hls/{token}/playlist.m3u8", self._playlist),
            web.get("/api/hls/{token}/segment/{number}.m4s", self._segment),
            web.get("/api/hassio/core/logs/follow", self._followed_log),
            web.post("/api/backup/upload", self._backup_upload),
            web.get("/api/backup/download/{backup}", self._backup_download),
        ]

    async def _stream(self, request, content_type, **headers):
        """An answer without a length; noted as cancelled when the visitor leaves."""
        response = web.StreamResponse(headers={"Content-Type": content_type, **headers})
        await response.prepare(request)
        return response

    async def _events(self, request):
        self._home.require_auth(request)
        queue = asyncio.Queue()
        self._home.event_queues.add(queue)
        response = await self._stream(request, "text/event-stream")
        try:
            await response.write(b"data: ping\n\n")
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), self._home.config.stream_ping_s)
                except asyncio.TimeoutError:
                    event = "ping"
                await response.write(b"data: " + (event if isinstance(event, str) else json.dumps(event)).encode() + b"\n\n")
        except (ConnectionResetError, asyncio.CancelledError):
            self._home.note_cancelled(request)
            raise
        finally:
            self._home.event_queues.discard(queue)

    def _check_camera_token(self, request):
        if request.query.get("token") == self._home.config.camera_token:
            return
        if "Authorization" in request.headers or "token" not in request.query:
            self._home.require_auth(request)
        else:
            raise web.HTTPForbidden

    async def _picture(self, request):
        self._check_camera_token(request)
        return web.Response(body=JPEG, content_type="image/jpeg")

    async def _mjpeg(self, request):
        self._check_camera_token(request)
        response = await self._stream(request, "multipart/x-mixed-replace;boundary=" + FRAME_BOUNDARY.decode())
        frame = (FRAME_BOUNDARY + b"\r\nContent-Type: image/jpeg\r\nContent-Length: " + str(len(JPEG)).encode() + b"\r\n\r\n" + JPEG + b"\r\n")
        try:
            await response.write(frame)  # the first one twice: browsers show a frame only when the next one begins
            while True:
                await response.write(frame)
                await asyncio.sleep(self._home.config.frame_interval_s)
        except (ConnectionResetError, asyncio.CancelledError):
            self._home.note_cancelled(request)
            raise

    def add_hls_part(self):
        """Runs in the double's loop: what a camera does several times a second."""
        self._playlist_parts += 1
        if self._part_added is not None:
            self._part_added.set()
            self._part_added = None

    async def _playlist(self, request):
        wanted = int(request.query.get("_HLS_msn", "0"))
        while self._playlist_parts < wanted:
            self._part_added = self._part_added or asyncio.Event()
            await self._part_added.wait()
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES",
                 *(f"./segment/{number}.m4s" for number in range(self._playlist_parts + 1))]
        return web.Response(text="\n".join(lines) + "\n", content_type="application/vnd.apple.mpegurl",
                            headers={"Access-Control-Allow-Origin": "*"})

    async def _segment(self, request):
        return web.Response(body=b"m4s%08d" % int(request.match_info["number"]) * 1000, content_type="video/mp4")

    async def _followed_log(self, request):
        self._home.require_auth(request)
        response = await self._stream(request, "text/plain", **{"X-Accel-Buffering": "no"})
        try:
            number = 0
            while True:
                number += 1
                await response.write(f"line {number}\n".encode())
                await asyncio.sleep(self._home.config.frame_interval_s)
        except (ConnectionResetError, asyncio.CancelledError):
            self._home.note_cancelled(request)
            raise

    async def _backup_upload(self, request):
        """Hashed as it comes, never stored."""
        self._home.require_auth(request)
        digest, octets = hashlib.sha256(), 0
        part = await (await request.multipart()).next()
        while chunk := await part.read_chunk(1 << 18):
            digest.update(chunk)
            octets += len(chunk)
        self._home.backups["uploaded"] = (octets, digest.hexdigest())
        return web.json_response({"backup_id": digest.hexdigest()[:8], "octets": octets, "sha256": digest.hexdigest()}, status=201)

    async def _backup_download(self, request):
        self._home.require_auth(request)
        mib = int(request.match_info["backup"])
        response = await self._stream(request, "application/x-tar", **{"Content-Disposition": "attachment; filename=backup.tar"})
        for _ in range(mib):
            await response.write(BACKUP_BLOCK)
        return response
