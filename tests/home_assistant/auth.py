"""Logging in to the double: providers, the flow that is bound to one IP address, tokens, and the ban of who fails too often."""
import asyncio
import ipaddress
import secrets
from collections import Counter
from urllib.parse import urlsplit

from aiohttp import web

ACCESS_TOKEN_LIFETIME_S = 1800


class Bans:
    """Counts wrong logins per address; at the threshold every new request from there is 403. A threshold below 1 bans nobody."""

    def __init__(self, threshold, note):
        self.threshold = threshold
        self.banned = set()
        self.wrong = Counter()
        self._note = note

    def count_wrong(self, request):
        remote = ipaddress.ip_address(request.remote)
        self._note(f"Login attempt or request with invalid authentication from {remote}. Requested URL: '{request.rel_url}'")
        if self.threshold < 1:
            return
        self.wrong[remote] += 1
        if self.wrong[remote] >= self.threshold:
            self.banned.add(remote)
            self._note(f"Banned IP {remote} for too many login attempts")

    def forgive(self, request):
        self.wrong.pop(ipaddress.ip_address(request.remote), None)

    def holds(self, remote):
        return ipaddress.ip_address(remote) in self.banned


class Auth:
    """Users, flows, codes and tokens, all in memory."""

    def __init__(self, config, bans):
        self._config = config
        self._bans = bans
        self._flows = {}  # flow id -> (address it began from, provider)
        self._codes = {}  # authorization code -> client id
        self._refresh_tokens = {}  # refresh token -> client id
        self.access_tokens = set()

    def routes(self):
        return [
            web.get("/auth/providers", self._providers),
            web.post("/auth/login_flow", self._begin),
            web.post("/auth/login_flow/{flow}", self._go_on),
            web.post("/auth/token", self._token),
        ]

    def make_long_lived_token(self):
        token = secrets.token_urlsafe(32)
        self.access_tokens.add(token)
        return token

    def accepts_header(self, value):
        kind, _, token = (value or "").partition(" ")
        return kind == "Bearer" and token in self.access_tokens

    async def _providers(self, request):
        while self._config.providers_gate and not self._config.providers_gate.is_set():
            await asyncio.sleep(0.02)
        if self._config.onboarding:
            return _message("Onboarding not finished", 400, code="onboarding_required")
        providers = [{"name": "Home Assistant Local", "id": None, "type": "homeassistant"}]
        if self._may_use_trusted_networks(request):
            providers.append({"name": "Trusted Networks", "id": None, "type": "trusted_networks"})
        return web.json_response({"providers": providers, "preselect_remember_me": True})

    def _may_use_trusted_networks(self, request):
        # Home Assistant lists this provider only to addresses that may use it.
        address = ipaddress.ip_address(request.remote)
        return any(address in ipaddress.ip_network(network) for network in self._config.trusted_networks)

    async def _begin(self, request):
        data = await request.json()
        client, redirect = urlsplit(data["client_id"]), urlsplit(data["redirect_uri"])
        if (client.scheme, client.netloc) != (redirect.scheme, redirect.netloc):
            return self._refuse(request, "Invalid redirect URI", 403)
        provider = data["handler"][0]
        flow = secrets.token_hex(16)
        if provider == "trusted_networks":
            if not self._may_use_trusted_networks(request):
                return web.json_response({"type": "abort", "flow_id": flow, "handler": data["handler"], "reason": "not_allowed"})
            schema = [{"name": "user", "type": "select", "options": [["1", "Owner"]], "required": True}]
        elif provider == "homeassistant":
            schema = [{"name": "username", "type": "string", "required": True}, {"name": "password", "type": "string", "required": True}]
        else:
            return self._refuse(request, "Invalid handler specified", 404)
        self._flows[flow] = (ipaddress.ip_address(request.remote), provider)
        return self._form(flow, provider, schema, {})

    @staticmethod
    def _form(flow, provider, schema, errors):
        return web.json_response({
            "type": "form", "flow_id": flow, "handler": [provider, None], "step_id": "init", "data_schema": schema, "errors": errors})

    async def _go_on(self, request):
        flow, data = request.match_info["flow"], await request.json()
        if flow not in self._flows:
            return self._refuse(request, "Invalid flow specified", 404)
        began_from, provider = self._flows[flow]
        if began_from != ipaddress.ip_address(request.remote):
            return self._refuse(request, "IP address changed", 400)
        if provider == "homeassistant" and (data.get("username"), data.get("password")) != self._config.user:
            self._bans.count_wrong(request)
            return self._form(flow, provider, [], {"base": "invalid_auth"})
        del self._flows[flow]
        self._bans.forgive(request)
        code = secrets.token_hex(16)
        self._codes[code] = data["client_id"]
        return web.json_response({
            "type": "create_entry", "flow_id": flow, "handler": [provider, None], "version": 1, "title": "Owner", "result": code})

    async def _token(self, request):
        form = await request.post()
        grant = form.get("grant_type")
        if grant == "authorization_code" and self._codes.pop(form.get("code"), None) == form.get("client_id"):
            refresh = secrets.token_hex(32)
            self._refresh_tokens[refresh] = form["client_id"]
            return self._access({"refresh_token": refresh})
        if grant == "refresh_token" and self._refresh_tokens.get(form.get("refresh_token"), "none") == form.get("client_id"):
            return self._access({})
        self._bans.count_wrong(request)
        return web.json_response({"error": "invalid_request", "error_description": "Invalid code"}, status=400)

    def _access(self, more):
        return web.json_response({
            "access_token": self.make_long_lived_token(), "token_type": "Bearer", "expires_in": ACCESS_TOKEN_LIFETIME_S,
            "ha_auth_provider": "homeassistant", **more})

    def _refuse(self, request, text, status):
        self._bans.count_wrong(request)  # every answer from 400 up counts, whatever its reason
        return _message(text, status)


def _message(text, status, code=None):
    return web.json_response({"message": text, **({"code": code} if code else {})}, status=status)
