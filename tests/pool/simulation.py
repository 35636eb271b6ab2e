"""A server of several connections, simulated: callers arrive, a Scheduler decides, each lane serves its own in turn.

No sockets and no clock: time is a number in a heap of events. After each step the promises of the design are checked.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from stretto.pool.scheduler import WAKE, Lane, Scheduler
from stretto.protocol.classify import READ, WRITE
from stretto.protocol.request import Request
from stretto.protocol.statement import Statement

OPENING = 4e-3
ROUND_TRIP = 60e-6
WAKING = 100e-6  # of a thread that is to take a lane, while others run
SLOW = 5e-3  # the scheduler's


@dataclass
class Caller:
    """One call: a statement (None: a connection for itself), how long the server takes, and how it went."""

    number: int
    statement: Statement | None
    seconds: float
    arrived: float
    entry: Any = None
    lane: Lane | None = None
    placed: float = -1.0
    done: float = -1.0
    shares: bool = False  # others may be placed behind it
    then: Callable[[], None] = lambda: None


@dataclass
class Simulation:
    """``run`` until nothing is left to do; ``calls`` has everyone in the order of arrival."""

    size: int
    packs: bool = True
    wake: float = WAKE
    patience: float = 0.0
    now: float = 0.0
    calls: list[Caller] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.size, packs=self.packs, wake=self.wake, queue=1_000_000, patience=self.patience)
        self.scheduler.base = ROUND_TRIP
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._of: dict[int, Caller] = {}
        self._serving: dict[int, deque[Caller]] = {}
        self._waiting: deque[Caller] = deque()
        self._rung = 0
        self.overtaken = 0
        self.most_lanes = 0
        self.deepest = 0

    def at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), event))

    def run(self) -> None:
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()
            self._check()

    def call(self, statement: Statement | None, seconds: float, then: Callable[[], None] = lambda: None) -> None:
        """Somebody asks now; ``then`` is what he does when he has his answer."""
        caller = Caller(len(self.calls), statement, seconds, self.now, then=then)
        self.calls.append(caller)
        if statement is None:
            caller.entry = object()
            lane = self.scheduler.hold(self.now)
        else:
            caller.entry = Request(b"x" * 50, b"BEY", statement)
            caller.entry.kind = statement.kind
            lane = self.scheduler.place(caller.entry, self.now)
        self._of[id(caller.entry)] = caller
        if lane is not None:
            if self._waiting:
                first = self._waiting[0]
                assert first.statement is not None, "somebody who wants a connection for himself was overtaken"
                assert self.now - first.arrived < self.patience, "the queue was overtaken"
                self.overtaken += 1
            self._begin(caller, lane)
        else:
            self.scheduler.enqueue(caller.entry)
            self._waiting.append(caller)
        self._grow()

    def _grow(self) -> None:
        for _ in range(self.scheduler.shortage()):
            self.scheduler.opening += 1
            self.at(self.now + OPENING, self._opened)

    def _opened(self) -> None:
        self.scheduler.opening -= 1
        self._serving[id(self.scheduler.add(object(), self.now))] = deque()
        self._dispatch()

    def _dispatch(self) -> None:
        while (found := self.scheduler.dispatch(self.now)) is not None:
            entry, lane = found
            caller = self._of[id(entry)]
            assert caller is self._waiting.popleft(), "somebody was let through out of turn"
            self._begin(caller, lane)
        self._grow()

    def _begin(self, caller: Caller, lane: Lane) -> None:
        caller.lane, caller.placed = lane, self.now
        known = -1.0 if caller.statement is None else caller.statement.service
        caller.shares = (
            self.packs and caller.statement is not None and caller.statement.kind == READ and 0 <= known <= SLOW
        )
        serving = self._serving[id(lane)]
        before = [other for other in serving if not other.shares]
        assert not before, f"placed behind {before[0]}"
        if caller.statement is None:
            assert not serving, "a connection was handed out before it was drained"
        serving.append(caller)
        if len(serving) == 1:
            self.at(self.now + ROUND_TRIP + caller.seconds, lambda: self._end(lane))

    def _end(self, lane: Lane) -> None:
        serving = self._serving[id(lane)]
        caller = serving.popleft()
        caller.done = self.now
        if serving:
            self.at(self.now + serving[0].seconds, lambda: self._end(lane))
        if caller.statement is None:
            self.scheduler.release(lane, self.now)
        else:
            caller.entry.done = True
            if self.scheduler.answered(lane, [caller.entry], self.now) and self.scheduler.may_overtake(self.now):
                self._rung += 1
                self.at(self.now + WAKING, self._woken)
                caller.then()
                return
        self._dispatch()
        caller.then()

    def _woken(self) -> None:
        """The first who waits looks for a lane."""
        self._rung -= 1
        self._dispatch()

    def _check(self) -> None:
        scheduler = self.scheduler
        assert len(scheduler.lanes) + scheduler.opening <= self.size
        assert len(scheduler.waiting) == len(self._waiting)
        for lane in scheduler.lanes:
            serving = self._serving[id(lane)]
            assert lane.depth == (0 if lane.held else len(serving))
            assert self.packs or len(serving) <= 1
            assert lane.load >= -1e-9
            self.deepest = max(self.deepest, len(serving))
        self.most_lanes = max(self.most_lanes, sum(bool(serving) for serving in self._serving.values()))
        if self._waiting and not self._rung:
            free = [lane for lane in scheduler.lanes if lane.depth == 0 and not lane.shut]
            assert not free, "somebody waits although a connection is free"


def statement(kind: int, service: float = -1.0) -> Statement:
    """A statement of a kind, with what is known of its service time."""
    made = Statement({READ: "select 1", WRITE: "delete from t"}[kind], b"s", b"")
    made.service = made.least = service
    return made
