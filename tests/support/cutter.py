"""A TCP proxy between an agent and its relay that breaks connections: with RST at a chosen octet, or in silence."""
import contextlib
import selectors
import socket
import threading

from support.origins import Notes, reset

CHUNK = 1 << 16


class Cutter:
    """Listens on 127.0.0.1. Set `target` to the relay's (host, port) before the first connection. `cuts` notes for each cut how many octets
    had passed, both ways together. One thread carries everything; what a test asks for is done there, between two turns."""

    def __init__(self, target=None):
        self.target = target
        self.cuts = Notes()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._asked, self._hears = socket.socketpair()
        self._selector.register(self._hears, selectors.EVENT_READ, self._obey)
        self._lock = threading.Lock()
        self._orders = []
        self._pairs = set()
        self._passed = 0
        self._cut_at = None  # a value of _passed
        self._frozen = False
        self._refusing = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="cutter", daemon=True)
        self._thread.start()

    # --- what a test does to the network ---

    def cut(self):
        """Every connection ends with RST at both ends; octets under way are lost."""
        self._order(self._cut)

    def cut_after(self, octets):
        """A cut once so many more have passed, be it in the middle of a record."""
        def plan():
            self._cut_at = self._passed + octets
        self._order(plan)

    @contextlib.contextmanager
    def frozen(self):
        """Nothing passes and nothing ends meanwhile; whoever connects hears nothing."""
        self._order(lambda: self._set_frozen(True))
        try:
            yield
        finally:
            self._order(lambda: self._set_frozen(False))

    @contextlib.contextmanager
    def refusing(self):
        """Whoever connects is cut at once meanwhile."""
        def set_refusing(on):
            self._refusing = on
        self._order(lambda: set_refusing(True))
        try:
            yield
        finally:
            self._order(lambda: set_refusing(False))

    def lose_relay_side(self):
        """The relay sees its connections end; the agent's stay open and silent for good: a half-open peer."""
        self._order(lambda: self._lose("relay"))

    def lose_agent_side(self):
        """The other way round."""
        self._order(lambda: self._lose("agent"))

    def stop(self):
        def end():
            self._ended = True
        self._order(end)
        self._thread.join(10)

    def _order(self, order):
        done = threading.Event()
        with self._lock:
            self._orders.append((order, done))
        self._asked.send(b".")
        assert done.wait(10) or self._ended

    # --- the carrying thread ---

    def _run(self):
        while not self._ended:
            for key, events in self._selector.select():
                key.data(events)
        self._cut()
        self._selector.close()
        for left in (self._listener, self._asked, self._hears):
            left.close()

    def _obey(self, _events):
        self._hears.recv(4096)
        with self._lock:
            orders, self._orders = self._orders, []
        for order, done in orders:
            order()
            done.set()

    def _accept(self, _events):
        agent_side, _ = self._listener.accept()
        if self._refusing:
            return reset(agent_side)
        relay_side = socket.socket()
        try:
            relay_side.connect(self.target)
        except OSError:
            relay_side.close()
            return reset(agent_side)
        pair = _Pair(self._selector, self._admit, self._forget, agent_side, relay_side)
        self._pairs.add(pair)
        pair.pause(self._frozen)

    def _admit(self, octets):
        """What of these may still pass, and whether a cut is to follow."""
        if self._cut_at is None or self._cut_at > self._passed + len(octets):
            self._passed += len(octets)
            return octets, False
        octets = octets[:max(self._cut_at - self._passed, 0)]
        self._passed += len(octets)
        return octets, True

    def _forget(self, pair, cut=False):
        if cut:
            self._cut()
        self._pairs.discard(pair)

    def _cut(self):
        self._cut_at = None
        pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            pair.cut()
        if pairs:
            self.cuts.add(self._passed)

    def _set_frozen(self, on):
        self._frozen = on
        for pair in self._pairs:
            pair.pause(on)

    def _lose(self, side):
        for pair in self._pairs:
            pair.lose(side)


class _Way:
    """One direction: octets that were read and not yet written."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.pending = b""
        self.finished = False  # the source has sent its FIN


class _Pair:
    """One connection of the agent and the one to the relay that belongs to it."""

    def __init__(self, selector, admit, forget, agent_side, relay_side):
        self._selector, self._admit, self._forget = selector, admit, forget
        self._sides = {"agent": agent_side, "relay": relay_side}
        self._ways = [_Way(agent_side, relay_side), _Way(relay_side, agent_side)]
        self._paused = False
        for side in self._sides.values():
            side.setblocking(False)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def pause(self, on):
        self._paused = on
        self._watch()

    def lose(self, name):
        self.pause(True)
        if name in self._sides:  # may have lost it before
            reset(self._sides.pop(name))

    def cut(self):
        self.pause(True)
        for side in self._sides.values():
            reset(side)
        self._sides = {}

    def _watch(self):
        for side in self._sides.values():
            wanted = 0
            for way in self._ways:
                if way.source is side and not way.pending and not way.finished:
                    wanted |= selectors.EVENT_READ
                if way.sink is side and way.pending:
                    wanted |= selectors.EVENT_WRITE
            if self._paused:
                wanted = 0
            known = side.fileno() in self._selector.get_map()
            if known and wanted:
                self._selector.modify(side, wanted, self._carry)
            elif known:
                self._selector.unregister(side)
            elif wanted:
                self._selector.register(side, wanted, self._carry)

    def _carry(self, _events):
        try:
            for way in self._ways:
                if self._paused:
                    return
                if self._move(way):  # the cut was planned for here; it takes this pair too
                    return self._forget(self, cut=True)
        except OSError:  # an end's RST passes on; a FIN can't follow one (ENOTCONN)
            self.cut()
        if self._sides and all(way.finished and not way.pending for way in self._ways):
            self.cut()
        if not self._sides:
            return self._forget(self)
        self._watch()

    def _move(self, way):
        cut = False
        if not way.pending and not way.finished:
            try:
                octets = way.source.recv(CHUNK)
            except BlockingIOError:
                return False
            way.finished = not octets
            way.pending, cut = self._admit(octets)
        with contextlib.suppress(BlockingIOError):
            way.pending = way.pending[way.sink.send(way.pending):]
        if way.finished and not way.pending:
            way.sink.shutdown(socket.SHUT_WR)
        return cut
