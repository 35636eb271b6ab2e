"""What the traffic of both runtimes keeps about its connections: ages, failures to connect, holders, counts."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any

from stretto._places import places
from stretto.errors import Error, PoolClosed, PoolTimeout
from stretto.flows.shared import Shared
from stretto.pool.lifetime import Backoff, Holder, Limits, Stats, is_target, transient
from stretto.pool.scheduler import Lane, Scheduler
from stretto.protocol.classify import READ
from stretto.protocol.request import Request
from stretto.runtime.base import told
from stretto.runtime.crowd import Crowd
from stretto.runtime.forks import forked, tell

_LOG = logging.getLogger("stretto.pool")
logging.getLogger("stretto").addHandler(logging.NullHandler())  # a program that set up no logging is not disturbed
_WARY = 0.25  # seconds for the end of all sessions to be noticed where the first said nothing of it
_FRAMES = 3  # places that a holder is remembered by
_READ_ONLY = "25006"  # SQLSTATE read_only_sql_transaction


class Keeper:
    """The books of one pool. ``timeout``: seconds that anybody waits for a connection (None: for ever).

    ``_refusal`` makes the error for new callers, when it is set; when it is ``_over`` too, nobody is served any more.
    """

    def __init__(self, shared: Shared, scheduler: Scheduler, timeout: float | None, limits: Limits) -> None:
        self.shared = shared
        self.scheduler = scheduler
        self._timeout = timeout
        self._limits = limits
        self._backoff = Backoff(random.random)
        self._target = shared.config.target_session_attrs
        self._refusal: Callable[[], Error] | None = None
        self._over = False
        self._next_look = 0.0
        self._opened = 0
        self._closed = 0
        self._failed = 0
        self.crowd = Crowd()
        tell(self)

    def stats(self) -> Stats:
        """Count what is there, and what was."""
        lanes = list(self.scheduler.lanes)
        held = sum(lane.held for lane in lanes)
        shared = sum(lane.depth > 0 and not lane.held for lane in lanes)
        return Stats(
            size=self.scheduler.size,
            connections=len(lanes),
            idle=len(lanes) - held - shared,
            shared=shared,
            held=held,
            opening=self.scheduler.opening,
            waiting=len(self.scheduler.waiting) + len(self.crowd.outside),
            in_flight=sum(lane.depth for lane in lanes),
            opened=self._opened,
            closed=self._closed,
            failed=self._failed,
        )

    def _in_vain(self, seconds: float | None) -> PoolTimeout:
        """The error for who has waited ``seconds`` for a connection: what holds them up."""
        now = monotonic()
        stats = self.stats()
        waiting = f"{stats.waiting + 1} callers wait" if stats.waiting else "1 caller waits"  # himself, who has left
        text = (
            f"no connection became free within {seconds} seconds: {stats.held} of {stats.size} are held, "
            f"{stats.shared} carry statements, {stats.opening} are being opened, {waiting}"
        )
        holders = [lane.holder for lane in list(self.scheduler.lanes) if lane.holder is not None]
        if holders:
            text += f"; the oldest is {min(holders, key=lambda holder: holder.since).describe(now)}"
        if len(holders) == stats.size:
            text += "; if they wait for another one themselves, as in connection(), they wait for each other for ever"
        cause = self._backoff.last
        if cause is not None:
            text += f"; the last attempt to connect failed: {cause}"
        error = PoolTimeout(text)
        error.__cause__ = cause
        return error

    def _could_not(self, error: Error) -> list[Any]:
        """Take note that an attempt to connect has failed; return those who don't wait for the next attempt.

        They are all, where it would fail again. Before the first success, when the server may not be there at all, only
        those wait who said how long.
        """
        self._failed += 1
        if transient(error):
            self._backoff.failed(monotonic(), error)
        told = []
        for waiting in (self.scheduler.waiting, self.crowd.outside):
            here = [one for one in waiting if not transient(error) or (self._opened == 0 and not one.patient)]
            for one in here:
                waiting.leave(one)
            told += here
        return told

    def _shut(self) -> list[Any]:
        """Let nobody wait any more; take all who do out of the queue."""
        self._over = True
        waiters = [*self.scheduler.waiting, *self.crowd.outside]
        self.scheduler.waiting.clear()
        self.crowd.clear()
        return waiters

    def _forget_waiting(self) -> None:
        """Those who wait are gone, with their loop or their process: they are served no more, nor told."""
        gone = PoolClosed("the loop or the process of who waited here is gone")
        for one in self.scheduler.waiting:
            one.failure = gone  # he may still be cancelled, and must not leave a queue that he is not in
            if type(one) is Request:
                one.done = True
        self.scheduler.waiting.clear()
        self.crowd.clear()

    def _could(self) -> None:
        self._opened += 1
        self._backoff.succeeded()

    def _wanted(self) -> int:
        """How many connections should be begun to open now."""
        scheduler = self.scheduler
        return self._backoff.allowed(scheduler.shortage(), scheduler.opening, monotonic())

    def _take(self, lane: Lane) -> None:
        lane.holder = Holder(monotonic(), places(_FRAMES))

    def _set_end(self, lane: Lane) -> None:
        lane.end = self._limits.end(monotonic(), random.random())  # noqa: S311  # spreads ages, hides nothing

    def _expired(self, now: float) -> list[Lane]:
        """Let the connections that are too old, or unused for too long, take nobody; return those that are empty."""
        self._next_look = now + self._limits.interval()
        over = [lane for lane in self.scheduler.lanes if not lane.retired and self._is_over(lane, now)]
        return [lane for lane in over if self.scheduler.retire(lane)]

    def _leaks(self, now: float) -> list[Holder]:
        """Find who has had a connection for too long; each is found once."""
        found = []
        for lane in self.scheduler.lanes:
            holder = lane.holder
            if holder is not None and not lane.link.listening and self._limits.is_leak(now, holder):
                lane.holder = replace(holder, told=True)
                found.append(holder)
        return found

    def _report_leaks(self, leaks: list[Holder], now: float) -> None:
        for holder in leaks:
            _LOG.warning(
                "a connection was taken and not given back within %s seconds (leak_detection): %s",
                self._limits.leak_detection,
                holder.describe(now),
            )

    def _is_over(self, lane: Lane, now: float) -> bool:
        return self._limits.expired(now, lane.end, lane.since if lane.depth == 0 and not lane.held else now)

    def _is_busy(self) -> bool:
        """Tell whether what was asked is still to be answered, or a connection to be given back.

        Whoever listens for notifications is not waited for, nor is who waits where there is no connection.
        """
        scheduler = self.scheduler
        lanes = list(scheduler.lanes)
        return bool(lanes) and (
            bool(scheduler.waiting or self.crowd.outside)
            or any(lane.depth or (lane.held and not lane.link.listening) for lane in lanes)
        )

    def _strayed(self, lane: Lane, requests: list[Request]) -> bool:
        """Tell whether a connection's server is no more what target_session_attrs asks for, as after a failover."""
        if self._target == "any":
            return False
        if not is_target(self._target, lane.link.machine.parameters):
            return True
        if self._target not in ("read-write", "primary"):
            return False
        return any(
            one.error is not None and getattr(told(one.error), "sqlstate", None) == _READ_ONLY for one in requests
        )

    def _retire_all(self) -> list[Lane]:
        """Let no connection take anybody any more; return those that are empty."""
        return [lane for lane in list(self.scheduler.lanes) if self.scheduler.retire(lane)]

    def _lose(self, lane: Lane) -> list[Lane] | None:
        """Take note that a connection is closed; None: that was known. Return the empty ones that are of no use either.

        Where the server has said that it goes as a whole, its other sessions are about to end as well, and take nobody
        any more. After another end they are looked at for a while before each use.
        """
        last = lane.retired  # it took nobody any more: it is the last of those that were open together, or was too old
        if not self.scheduler.remove(lane):
            return None
        self._closed += 1
        if last or self._over:
            return []
        if lane.link.machine.going:
            return self._retire_all()
        self.scheduler.wary = monotonic() + _WARY
        return []

    def _may_repeat(self, request: Request) -> bool:
        """Tell whether a statement may be run again that may have run: it only reads, and nobody has seen its rows."""
        return self.shared.retry_reads and request.kind == READ and not request.consumed and self._refusal is None

    def _forget_parent(self) -> None:
        """This is a child process: the connections are its parent's."""
        self._refusal = forked
        self._over = True
        self._forget_waiting()

    def _report_holders(self) -> None:
        """The Database is being closed: say who did not give his connection back."""
        now = monotonic()
        for lane in list(self.scheduler.lanes):
            if lane.holder is not None and not lane.link.listening:
                _LOG.warning(
                    "a connection was not given back before its Database was closed: %s", lane.holder.describe(now)
                )


def closed() -> Error:
    """What a closed pool says."""
    return PoolClosed("the Database is closed")
