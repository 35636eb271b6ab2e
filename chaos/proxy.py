"""A TCP proxy between a client and a PostgreSQL server that does harm where it is told to.

    with Proxy(host, port) as proxy:                            # in a thread of its own, for blocking code and asyncio
        db = stretto.Database(proxy.url(url))
        proxy.shape(latency=0.02, jitter=0.01, slice=7)
        rule = proxy.add(Rule(on("F", "Q", text="commit"), Do.CUT, after=True))
        ...
        rule.fired.wait(5)

Everything public may be called from any thread. Traffic is understood message by message unless it is encrypted.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from chaos.messages import Conversation, Message

CHUNK = 1 << 16
CLOSING = 1.0  # seconds that a client has to notice that it was cut off
OTHER = {"F": "B", "B": "F"}


class Do(Enum):
    """What a rule does."""

    NOTE = "note"  # nothing: somebody waits for the message (Rule.fired)
    CUT = "cut"  # end the connection; both sides see the end of the stream
    RESET = "reset"  # end it with RST
    HOLD = "hold"  # keep this direction waiting until Rule.release()
    SWALLOW = "swallow"  # from here on this direction is a black hole
    CORRUPT = "corrupt"  # turn the bits of one byte of the message (Rule.at)


class Rule:
    """Do something before, or ``after``, each of the first ``times`` messages that ``when`` accepts."""

    def __init__(
        self, when: Callable[[Message], bool], do: Do, *, after: bool = False, times: int | None = 1, at: int = -1
    ) -> None:
        self.when = when
        self.do = do
        self.after = after
        self.at = at
        self.left = times
        self.hits = 0
        self.fired = threading.Event()
        self._gate: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def takes(self, message: Message) -> bool:
        """Whether the rule is for this message; counts it if so."""
        if self.left == 0 or not self.when(message):
            return False
        if self.left is not None:
            self.left -= 1
        self.hits += 1
        if self.do is Do.HOLD and self._gate is None:
            self._gate = asyncio.get_running_loop(), asyncio.Event()
        if self.do in (Do.NOTE, Do.CORRUPT, Do.SWALLOW):
            self.fired.set()  # the others once they are done
        return True

    async def hold(self) -> None:
        self.fired.set()
        if self._gate is not None:
            await self._gate[1].wait()

    def release(self) -> None:
        """Let go what is held, now and later."""
        if self._gate is not None:
            loop, event = self._gate
            loop.call_soon_threadsafe(event.set)
        self.left = 0


def on(
    side: str, kind: str | None = None, *, number: int | None = None, text: str | None = None
) -> Callable[..., bool]:
    """A condition for rules: of a side, and a kind, a number, a text (SQL or tag) where they are given."""

    def when(message: Message) -> bool:
        return (
            message.side == side
            and kind in (None, message.kind)
            and number in (None, message.number)
            and (text is None or message.says(text))
        )

    return when


@dataclass(frozen=True)
class Shape:
    """How one direction flows: seconds of delay, at most ``slice`` bytes in one write, bytes a second."""

    latency: float = 0.0
    jitter: float = 0.0
    slice: int = 0
    bandwidth: float = 0.0

    def delay(self) -> float:
        return self.latency + random.random() * self.jitter


class Session:
    """One client's connection and ours to the server: a pump and a delivery for each direction."""

    def __init__(self, proxy: Proxy, client: tuple[Any, Any], server: tuple[Any, Any]) -> None:
        self.proxy = proxy
        self.heard: Counter[tuple[str, str]] = Counter()
        self._conversation = Conversation()
        self._readers = {"F": client[0], "B": server[0]}
        self._writers = {"F": server[1], "B": client[1]}  # where what a side says goes
        self._queues: dict[str, asyncio.Queue[tuple[float, Any]]] = {side: asyncio.Queue(256) for side in "FB"}
        self._swallowing: set[str] = set()
        self.ending: asyncio.Future[Do] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Carry bytes until one side ends, or a rule or the proxy says so."""
        tasks = [asyncio.ensure_future(work(side)) for side in "FB" for work in (self._pump, self._deliver)]
        for task in tasks:
            task.add_done_callback(self._failed)
        how = Do.RESET
        try:
            how = await self.ending
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close(how)

    def _failed(self, task: asyncio.Future[None]) -> None:
        """A mistake of the proxy itself is shown, and not a connection that hangs."""
        if not task.cancelled() and (error := task.exception()) and not self.ending.done():
            self.ending.set_exception(error)

    def end(self, how: Do) -> None:
        if not self.ending.done():
            self.ending.set_result(how)

    async def _pump(self, side: str) -> None:
        """Read, look at each message, and queue what shall be written, and done, in its order."""
        queue, loop, due = self._queues[side], asyncio.get_running_loop(), 0.0
        while True:
            try:
                data = await self._readers[side].read(CHUNK)
            except ConnectionError:
                data, ending = b"", Do.RESET
            else:
                ending = Do.CUT
            due = max(due, loop.time() + self.proxy.shapes[side].delay())  # bytes never overtake bytes
            if not data:
                await queue.put((due, ending))
                return
            for step in self._steps(side, data):
                await queue.put((due, step))

    def _steps(self, side: str, data: bytes) -> list[bytes | Do | Rule]:
        """What is to be done with these bytes. An incomplete message waits for its rest."""
        steps: list[bytes | Do | Rule] = []
        plain = bytearray()

        def act(rule: Rule) -> None:
            if rule.do is Do.SWALLOW:
                self._swallowing.add(side)
            elif rule.do in (Do.CUT, Do.RESET, Do.HOLD):
                steps.extend((bytes(plain), rule))
                plain.clear()

        for message in self._conversation.feed(side, data):
            self.heard[side, message.kind] += 1
            self.proxy.heard[side, message.kind] += 1
            rules = [rule for rule in self.proxy.rules if rule.takes(message)]
            raw = bytearray(message.data)
            for rule in rules:
                if rule.do is Do.CORRUPT:
                    raw[rule.at] ^= 0xFF
                elif not rule.after:
                    act(rule)
            if side not in self._swallowing and side not in self.proxy.black_holes:
                plain += raw
            for rule in rules:
                if rule.after:
                    act(rule)
        return [step for step in (*steps, bytes(plain)) if step]

    async def _deliver(self, side: str) -> None:
        loop, writer = asyncio.get_running_loop(), self._writers[side]
        while True:
            due, step = await self._queues[side].get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if isinstance(step, bytes):
                try:
                    await self._write(writer, step, self.proxy.shapes[side])
                except ConnectionError:
                    step = Do.CUT
            elif isinstance(step, Rule):
                if step.do is Do.HOLD:
                    await step.hold()
                    continue
                step.fired.set()
                step = step.do
            if isinstance(step, Do):
                self.end(step)
                return

    @staticmethod
    async def _write(writer: asyncio.StreamWriter, data: bytes, shape: Shape) -> None:
        while data:
            size = random.randint(1, shape.slice) if shape.slice else len(data)
            piece, data = data[:size], data[size:]
            writer.write(piece)
            await writer.drain()
            if shape.slice or shape.bandwidth:
                await asyncio.sleep(len(piece) / shape.bandwidth if shape.bandwidth else 0)

    async def _close(self, how: Do) -> None:
        server, client = self._writers["F"], self._writers["B"]
        if how is Do.RESET:
            for writer in (server, client):
                reset(writer)
            return
        # A close with bytes unread would be a RST: say the end of the stream, and read until the client goes, too.
        server.close()
        with contextlib.suppress(OSError, TimeoutError):
            client.write_eof()
            async with asyncio.timeout(CLOSING):
                while await self._readers["F"].read(CHUNK):
                    pass
        client.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Proxy:
    """Listens on a free port of loopback and forwards to ``host`` (a path: a Unix socket) and ``port``.

    ``mode`` says what becomes of new connections: forward, close, reset, or silent (taken, and never a word).
    ``accepted`` counts connections, ``heard`` messages by side and kind.
    """

    def __init__(self, host: str, port: int) -> None:
        self.target = host, port
        self.mode = "forward"
        self.accepted = 0
        self.heard: Counter[tuple[str, str]] = Counter()
        self.rules: tuple[Rule, ...] = ()
        self.shapes = {"F": Shape(), "B": Shape()}
        self.black_holes: frozenset[str] = frozenset()
        self.port = 0
        self._sessions: set[Session] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos.proxy", daemon=True)

    @classmethod
    def before(cls, url: str) -> Self:
        """A proxy before the server of a URL."""
        parts = urlsplit(url)
        return cls(parts.hostname or "127.0.0.1", parts.port or 5432)

    def url(self, url: str) -> str:
        """The URL with our address in it."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))

    def add(self, rule: Rule) -> Rule:
        self.rules = (*self.rules, rule)
        return rule

    def clear(self) -> None:
        """No rules and no shapes any more; what is held is let go."""
        rules, self.rules = self.rules, ()
        self.shapes = {"F": Shape(), "B": Shape()}
        self.black_holes = frozenset()
        for rule in rules:
            rule.release()

    def shape(self, *, sides: str = "FB", **how: Any) -> None:
        """Set how the directions flow: latency, jitter, slice, bandwidth (see Shape)."""
        self.shapes = self.shapes | {side: Shape(**how) for side in sides}

    def black_hole(self, sides: str = "FB") -> None:
        """Swallow all that these sides say from now on, on every connection."""
        self.black_holes = frozenset(sides)

    def cut(self, how: Do = Do.CUT) -> None:
        """End every connection, by CUT or RESET, at once."""
        self._call(self._end_all(how))

    async def _end_all(self, how: Do) -> None:
        for session in list(self._sessions):
            session.end(how)

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.mode == "reset":
                reset(writer)
            if self.mode == "silent":
                await asyncio.Event().wait()
            if self.mode != "forward":
                return
            try:
                server = await self._connect()
            except OSError:
                reset(writer)
                return
            session = Session(self, (reader, writer), server)
            self._sessions.add(session)
            try:
                await session.run()
            finally:
                self._sessions.discard(session)
                server[1].close()
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self.target
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)
