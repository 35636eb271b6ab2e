"""For tests of programs that use stretto: how many statements a piece of code sends, in how many round trips.

Flows (generators of Requests) are looked at on their way into the runtimes. That is put in place when ``expect`` is
used for the first time, so that a program without it has nothing to carry.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from stretto._sync.pool import RESET
from stretto.codecs import catalog
from stretto.errors import printable
from stretto.protocol.classify import CONTROL
from stretto.protocol.request import Request
from stretto.runtime import aio, atraffic, blocking, traffic

__all__ = ["Seen", "expect"]

_SHOWN = 200  # characters of a statement in an error
_HOOKED = [
    (owner, name)
    for owner in (aio.Link, blocking.Link, atraffic.Traffic, traffic.Traffic)
    for name in ("run", "settle")
    if hasattr(owner, name)
]
_WATCHING: ContextVar[tuple[Seen, ...]] = ContextVar("stretto_watching", default=())


class Seen:
    """What was sent: the SQL of each of the ``statements``, in order, and the number of ``round_trips``."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.round_trips = 0
        self._answered = 0
        self._trips: dict[Request, int] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Seen {_counted(len(self.statements), 'statement')}, {_counted(self.round_trips, 'round trip')}>"

    def _next(self) -> int:
        """The round trip that something belongs to which is sent now: that behind the last one that was answered."""
        return self._answered + 1

    def _asked(self, request: Request, trip: int) -> None:
        """A flow has something to send."""
        with self._lock:
            if request not in self._trips:
                self.statements.extend(_statements(request))
            elif request.extra is None:
                return  # it only waits on
            self._trips[request] = trip
            self.round_trips = max(self.round_trips, trip)

    def _heard(self, request: Request) -> None:
        with self._lock:
            self._answered = max(self._answered, self._trips.get(request, 0))

    def _differs(self, statements: int | None, round_trips: int | None) -> str:
        """What is not as expected, with the SQL of all that was sent; nothing where all is."""
        texts = [
            f"expected {_counted(expected, what)}, not {found}"
            for expected, found, what in (
                (statements, len(self.statements), "statement"),
                (round_trips, self.round_trips, "round trip"),
            )
            if expected is not None and expected != found
        ]
        if not texts:
            return ""
        lines = [f"  {number}. {_short(sql)}" for number, sql in enumerate(self.statements, 1)]
        return "\n".join(["; ".join(texts) + (":" if lines else ": nothing was sent"), *lines])


@contextmanager
def expect(*, statements: int | None = None, round_trips: int | None = None) -> Iterator[Seen]:
    """Raise AssertionError unless the block sends so many statements, in so many round trips (None: any number).

    The error lists the SQL of what was sent, never its arguments; so does the Seen that ``with ... as`` gives. All
    Databases count, blocking and asyncio, with what runs in this context: tasks that are started in the block,
    ``run()``, ``asyncio.to_thread``; a thread or greenlet only when it is run in a copy of the context
    (``contextvars.copy_context().run``). What goes out before an answer has come is one round trip, whosever it is.
    A transaction's BEGIN and COMMIT are no statements, and COMMIT takes a round trip of its own (unless it goes with
    the ``final`` statement). What the driver asks when it meets a statement or type for the first time, or makes a
    connection anew, does not count: it is not the same in each run. Where the block raises, nothing is checked.
    """
    _install()
    seen = Seen()
    around = _WATCHING.get()
    _WATCHING.set((*around, seen))
    try:
        yield seen
    finally:
        _WATCHING.set(around)
    said = seen._differs(statements, round_trips)
    if said:
        raise AssertionError(said)


@functools.cache
def _install() -> None:
    """Have the flows looked at that the runtimes are given."""
    for owner, name in _HOOKED:
        setattr(owner, name, _watching(getattr(owner, name)))


def _watching(drive: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(drive)
    def watching(self: Any, flow: Any, *args: Any, **keywords: Any) -> Any:
        watchers = _WATCHING.get()
        return drive(self, _watched(flow, watchers) if watchers else flow, *args, **keywords)

    return watching


def _watched(flow: Any, watchers: tuple[Seen, ...]) -> Generator[Request, Any, Any]:
    """The same flow; each of its requests is shown to the watchers when it is sent and when it was waited for.

    What the driver asks first for itself takes no time here: the statement belongs where it would be without.
    """
    trips: list[int] = []
    try:
        request: Request = flow.send(None)
        while True:
            waits = not request.hurry
            trips = trips or [seen._next() for seen in watchers]
            if not _is_aside(request):
                for seen, trip in zip(watchers, trips, strict=True):
                    seen._asked(request, trip)
                trips = []
            answer = yield request
            if waits:
                for seen in watchers:
                    seen._heard(request)
            request = flow.send(answer)
    except StopIteration as stop:
        return stop.value
    finally:
        flow.close()


def _is_aside(request: Request) -> bool:
    """Whether the driver asks for itself: it prepares a statement, learns types, or makes a session as new."""
    if b"E" not in request.said and b"Q" not in request.said:
        return True
    texts = _texts(request)
    return texts == [catalog.QUERY] or any(text.startswith(RESET) for text in texts)


def _statements(request: Request) -> list[str]:
    """The SQL of what a request executes; BEGIN, COMMIT and their kin are the driver's."""
    return [] if request.kind == CONTROL else _texts(request)


def _texts(request: Request) -> list[str]:
    statement: Any = request.statement
    if statement is None:
        return [request.text or ""]
    return [str(one.sql) for one in (statement if type(statement) is tuple else (statement,))]


def _short(sql: str) -> str:
    text = printable(" ".join(sql.split()))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
