"""The double itself: the order of Home Assistant's checks (security filter, X-Forwarded-*, ban, auth), its views, and what it noted."""
import asyncio
import hashlib
import hmac
import secrets
import socket
import struct
import time
from dataclasses import dataclass, field

from aiohttp import web

from home_assistant import security_filter
from home_assistant.auth import Auth, Bans
from home_assistant.forwarded import Refused, see
from home_assistant.streams import Streams
from home_assistant.websocket_api import Session
from support.origins import AiohttpOrigin, Notes

MAX_FIELD = 24570  # octets of a request line or a field; above it aiohttp answers 400
MAX_WHOLE_CONTENT = 16 * 1024 * 1024  # content that a view reads whole; streamed uploads have no bound

FRONTEND = """<!doctype html><html><head><title>Home Assistant</title><link rel="manifest" href="/manifest.json"></head>
<body><home-assistant></home-assistant></body></html>"""


@dataclass
class Config:
    """The switches of Home Assistant that matter to a proxy, with Home Assistant's defaults, and the double's clocks."""
    use_x_forwarded_for: bool = False
    trusted_proxies: list = field(default_factory=list)
    login_attempts_threshold: int = -1
    trusted_networks: list = field(default_factory=list)  # of the login provider of that name; empty: not configured
    providers_gate: object = None  # a threading.Event: /auth/providers is answered once it is set
    onboarding: bool = False
    version: str = "2026.8.0"
    external_url: str = ""
    user: tuple = ("owner", "an arbitrary password")
    camera_token: str = "an-arbitrary-camera-token"
    stream_ping_s: float = 50
    frame_interval_s: float = 0.5
    ping_interval_s: float = 0  # 0: Home Assistant's 55 s


class HomeAssistant:
    def __init__(self, tls=None, host="127.0.0.1", port=0, **config):
        self.config = Config(**config)
        self.log = Notes()
        self.cancelled = Notes()  # targets whose visitor left in mid-answer
        self.bans = Bans(self.config.login_attempts_threshold, self.log.add)
        self.auth = Auth(self.config, self.bans)
        self.streams = Streams(self)
        self.states = {"light.porch": "off", "sensor.outside": "21.5"}
        self.sessions = set()
        self.event_queues = set()
        self.binary_frames = []
        self.backups = {}
        self.webhooks = Notes()
        self._signing_key = secrets.token_bytes(32)
        self.origin = AiohttpOrigin(
            self._make_app, tls=tls, host=host, port=port, unnoted=(), max_line_size=MAX_FIELD, max_field_size=MAX_FIELD)

    # --- for tests: called from their thread ---

    @property
    def url(self):
        return self.origin.url

    @property
    def requests(self):
        return self.origin.requests

    def stop(self):
        self.origin.stop()

    def publish(self, event_type, data):
        """An event, as an automation would fire it, to all WebSocket and /api/stream subscribers."""
        self._in_loop(self._publish, event_type, data)

    def add_hls_part(self):
        self._in_loop(self.streams.add_hls_part)

    def _in_loop(self, function, *arguments):
        async def run():
            function(*arguments)
        self.origin.call(run())

    # --- for its parts: called in its loop ---

    def require_auth(self, request):
        if not (self.auth.accepts_header(request.headers.get("Authorization")) or self._signature_holds(request)):
            self.bans.count_wrong(request)
            raise web.HTTPUnauthorized

    def note_cancelled(self, request):
        self.cancelled.add(request.raw_path)

    def set_state(self, entity, state):
        self.states[entity] = state
        now = time.time()
        for session in list(self.sessions):
            session.publish("entities", {"c": {entity: {"+": {"s": state, "lc": now}}}})
        self._publish("state_changed", {"entity_id": entity, "new_state": {"state": state}})

    def _publish(self, event_type, data):
        event = {"event_type": event_type, "data": data, "origin": "LOCAL", "time_fired": "2026-01-01T00:00:00+00:00"}
        for session in list(self.sessions):
            session.publish(event_type, event)
        for queue in self.event_queues:
            queue.put_nowait(event)

    def sign_path(self, path, expires_s):
        until = int(time.time()) + expires_s
        return f"{path}{'&' if '?' in path else '?'}authSig={until}.{self._signature(path, until)}"

    def _signature(self, path, until):
        return hmac.new(self._signing_key, f"{path} {until}".encode(), hashlib.sha256).hexdigest()

    def _signature_holds(self, request):
        path, separator, signature = request.raw_path.rpartition("authSig=")
        until, _, mac = signature.partition(".")
        if request.method != "GET" or not separator or not until.isdigit() or int(until) < time.time():
            return False
        return hmac.compare_digest(mac, self._signature(path[:-1], int(until)))

    # --- the application ---

    def _make_app(self):
        app = web.Application(
            client_max_size=MAX_WHOLE_CONTENT,
            middlewares=[self._security_filter, self._forwarded, self._ban])
        app.on_response_prepare.append(self._add_headers)
        app.add_routes([
            web.get("/", self._frontend),
            web.get("/manifest.json", self._manifest),
            web.get("/service_worker.js", self._service_worker),
            web.get("/frontend_latest/{name}", self._static),
            web.get("/api/", self._api),
            web.get("/api/config", self._api_config),
            web.get("/api/websocket", self._websocket),
            web.route("*", "/api/webhook/{webhook}", self._webhook),
            web.route("*", "/double/whole", self._whole),
            web.get("/double/seen", self._seen),
            web.get("/double/reset", self._reset),
            web.get("/double/hang", self._hang),
            *self.auth.routes(),
            *self.streams.routes(),
        ])
        return app

    @web.middleware
    async def _security_filter(self, request, handler):
        if security_filter.is_refused(request.path, request.query_string):
            self.log.add(f"Filtered a potential harmful request to: {request.raw_path}")
            raise web.HTTPBadRequest
        return await handler(request)

    @web.middleware
    async def _forwarded(self, request, handler):
        try:
            seen = see(
                request.transport.get_extra_info("peername")[0],
                *(request.headers.getall(f"X-Forwarded-{name}", []) for name in ("For", "Proto", "Host")),
                self.config.use_x_forwarded_for, self.config.trusted_proxies)
        except Refused as refused:
            self.log.add(str(refused))
            raise web.HTTPBadRequest from None
        overrides = {key: value for key, value in vars(seen).items() if value is not None}
        return await handler(request.clone(**overrides) if overrides else request)

    @web.middleware
    async def _ban(self, request, handler):
        if self.bans.holds(request.remote):
            raise web.HTTPForbidden
        return await handler(request)

    async def _add_headers(self, _request, response):
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        response.headers["Server"] = ""

    async def _frontend(self, _request):
        if self.config.onboarding:
            raise web.HTTPFound("/onboarding.html")
        return web.Response(text=FRONTEND, content_type="text/html")

    async def _manifest(self, _request):
        return web.json_response(
            {"name": "Home Assistant", "short_name": "Home Assistant", "start_url": "/?homescreen=1", "display": "standalone"},
            content_type="application/manifest+json")

    async def _service_worker(self, _request):
        return web.Response(text="// nothing cached", content_type="text/javascript", headers={"Cache-Control": "no-cache"})

    async def _static(self, request):
        return web.Response(text=f"/* {request.match_info['name']} */ " + "x" * 20_000, content_type="text/javascript",
                            headers={"Cache-Control": f"public, max-age={31 * 86400}"})

    async def _api(self, request):
        self.require_auth(request)
        return web.json_response({"message": "API running."})

    async def _api_config(self, request):
        self.require_auth(request)
        return web.json_response({"location_name": "Home", "version": self.config.version, "state": "RUNNING", "components": ["http"],
                                  "internal_url": None, "external_url": self.config.external_url or None})

    async def _websocket(self, request):
        return await Session(self, request).serve()

    async def _webhook(self, request):
        self.webhooks.add((request.match_info["webhook"], request.remote, await request.read()))
        return web.Response(text="")

    async def _whole(self, request):
        return web.json_response({"octets": len(await request.read())})

    async def _seen(self, request):
        """How Home Assistant would take this visitor."""
        return web.json_response({"remote": request.remote, "scheme": request.scheme, "host": request.host})

    async def _reset(self, request):
        """Part of an announced answer, then a reset, as when Home Assistant is restarted."""
        response = web.StreamResponse(headers={"Content-Length": "1000000"})
        await response.prepare(request)
        await response.write(b"x" * 1000)
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
        return response

    async def _hang(self, request):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.note_cancelled(request)
            raise
