"""Traffic on asyncio: requests of many tasks travel over the connections of one scheduler.

A request that finds no lane waits in the scheduler's queue, and is submitted by whoever makes room: in the same step in
which the scheduler places it, so that the order on a connection is the order in which it decided.
"""

from __future__ import annotations

import asyncio
import copy
import warnings
from asyncio import get_running_loop
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from stretto.errors import ConnectionLost, Error, StatementTimeout, UsageError
from stretto.flows.shared import Shared
from stretto.flows.warm import Fetch
from stretto.pool.lifetime import Limits
from stretto.pool.scheduler import QUEUE, Lane, Scheduler
from stretto.protocol.request import Request
from stretto.runtime.aio import Flow, Link
from stretto.runtime.aioplug import wake
from stretto.runtime.base import check_shareable, unfinished
from stretto.runtime.entry import Entry, Waiter
from stretto.runtime.slow import follow, note

_LAST_KIND = 1  # WRITE: what is above it can't be shared
_STOPPING = 1.0  # seconds for the server to be asked to end what runs when all is closed
_LOOKING = 1e-6  # seconds for each who waits between two looks at who has waited too long: a tenth of the time at most
_RESENT = 3  # times that a statement is placed again that had not run when its connection was lost


class Ticket:
    """Somebody who waits for a connection of his own; ``patient``: he has said for how long."""

    __slots__ = ("failure", "lane", "patient", "since", "waiter")

    def __init__(self, waiter: asyncio.Future[None], since: float, patient: bool) -> None:
        self.waiter = waiter
        self.since = since
        self.lane: Lane | None = None
        self.failure: BaseException | None = None
        self.patient = patient


class Traffic(Entry):
    """Drives flows over shared connections, and hands them out for exclusive use.

    Without ``pipelining`` each carries one statement at a time; ``queue`` callers may wait. The heir opens connections
    (``_open``).
    """

    def __init__(
        self,
        shared: Shared,
        size: int,
        timeout: float | None,
        pipelining: bool,
        limits: Limits,
        queue: int = QUEUE,
    ) -> None:
        super().__init__(shared, Scheduler(size, packs=pipelining, queue=queue), timeout, limits)
        self._expiry: asyncio.TimerHandle | None = None
        self._expires = 0.0
        self._later: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def _open(self, until: float | None = None) -> None:
        raise NotImplementedError

    def _check(self) -> asyncio.AbstractEventLoop:
        """The loop that all this runs on; raises UsageError on another one, and what a closed pool raises."""
        if self._refusal is not None:
            raise self._refusal()
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._move(loop)
        return loop

    def _forget_parent(self) -> None:
        super()._forget_parent()
        self._loop = None
        self._tasks.clear()

    def _arrive(self) -> None:
        """Be called from this loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._move(loop)

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        """Come to another loop, if the last one has ended or has nothing of ours any more."""
        old, scheduler = self._loop, self.scheduler
        busy = scheduler.lanes or scheduler.opening or scheduler.waiting or self.crowd.outside
        if old is not None and not old.is_closed() and busy:
            raise UsageError(
                f"this AsyncDatabase is used by {old!r}, and was called from {loop!r}: "
                "make one AsyncDatabase in each event loop"
            )
        self._forget_waiting()
        scheduler.grow = False
        if scheduler.lanes:
            warnings.warn(
                f"an event loop was closed before its AsyncDatabase, which had {len(scheduler.lanes)} connections",
                ResourceWarning,
                stacklevel=4,
            )
        for lane in list(scheduler.lanes):
            lane.link.abort()
        self._tasks.clear()
        self._too_late = None
        self._coming = False
        self._expiry = self._later = self._looking = None
        self._loop = loop

    async def run(self, flow: Flow, timeout: float | None = None, exclusive: bool = False, since: float = 0.0) -> Any:
        """Drive a flow; each of its requests travels on the connection that is expected to finish it first.

        ``exclusive``: on one that nobody else uses meanwhile. ``since``: when it was called, by who has waited for his
        turn. ``timeout`` seconds cover that, the queue and the wire. Raises PoolTimeout, PoolFull, PoolClosed,
        StatementTimeout, UsageError for what can't be shared, ConnectError and kin.
        """
        loop = get_running_loop()
        if loop is not self._loop or self._refusal is not None:
            self._check()
        deadline = None if timeout is None else (since or loop.time()) + timeout
        driven: Any = flow  # a generator, or a Fetch in its place
        slow = self.shared.slow
        request: Any = None
        try:
            step: Any = driven.step if type(driven) is Fetch else driven.send
            request = step(None)
            if since:
                request.called = since
            while True:
                if not request.queued:
                    if request.kind > _LAST_KIND:
                        check_shareable(request)
                    if exclusive:
                        request.cost = 1.0  # nobody is placed beside what takes so long
                    now = monotonic()
                    begun, since = since or now, 0.0  # the wait outside was for the first request
                    lane = self.scheduler.place(request, now)
                    if lane is None:
                        request.patient = deadline is not None
                        self._enqueue(request, begun)
                    elif lane.rested and not lane.link.alive():
                        request.again()
                        continue
                    else:
                        lane.link.submit(request)
                        if self.scheduler.grow:
                            self._grow()
                if not request.ready():
                    waiter = request.waiter = loop.create_future()
                    try:
                        if deadline is None:
                            await waiter
                        else:
                            async with asyncio.timeout_at(deadline):
                                await waiter
                    except TimeoutError:
                        error = self._timed_out(request, timeout)
                        raise error from error.__cause__
                    except BaseException:
                        self._give_up(request)
                        raise
                if request.failure is not None and self._may_resend(request):
                    continue
                try:
                    after = step(request)
                    if after is None:
                        if slow is not None and (request.call is not None or monotonic() - request.called >= slow):
                            note(slow, request)
                        return driven.result
                except StopIteration:
                    raise
                except BaseException:
                    if unfinished(request):
                        self._give_up(request)  # the rest of a large reply that nobody decodes
                    raise
                request = after if slow is None else follow(request, after)
        except StopIteration as stop:
            if slow is not None:
                note(slow, request)
            return stop.value
        except BaseException as error:
            if slow is not None:
                note(slow, request, error)
            raise
        finally:
            flow.close()

    def _may_resend(self, request: Request) -> bool:
        """Make a request as new that has certainly not run when its connection was lost, or that may run again."""
        failure = request.failure
        if type(failure) is not ConnectionLost or request.resent >= _RESENT:
            return False
        if not failure.safe_to_retry and not self._may_repeat(request):
            return False
        request.again()
        request.resent += 1
        return True

    def _timed_out(self, request: Request, timeout: float | None) -> Error:
        queued = not request.queued
        sent = request.sent
        self._give_up(request)
        if queued:
            return self._in_vain(timeout)
        return StatementTimeout(f"no answer within {timeout} seconds", outcome="unknown" if sent else "not_sent")

    def _give_up(self, request: Request) -> None:
        """Nobody waits for a request any more."""
        if request.lane is not None:
            request.lane.link.give_up(request)
        elif not request.queued and not request.done:
            self._leave(request)

    def _leave(self, waiter: Request | Ticket) -> None:
        """Wait no more, in the queue."""
        self.scheduler.waiting.leave(waiter)
        self._dispatch()

    # Those who wait ---------------------------------------------------------------------------------------------------

    def _enqueue(self, waiter: Request | Ticket, now: float) -> None:
        if self._over and self._refusal is not None:
            raise self._refusal()
        scheduler = self.scheduler
        scheduler.enqueue(waiter)
        self.crowd.grown(len(scheduler.waiting))
        if type(waiter) is Request:
            waiter.placed = now
        if self._timeout is not None:
            self._expire_at(now + self._timeout)
        self._grow()

    def _expire_at(self, when: float) -> None:
        """Look then who has waited too long, if not before."""
        if self._loop is None or (self._expiry is not None and self._expires <= when):
            return
        if self._expiry is not None:
            self._expiry.cancel()
        self._expires = when
        self._expiry = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        """Tell those who have waited too long. Who has waited outside too may stand behind some who just came."""
        self._expiry = None
        waiting = self.scheduler.waiting
        if self._timeout is None:
            return
        now = monotonic()
        oldest = now
        for one in waiting:
            since = one.placed if type(one) is Request else one.since
            if since <= now - self._timeout + 0.001:
                waiting.leave(one)
                self._fail(one, self._in_vain(self._timeout))
            elif since < oldest:
                oldest = since
        if waiting:
            self._expire_at(max(oldest + self._timeout, now + _LOOKING * len(waiting)))
        self._dispatch()

    def _fail(self, waiter: Any, error: BaseException) -> None:
        if isinstance(waiter, Waiter):
            waiter.end(error)
            return
        waiter.failure = error
        if type(waiter) is Request:
            waiter.done = True
        wake(waiter.waiter)

    def _fail_all(self, waiters: list[Any], error: Error) -> None:
        """Those get no connection."""
        for waiter in waiters:
            own = copy.copy(error)  # each raises his own: a traceback is not shared
            own.__cause__ = error.__cause__
            self._fail(waiter, own)

    def _tell(self, error: Error) -> None:
        """An attempt to connect has failed."""
        self._fail_all(self._could_not(error), error)
        self.let_in()
        self._grow()

    def _dispatch(self) -> None:
        """Let those go on for whom there is a connection now, in their order."""
        now = monotonic()
        while (found := self.scheduler.dispatch(now)) is not None:
            waiter, lane = found
            if type(waiter) is Request:
                lane.link.submit(waiter)
            else:
                waiter.lane = lane
                wake(waiter.waiter)
        self.let_in()
        self._grow()

    def _grow(self) -> None:
        """Begin to open the connections that are wanted."""
        for _ in range(self._wanted()):
            self.scheduler.opening += 1
            self._spawn(self._open)
        self.scheduler.grow = False
        if self._backoff.last is not None and self.scheduler.waiting and self._later is None and self._loop is not None:
            self._later = self._loop.call_at(self._backoff.not_before, self._grow_again)

    def _grow_again(self) -> None:
        """The pause after a failure is over."""
        self._later = None
        if not self._over and self.scheduler.opening == 0:
            self._grow()

    def _look(self) -> None:
        """Close the connections that are too old, or were not used for too long; report who holds one for too long."""
        self._looking = None
        now = monotonic()
        for lane in self._expired(now):
            lane.link.leave()
        self._report_leaks(self._leaks(now), now)
        self._look_later()

    def _look_later(self) -> None:
        interval = self._limits.interval()
        if self._looking is None and self._loop is not None and self.scheduler.lanes and interval != float("inf"):
            self._looking = self._loop.call_later(interval, self._look)

    def _stop_timers(self) -> None:
        for timer in (self._expiry, self._too_late, self._later, self._looking):
            if timer is not None:
                timer.cancel()

    def _stop_opening(self) -> None:
        self.scheduler.opening -= 1

    async def _ended(self) -> None:
        """End what runs beside."""
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _stop(self, links: list[Link]) -> None:
        """Ask the server to end what runs on these connections, which are closed: it does not notice by itself."""
        if links:
            tasks = [asyncio.ensure_future(link.cancel()) for link in links]
            _, late = await asyncio.wait(tasks, timeout=_STOPPING)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, function: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Run something beside its caller, who does not wait for it."""
        if self._loop is not None:
            task: asyncio.Task[None] = self._loop.create_task(function(*args))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # Exclusive use ----------------------------------------------------------------------------------------------------

    async def hold(self, timeout: float | None, patient: bool, since: float = 0.0) -> Link:
        """Take a connection for oneself, drained; ``timeout`` seconds at most. Raises as ``run``.

        ``patient``: the caller has said how long he waits. ``since``: when he began to wait, if it was before now: the
        pool's own limit counts from there.
        """
        loop = self._check()
        now = monotonic()
        lane = self.scheduler.hold(now)
        while lane is not None and lane.rested and not lane.link.alive():
            lane = self.scheduler.hold(now)
        if lane is None:
            ticket = Ticket(loop.create_future(), since or now, patient)
            self._enqueue(ticket, ticket.since)
            try:
                if timeout is None or timeout == self._timeout:
                    await ticket.waiter  # _expire looks at the queue's own limit, for all
                else:
                    async with asyncio.timeout(timeout):
                        await ticket.waiter
            except BaseException as error:
                self._forget(ticket)
                if isinstance(error, TimeoutError):
                    late = self._in_vain(timeout)
                    raise late from late.__cause__
                raise
            if ticket.failure is not None:
                raise ticket.failure
            lane = ticket.lane
            if lane is None:
                raise UsageError("a ticket without a lane")
        link: Link = lane.link
        link.machine.shared = False
        self._take(lane)
        return link

    def _forget(self, ticket: Ticket) -> None:
        if ticket.lane is not None:
            self._free(ticket.lane)  # it was given in the very moment
        elif ticket.failure is None:
            self._leave(ticket)

    def _free(self, lane: Lane) -> None:
        """A connection is as new: share it again."""
        lane.link.machine.shared = True
        self.scheduler.release(lane, monotonic())
        self._settle(lane)

    def _settle(self, lane: Lane) -> None:
        if lane.retired and lane.depth == 0 and not lane.held:
            lane.link.leave()
        elif self.scheduler.waiting:
            self._dispatch()

    # What a link tells ------------------------------------------------------------------------------------------------

    def joined(self, link: Link) -> None:
        """A connection was opened."""
        link.traffic = self
        link.lane = self.scheduler.add(link, monotonic())
        self._set_end(link.lane)
        self._could()
        link.machine.shared = True
        self._look_later()
        self._dispatch()

    def answered(self, lane: Lane, requests: list[Request]) -> None:
        """Requests of a connection were answered."""
        waiting = self.scheduler.answered(lane, requests, monotonic())
        machine = lane.link.machine
        if machine.changed:  # a function has changed a setting: others should not meet with it
            machine.changed = False
            self.scheduler.retire(lane)
        if waiting:
            self._dispatch()
        if self._target != "any" and self._strayed(lane, requests):
            for empty in self._retire_all():  # connect anew, to whichever host is what was asked for now
                empty.link.leave()
        if lane.retired:
            self._settle(lane)

    def withdrawn(self, request: Request) -> None:
        """A request was taken back before it was sent."""
        if self.scheduler.withdrawn(request, monotonic()):
            self._dispatch()

    def recovering(self, lane: Lane) -> None:
        """What a connection runs is being cancelled: nothing else may be sent there."""
        lane.shut = lane.held = True

    def recovered(self, lane: Lane) -> None:
        """The cancelling is over."""
        self._free(lane)

    def gone(self, lane: Lane) -> None:
        """A connection is closed."""
        empty = self._lose(lane)
        if empty is None:
            return
        for other in empty:
            other.link.leave()
        if not self._over:
            self._dispatch()
