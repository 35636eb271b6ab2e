"""Slow statements: where the seconds of a call went, for the logger ``stretto.slow``.

Requests carry times (``Request.called`` to ``heard``), for which the clock is read when one is placed, once for all
that is written at a time, and once for all that is read at a time. Here they are summed up, and only of a call that
took too long. Parameters are not looked at, strings in the SQL and the server's messages not shown.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Any

from stretto.codecs import catalog
from stretto.errors import DatabaseError, StatementTimeout, printable
from stretto.protocol.classify import CONTROL
from stretto.protocol.lexer import hide_strings
from stretto.protocol.request import Request
from stretto.wire import backend

_LOG = logging.getLogger("stretto.slow")
_READ = 10_000  # characters of the SQL that are looked at,
_SHOWN = 200  # and shown


@dataclass(frozen=True, slots=True)
class SlowStatement:
    """A call that was slow; a record of the log has it as its ``slow``. Times are in seconds, their sum is ``total``.

    ``queued``: until it was placed on a connection. ``wire``: until its bytes were handed to the socket, and from the
    first to the last byte of its reply. ``behind``: until the replies to the ``others`` before it on the connection had
    ended. ``server``: until its reply began. ``decode``: the rest, in the caller. ``outcome``: the command tag, or what
    it failed with. ``pid``: the server's process, where one was asked and is known.
    """

    sql: str
    outcome: str
    pid: int | None
    others: int
    queued: float = 0.0
    behind: float = 0.0
    wire: float = 0.0
    server: float = 0.0
    decode: float = 0.0

    @property
    def total(self) -> float:
        """All seconds of the call."""
        return self.queued + self.behind + self.wire + self.server + self.decode

    def __str__(self) -> str:
        behind = f"behind {self.others} others {self.behind:.3f}, " if self.others else ""
        return (
            f"{self.total:.3f} s (queued {self.queued:.3f}, {behind}wire {self.wire:.3f}, server {self.server:.3f}, "
            f"decode {self.decode:.3f}), pid {self.pid}, {self.outcome}: {self.sql}"
        )


def start(request: Request, waited: float) -> None:
    """A call on a connection begins, ``waited`` seconds after it was made, with a request that may be a stream's."""
    now = monotonic()
    request.called = now - waited
    request.taken = now
    if request.queued and not request.ready():
        request.began = request.heard = 0.0
    request.decoding = 0.0


def follow(request: Request, following: Request) -> Request:
    """Return the request that a call's flow yields after another one, or the same again, and note that they belong."""
    if following is request:
        if request.partial and request.began and not request.done:
            request.decoding += monotonic() - request.heard
    elif following.call is None or following.call is not request.call:
        request.call = following.call = request.call or [request]
        following.behind = -sum(not one.done for one in request.call)  # its own are no others
        request.call.append(following)
        following.called = monotonic()
    return following


def note(limit: float, request: Request | None, error: BaseException | None = None) -> None:
    """A call has ended, with an error or without: log it if it took ``limit`` seconds. ``request``: its last one."""
    if request is None or not request.called:
        return
    now = monotonic()
    requests = list(request.call or [request])
    if now - requests[0].called >= limit and _is_heard():
        statement = summed(requests, now, error)
        _LOG.warning("slow statement: %s", statement, extra={"slow": statement})
    if request.call is not None:
        request.call.clear()  # else they would refer to each other until they are collected


def _is_heard() -> bool:
    """Whether anybody listens: under load every call may be slow, and to say so would make it slower.

    The library's own NullHandler does not count.
    """
    if not _LOG.isEnabledFor(logging.WARNING):
        return False
    logger: logging.Logger | None = _LOG
    while logger is not None:
        for handler in logger.handlers:
            if type(handler) is not logging.NullHandler:
                return True
        logger = logger.parent if logger.propagate else None
    return False


def summed(requests: Sequence[Request], now: float, error: BaseException | None) -> SlowStatement:
    """Sum up the requests of a call that ends now."""
    named = [(request, _text(request)) for request in requests if _text(request)]
    own = [each for each in named if each[0].kind != CONTROL and each[1] != catalog.QUERY]
    main, sql = (own or named or [(requests[-1], "")])[-1]
    return SlowStatement(
        _shown(sql[:_READ]),
        _outcome(main, error),
        requests[-1].pid or None,
        max([request.behind for request in requests]),
        **_split([request for request in requests if not request.given_up or error is not None], now),
    )


def _split(requests: Sequence[Request], now: float) -> dict[str, float]:
    """Give each stretch of time between two stamps to a part; what lies before the last one's end is counted once."""
    parts = dict.fromkeys(("queued", "behind", "wire", "server", "decode"), 0.0)
    at = requests[0].called
    for request in requests:
        for stamp, part in (
            (request.called, "decode"),
            (request.taken, "queued"),
            (request.sent_at, "wire"),
            (request.due, "behind"),
            (request.began, "server"),
            (request.heard, "wire"),
        ):
            if stamp > at:
                parts[part] += stamp - at
                at = stamp
        aside = min(request.decoding, parts["wire"])
        parts["wire"] -= aside
        parts["decode"] += aside
    unfinished = [request for request in requests if not (request.done or request.suspended)]
    parts[_stage(unfinished[0] if unfinished else requests[-1])] += max(now - at, 0.0)
    return parts


def _stage(request: Request) -> str:
    """What was being waited for when nothing more was heard of a request."""
    if not request.sent_at:
        return "wire" if request.taken else "queued"
    if not request.began:
        return "behind" if request.behind and not request.due else "server"
    return "decode" if request.done or request.suspended else "wire"


def _outcome(request: Request, error: BaseException | None) -> str:
    """The command tag, or the error's class and code; a message may have values in it."""
    if error is None:
        if request.tag is not None:
            return printable(backend.command_tag(request.tag))
        return "done" if request.done else "not at its end"
    said = [f"failed with {type(error).__name__}"]
    if isinstance(error, DatabaseError) and error.sqlstate is not None:
        said.append(f"({printable(error.sqlstate)})")
    if isinstance(error, StatementTimeout):
        said.append(f"({error.outcome})")
    return " ".join(said)


def _text(request: Request) -> str:
    statement: Any = request.statement
    if statement is None:
        return request.text or ""
    if type(statement) is not tuple:
        return str(statement.sql)
    more = len(statement) - 1
    return f"{statement[0].sql}{f' (and {more} more)' if more else ''}"


@lru_cache(maxsize=256)
def _shown(sql: str) -> str:
    text = printable(" ".join(hide_strings(sql).split()))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
