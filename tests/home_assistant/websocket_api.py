"""/api/websocket: the authentication phase, commands, subscriptions, coalesced answers, and the limit on what may wait unsent."""
import asyncio
import contextlib
import json
import time

from aiohttp import WSMsgType, web

AUTH_TIMEOUT_S = 10
PING_INTERVAL_S = 55  # under the 60 s at which many proxies give an idle connection up
MAX_PENDING = 4096  # messages; above it Home Assistant drops the client
MAX_MESSAGE = 4 * 1024 * 1024


class Session:
    """One client. A writer task of its own sends what is queued, so a slow client is noticed by its queue."""

    def __init__(self, home, request):
        self._home = home
        self._request = request
        self._socket = web.WebSocketResponse(heartbeat=home.config.ping_interval_s or PING_INTERVAL_S, max_msg_size=MAX_MESSAGE)
        self._queue = asyncio.Queue()
        self._coalesce = False
        self._subscriptions = {}  # command id -> "entities" or an event type
        self.dropped_for_queue = False

    async def serve(self):
        await self._socket.prepare(self._request)
        writer = asyncio.ensure_future(self._write())
        self._home.sessions.add(self)
        try:
            if await self._authenticate():
                await self._take_commands()
        finally:
            self._home.sessions.discard(self)
            self._queue.put_nowait(None)
            with contextlib.suppress(asyncio.CancelledError, ConnectionError, asyncio.TimeoutError):
                await asyncio.wait_for(writer, 2)
        return self._socket

    def publish(self, event_type, event):
        for number, wanted in self._subscriptions.items():
            if wanted in (event_type, None):
                self.send({"id": number, "type": "event", "event": event})

    def send(self, message):
        if self._queue.qsize() >= MAX_PENDING:
            self.dropped_for_queue = True
            self._request.transport.abort()
            return
        self._queue.put_nowait(message)

    async def _write(self):
        while (message := await self._queue.get()) is not None:
            batch = [message]
            while self._coalesce and not self._queue.empty() and len(batch) < 100:
                following = self._queue.get_nowait()
                if following is None:
                    self._queue.put_nowait(None)
                    break
                batch.append(following)
            await self._socket.send_str(json.dumps(batch if self._coalesce and len(batch) > 1 else batch[0]))

    async def _authenticate(self):
        self.send({"type": "auth_required", "ha_version": self._home.config.version})
        try:
            first = await self._socket.receive_json(timeout=AUTH_TIMEOUT_S)
        except (asyncio.TimeoutError, TypeError, ValueError):
            first = {}
        if first.get("type") == "auth" and first.get("access_token") in self._home.auth.access_tokens:
            self.send({"type": "auth_ok", "ha_version": self._home.config.version})
            return True
        self._home.bans.count_wrong(self._request)
        self.send({"type": "auth_invalid", "message": "Invalid access token or password"})
        return False

    async def _take_commands(self):
        async for message in self._socket:
            if message.type == WSMsgType.TEXT:
                commands = json.loads(message.data)
                for command in commands if isinstance(commands, list) else [commands]:
                    self._obey(command)
            elif message.type == WSMsgType.BINARY:
                self._home.binary_frames.append(len(message.data))

    def _obey(self, command):
        number, kind = command.get("id"), command.get("type", "")
        action = getattr(self, "_on_" + kind.replace("/", "_"), None)
        if action is None:
            self.send({"id": number, "type": "result", "success": False, "error": {"code": "unknown_command", "message": "Unknown command."}})
        else:
            action(number, command)

    def _result(self, number, result=None):
        self.send({"id": number, "type": "result", "success": True, "result": result})

    def _on_supported_features(self, number, command):
        self._coalesce = bool(command.get("features", {}).get("coalesce_messages"))
        self._result(number)

    def _on_ping(self, number, _command):
        self.send({"id": number, "type": "pong"})

    def _on_get_states(self, number, _command):
        self._result(number, [
            {"entity_id": entity, "state": state, "attributes": {}, "last_changed": "2026-01-01T00:00:00+00:00",
             "last_updated": "2026-01-01T00:00:00+00:00", "context": {"id": "1", "parent_id": None, "user_id": None}}
            for entity, state in self._home.states.items()])

    def _on_get_config(self, number, _command):
        self._result(number, {"location_name": "Double", "version": self._home.config.version, "state": "RUNNING", "components": []})

    def _on_auth_current_user(self, number, _command):
        self._result(number, {"id": "1", "name": "Owner", "is_owner": True, "is_admin": True})

    def _on_auth_sign_path(self, number, command):
        self._result(number, {"path": self._home.sign_path(command["path"], command.get("expires", 30))})

    def _on_subscribe_events(self, number, command):
        self._subscriptions[number] = command.get("event_type")
        self._result(number)

    def _on_subscribe_entities(self, number, _command):
        self._subscriptions[number] = "entities"
        self._result(number)
        now = time.time()
        self.send({"id": number, "type": "event", "event": {
            "a": {entity: {"s": state, "a": {}, "c": "1", "lc": now} for entity, state in self._home.states.items()}}})

    def _on_unsubscribe_events(self, number, command):
        self._subscriptions.pop(command.get("subscription"), None)
        self._result(number)

    def _on_call_service(self, number, command):
        entity = command.get("target", {}).get("entity_id") or command.get("service_data", {}).get("entity_id")
        self._result(number, {"context": {"id": "1"}})
        self._home.set_state(entity, "off" if command["service"] == "turn_off" else "on")
