"""Scheduler: which connection carries a request, or that it must wait. Pure: no I/O, and times are passed in.

A request is placed on the lane (connection) with the least expected finish. Statements known to be short are packed on
a busy lane, because each further connection costs wake-ups and system calls on both sides (``wake``); what is long is
spread. Nothing is placed behind what may wait for a lock, what is not known yet, or what is known or seen to be slow.
Whoever finds no lane waits in one queue, which is never overtaken. Service times are moving averages, kept in the
statements: what the server took, without the round trip (``base``), which is the least that was seen.
"""

from __future__ import annotations

from typing import Any

from stretto.errors import PoolFull
from stretto.pool.lifetime import Holder
from stretto.pool.queue import Queue
from stretto.protocol.classify import READ
from stretto.protocol.request import Request
from stretto.protocol.statement import Statement

WAKE = 200e-6  # seconds that a further connection must save before it is worth its wake-ups, or its opening,
_SAVED = 20e-6  # and for each statement that would ride along without wake-ups of its own
_SLOW = 5e-3  # a statement that is expected to take this long has a lane for itself
_SEEN = 10e-3  # nobody joins a lane whose first statement has been running this long
_REST = 1e-4  # a lane unused for longer is looked at before it is used: its end may not have been noticed
_LEAST = 4e-6  # seconds that any statement takes
_FALL = 0.5  # weight of the newest service time where it is less than the average,
_RISE = 0.05  # and where it is more: what a busy machine adds is not the statement's
_CREEP = 0.01  # the least service time follows the newest by this much
_DEPTH = 1000  # requests in flight on a lane
_BYTES = 1 << 20  # and their bytes
_AHEAD = 100  # of those who wait so many are looked at, who come first, to see how many connections they want
PATIENCE = 5e-3  # seconds that the first who waits may be overtaken, where each has to be woken (threads)
QUEUE = 100_000  # who may wait: far more than tasks that are started at once, far fewer than memory has room for
_READ = READ


class Lane:
    """What the scheduler knows of one connection.

    ``depth``: requests placed and not answered. ``load``: the seconds that they are expected to take. ``shut``: nobody
    may join until it is empty. ``held``: somebody has it for himself. ``retired``: it takes nobody any more.
    ``since``: when the first of its requests began to be served, or when it was used last. ``rested``: its end
    may not have been noticed, so it is looked at before what was placed last is sent. ``end``: when it is too old.
    ``holder``: who has it.
    """

    def __init__(self, link: Any, now: float) -> None:
        self.link = link
        self.depth = 0
        self.load = 0.0
        self.size = 0
        self.since = now
        self.fresh = True
        self.shut = False
        self.held = False
        self.retired = False
        self.rested = False
        self.end = 0.0
        self.holder: Holder | None = None


class Scheduler:
    """Up to ``lanes`` lanes. ``packs``: statements may share one; otherwise each has a lane for itself.

    ``rides``: a write may be placed behind reads, for which it must be sent in the step in which it is placed.
    ``wake``: see above; 0 takes an idle lane first. ``queue``: how many may wait. ``patience``: see may_overtake.
    ``wary``: until when each lane counts as rested, because one was lost.
    """

    def __init__(
        self,
        size: int,
        *,
        packs: bool = True,
        rides: bool = True,
        wake: float = WAKE,
        queue: int = QUEUE,
        patience: float = 0.0,
    ) -> None:
        self.size = size
        self.lanes: list[Lane] = []
        self.opening = 0
        self.waiting = Queue()
        self.base = 0.0
        self.grow = False
        self.wary = 0.0
        self._packs = packs
        self._rides = rides
        self._wake = wake
        self._queue = queue
        self._patience = patience

    # Deciding -------------------------------------------------------------------------------------------------------

    def place(self, request: Request, now: float) -> Lane | None:
        """Place a request on a lane; None: it must wait, because nothing is free or others wait already."""
        if request.called == 0.0:
            request.called = now
        if self.waiting and not self.may_overtake(now):
            return None
        return self._place(request, now)

    def may_overtake(self, now: float) -> bool:
        """Tell whether a statement may take a free lane before the first who waits.

        It may while that is a statement that has not waited for ``patience`` seconds: a thread that is running takes a
        lane at less cost than one that has to be woken. So nobody who has waited that long is overtaken. Not while
        connections are being opened, by who waits. There must be somebody who waits.
        """
        if self._patience <= 0 or self.opening:
            return False
        first = self.waiting.first()
        if type(first) is not Request:
            return False
        request: Request = first
        return now - request.called < self._patience

    def _place(self, request: Request, now: float) -> Lane | None:
        cost = self._cost(request)
        lane = self._choose(request.kind == _READ, cost, now)
        if lane is not None:
            self._put(lane, request, cost, now)
        return lane

    def _expected(self, request: Request, cost: float) -> float:
        """Seconds of a lane that a request takes: the least, for the average has what other lanes took meanwhile."""
        if request.cost >= 0 or request.statement is None or type(request.statement) is tuple:
            return max(cost, _LEAST)
        statement: Statement = request.statement
        return max(statement.least, _LEAST)

    def _cost(self, request: Request) -> float:
        """Seconds that a request is expected to take; below 0: not known."""
        if request.cost >= 0 or request.statement is None or type(request.statement) is tuple:
            return request.cost
        statement: Statement = request.statement
        return statement.service

    def _choose(self, read: bool, cost: float, now: float) -> Lane | None:
        idle: Lane | None = None
        best: Lane | None = None
        for lane in self.lanes:
            if lane.shut:
                continue
            if lane.depth == 0:
                if idle is None:
                    idle = lane
            elif (
                lane.depth < _DEPTH
                and lane.size < _BYTES
                and now - lane.since < _SEEN
                and (best is None or lane.load < best.load)
            ):
                best = lane
        if best is None or cost < 0 or cost > _SLOW or not self._packs or not (read or self._rides):
            return idle
        worth = self._wake + _SAVED * best.depth if self._wake else 0.0
        if read and (idle is None or best.load < worth):
            if best.load > worth:
                self.grow = True
            return best
        if idle is None and not read and len(self.lanes) + self.opening < self.size:
            return None  # a write closes its lane to others, so it rather opens one of its own
        return best if idle is None else idle

    def _put(self, lane: Lane, request: Request, cost: float, now: float) -> None:
        lane.rested = now < self.wary
        if lane.depth == 0:
            lane.rested = lane.rested or now - lane.since > _REST
            lane.since = now
            lane.fresh = True
        lane.depth += 1
        lane.size += len(request.data)
        if request.kind != _READ or cost < 0 or cost > _SLOW or not self._packs:
            lane.shut = True
        request.placed = self._expected(request, cost)
        request.taken = now
        request.lane = lane
        lane.load += request.placed

    def hold(self, now: float) -> Lane | None:
        """Take an idle lane for exclusive use; None: the caller must wait."""
        if self.waiting:
            return None
        return self._hold(now)

    def _hold(self, now: float) -> Lane | None:
        # From the end: the first lanes are those that statements share.
        for lane in reversed(self.lanes):
            if lane.depth == 0 and not lane.shut:
                lane.shut = True
                lane.held = True
                lane.rested = now < self.wary or now - lane.since > _REST
                lane.since = now
                return lane
        return None

    def enqueue(self, waiter: Any) -> None:
        """Let a request (or whoever wants a lane for himself) wait; raises PoolFull when too many do already."""
        self.check_room()
        self.waiting.append(waiter)

    def check_room(self, others: int = 0) -> None:
        """Raise PoolFull where the queue, and ``others`` who wait for a place in it, are as many as may wait."""
        waiting = len(self.waiting) + others
        if waiting >= self._queue:
            raise PoolFull(f"{waiting} callers wait for a connection already; nothing was sent. queue= lets more wait")

    def dispatch(self, now: float) -> tuple[Any, Lane] | None:
        """Take the one who waits longest and his lane, if there is one for him now."""
        if not self.waiting:
            return None
        waiter = self.waiting.first()
        lane = self._place(waiter, now) if type(waiter) is Request else self._hold(now)
        if lane is None:
            return None
        self.waiting.popleft()
        return waiter, lane

    def shortage(self) -> int:
        """How many connections should be begun to open now."""
        room = self.size - len(self.lanes) - self.opening
        if room <= 0:
            return 0
        wanted = 0
        if self.waiting:
            # Those of one short statement need one connection together; all others one each.
            shorts = 0
            for waiter in self.waiting.front(_AHEAD):
                if type(waiter) is Request and self._packs and self._is_short(waiter):
                    shorts = 1
                else:
                    wanted += 1
                if wanted >= self.size:
                    break
            wanted += shorts
        if self.grow:
            wanted += 1
        wanted -= self.opening
        return max(0, min(room, wanted))

    def _is_short(self, request: Request) -> bool:
        return request.kind == _READ and 0 <= self._cost(request) <= _SLOW

    # Learning -------------------------------------------------------------------------------------------------------

    def answered(self, lane: Lane, requests: list[Request], now: float) -> bool:
        """Take note that these requests of a lane are done; tell whether somebody who waits may be placed now."""
        count = 0
        last: Request | None = None
        for request in requests:
            # One that became ready and was done by the same bytes is there twice.
            if request.done and request.lane is lane and request is not last:
                count += 1
                last = request
        if count == 0:
            return False
        elapsed = now - lane.since
        if lane.fresh:
            if count == 1 and lane.depth == 1:
                self._learn_base(requests, elapsed)
            elapsed -= self.base
        lane.fresh = False
        each = max(elapsed / count, _LEAST)
        for request in requests:
            if request.done and request.lane is lane:
                request.lane = None
                lane.load -= request.placed
                lane.size -= len(request.data)
                if request.cost < 0:
                    self._learn(request, each)
        lane.depth -= count
        lane.since = now
        if lane.depth == 0:
            self._rest(lane)
        return bool(self.waiting)

    def _learn_base(self, requests: list[Request], elapsed: float) -> None:
        """A round trip without others: what is known to be short (cost) says what the trip itself takes."""
        base = self.base
        if elapsed < base:
            self.base = elapsed
        elif base == 0:
            first: Request = requests[0]
            if 0 <= first.cost < _SLOW:
                self.base = max(elapsed - first.cost, 0.0)
        elif elapsed < 2 * base:
            self.base = base + (elapsed - base) * _CREEP

    def _learn(self, request: Request, seconds: float) -> None:
        if request.statement is not None and type(request.statement) is not tuple and request.error is None:
            statement: Statement = request.statement
            known = statement.service
            if known < 0:
                statement.service = statement.least = seconds
            else:
                statement.service = known + (seconds - known) * (_FALL if seconds < known else _RISE)
                least = statement.least
                statement.least = seconds if seconds < least else least + (seconds - least) * _CREEP

    def _rest(self, lane: Lane) -> None:
        lane.load = 0.0
        lane.size = 0
        lane.fresh = True
        lane.shut = lane.held or lane.retired

    def withdrawn(self, request: Request, now: float) -> bool:
        """A placed request was not sent and is taken back."""
        lane = request.lane
        if lane is None:
            return False
        request.lane = None
        lane.depth -= 1
        lane.load -= request.placed
        lane.size -= len(request.data)
        if lane.depth == 0:
            self._rest(lane)
        return bool(self.waiting)

    def release(self, lane: Lane, now: float) -> None:
        """An exclusive use is over and the connection is as new."""
        lane.held = False
        lane.holder = None
        lane.since = now
        self._rest(lane)

    # The lanes ------------------------------------------------------------------------------------------------------

    def add(self, link: Any, now: float) -> Lane:
        """A connection was opened."""
        lane = Lane(link, now)
        self.lanes.append(lane)
        self.grow = False
        return lane

    def remove(self, lane: Lane) -> bool:
        """A connection is gone; False when that was known."""
        lane.shut = True
        lane.retired = True
        if lane not in self.lanes:
            return False
        self.lanes.remove(lane)
        return True

    def retire(self, lane: Lane) -> bool:
        """Let nobody join any more; tell whether it is empty and may be closed at once."""
        lane.retired = True
        lane.shut = True
        return lane.depth == 0 and not lane.held
