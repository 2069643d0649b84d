"""Large transfers whose every octet counts: each place of the content differs from every other."""
import asyncio
import hashlib
import json
import struct
import threading

from aiohttp import web

from support.home_app import BLOCK, HomeApp
from support.processes import DEADLINE_S

NUMBER = struct.Struct("!Q")


def numbered(octets):
    """Content in blocks of 64 KiB, each with its place in front: lost, doubled or swapped pieces change the hash."""
    place = 0
    while place < octets:
        yield (NUMBER.pack(place) + BLOCK[NUMBER.size:])[:octets - place]
        place += len(BLOCK)


def sha256_of(octets):
    digest = hashlib.sha256()
    for block in numbered(octets):
        digest.update(block)
    return digest.hexdigest()


class NumberedHome(HomeApp):
    """/content/OCTETS answers with numbered content; /hash tells what it got; /ws echoes; /events/COUNT is an event stream."""

    def _routes(self):
        return [web.get("/events/{count}", self._events), *super()._routes()]

    async def _events(self, request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(int(request.match_info["count"])):
            await response.write(event(number))
            await asyncio.sleep(0)  # each leaves by itself
        return response

    @staticmethod
    async def _write(response, octets):
        for block in numbered(octets):
            await response.write(block)


def event(number):
    return f"id: {number}\ndata: {'x' * (number * 37 % 200)}\n\n".encode()


class Transfer:
    """One in a thread of its own. `wait_for(octets)` waits until so many have passed at the visitor's end."""

    def __init__(self, tunnel, octets):
        self._tunnel = tunnel
        self._octets = octets
        self._passed = 0
        self._failure = None
        self._changed = threading.Condition()
        self._ended = False
        self.sha256 = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            with self._tunnel.visitor() as visitor:
                visitor.socket.settimeout(4 * DEADLINE_S)  # outages and repeated cuts are inside
                self._transfer(visitor)
        except Exception as failure:  # told to whoever waits
            self._failure = failure
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _count(self, octets):
        with self._changed:
            self._passed += octets
            self._changed.notify_all()

    def passed(self):
        return self._passed

    def ended(self):
        return self._ended

    def wait_for(self, octets, deadline_s=None):
        with self._changed:
            self._changed.wait_for(lambda: self._passed >= octets or self._ended, DEADLINE_S if deadline_s is None else deadline_s)
            if self._failure:
                raise self._failure
            assert self._passed >= octets, f"{self._passed} of {octets} octets have passed"

    def finish(self, deadline_s=4 * DEADLINE_S):
        """Waits for the end; the SHA-256 of what arrived, or raises what went wrong."""
        self._thread.join(deadline_s)
        assert not self._thread.is_alive(), f"stuck at {self._passed} of {self._octets} octets"
        if self._failure:
            raise self._failure
        return self.sha256


class Download(Transfer):
    def _transfer(self, visitor):
        visitor.request(path=f"/content/{self._octets}")
        assert visitor.read_head().status == 200
        digest, left = hashlib.sha256(), self._octets
        while left:
            octets = visitor.read_some()
            digest.update(octets)
            left -= len(octets)
            self._count(len(octets))
        self.sha256 = digest.hexdigest()


class Events(Transfer):
    """Of so many numbered events none may be missing, doubled or out of place."""

    def _transfer(self, visitor):
        answer = visitor.ask("GET", f"/events/{self._octets}")
        assert answer.status == 200
        assert answer.content == b"".join(map(event, range(self._octets)))


class Upload(Transfer):
    def _transfer(self, visitor):
        visitor.send(f"POST /hash HTTP/1.1\r\nHost: {visitor.hostname}\r\nContent-Length: {self._octets}\r\n\r\n")
        for block in numbered(self._octets):
            visitor.send(block)
            self._count(len(block))
        answer = visitor.read_response()
        assert answer.status == 200, answer
        told = json.loads(answer.content)
        assert told["octets"] == self._octets
        self.sha256 = told["sha256"]
