"""Traffic in blocking code: requests of many threads (or greenlets) travel over the connections of one scheduler.

A thread takes an idle connection for itself. One that has to wait opens the connection that is wanted itself, as long
as nothing became free: no thread runs in the background but those that recover what was given up.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from itertools import islice
from time import monotonic
from typing import Any

from stretto.errors import ConnectionLost, Error, UsageError
from stretto.flows.shared import Shared
from stretto.flows.warm import Fetch
from stretto.pool.lifetime import Limits
from stretto.pool.scheduler import PATIENCE, QUEUE, Lane, Scheduler
from stretto.protocol.request import Request
from stretto.runtime.base import check_shareable, unfinished
from stretto.runtime.blocking import Flow, Link, switches_greenlets
from stretto.runtime.keeper import Keeper
from stretto.runtime.slow import follow, note

_LAST_KIND = 1  # WRITE: what is above it can't be shared
_RESENT = 3  # times that a statement is placed again that had not run when its connection was lost
_JOINING = 1.0  # seconds to wait for each thread that recovers a connection when all is closed


class Bell:
    """One waits, another rings, maybe before. A lock of its own takes half of what a threading.Event does.

    ``given``: nothing is to be waited for any more, a lane or a failure was given. ``opening``: who waits is busy with
    opening a connection, and rings are for others.
    """

    __slots__ = ("_lock", "given", "opening")

    def __init__(self) -> None:
        self.opening = False
        self._lock = threading.Lock()
        self._lock.acquire()
        self.given = False

    def wait(self, timeout: float | None) -> None:
        """Wait for the bell, or so many seconds."""
        self._lock.acquire(timeout=-1 if timeout is None else max(timeout, 0))

    def wait_given(self) -> None:
        """Wait for what is just being given."""
        while not self.given:
            self.wait(None)

    def set(self) -> None:
        """Ring; once is enough."""
        try:  # noqa: SIM105  # suppress() takes three times as long
            self._lock.release()
        except RuntimeError:
            pass

    def give(self) -> None:
        """Ring for the last time."""
        self.given = True
        self.set()


class Ticket:
    """Somebody who waits for a connection of his own; ``patient``: he has said for how long."""

    __slots__ = ("failure", "lane", "patient", "waiter")

    def __init__(self, patient: bool) -> None:
        self.waiter = Bell()
        self.lane: Lane | None = None
        self.failure: BaseException | None = None
        self.patient = patient


class Traffic(Keeper):
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
        greenlets = switches_greenlets()
        packs, patience = pipelining and greenlets, 0.0 if greenlets else PATIENCE
        scheduler = Scheduler(size, packs=packs, rides=False, queue=queue, patience=patience)
        super().__init__(shared, scheduler, timeout, limits)
        self._lock = threading.RLock()
        self._threads: set[threading.Thread] = set()
        self._calls: set[Flow] = set()

    def _open(self, until: float | None = None) -> None:
        raise NotImplementedError

    def run(self, flow: Flow, timeout: float | None = None, exclusive: bool = False, since: float = 0.0) -> Any:
        """Drive a flow; each of its requests travels on the connection that is expected to finish it first.

        ``exclusive``: on one that nobody else uses meanwhile. ``timeout`` seconds cover the queue and the wire. Raises
        PoolTimeout, PoolFull, PoolClosed, StatementTimeout, UsageError for what can't be shared, ConnectError and kin.
        """
        deadline = None if timeout is None else monotonic() + timeout
        driven: Any = flow  # a generator, or a Fetch in its place
        slow = self.shared.slow
        request: Any = None
        self._calls.add(flow)
        try:
            if self._refusal is not None:
                raise self._refusal()
            step: Any = driven.step if type(driven) is Fetch else driven.send
            request = step(None)
            while True:
                if not request.queued:
                    if request.kind > _LAST_KIND:
                        check_shareable(request)
                    if exclusive:
                        request.cost = 1.0  # nobody is placed beside what takes so long
                    lane = self._lane_for(request, deadline, timeout)
                self._exchange(lane, request, deadline, timeout)
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
                    if unfinished(request):  # the rest of a large reply that nobody decodes
                        lane.link.give_up(request)
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
            self._calls.discard(flow)
            flow.close()

    def turn(self, timeout: float | None) -> float:
        """Nobody waits outside here: a thread that waits is far larger than what it asks for."""
        return 0.0

    def _is_busy(self) -> bool:
        return super()._is_busy() or bool(self.scheduler.lanes and self._calls)  # one may be between two requests

    def _lane_for(self, request: Request, deadline: float | None, timeout: float | None) -> Lane:
        """Place a request, waiting for a connection where need be."""
        self._look()
        while True:
            with self._lock:
                lane = self.scheduler.place(request, monotonic())
                if lane is None:
                    bell = request.waiter = Bell()
                    request.patient = deadline is not None
                    self._enqueue(request)
            if lane is None:
                if not self._wait(request, bell, self._until(deadline)):
                    late = deadline is not None and monotonic() >= deadline
                    raise self._in_vain(timeout if late else self._timeout)
                lane = request.lane
                if lane is None:
                    raise request.failure or UsageError("a request without a lane")
            if not lane.rested or lane.depth > 1 or lane.link.alive():
                return lane
            request.again()

    def _exchange(self, lane: Lane, request: Request, deadline: float | None, timeout: float | None) -> None:
        """Send a request and wait until it is ready."""
        link: Link = lane.link
        try:
            link.submit(request)
            if not request.ready():
                link.wait(request, deadline, timeout)
        finally:
            if request.done:
                self.answered(lane, [request])

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

    # Those who wait ---------------------------------------------------------------------------------------------------

    def _enqueue(self, waiter: Any) -> None:
        if self._over and self._refusal is not None:
            raise self._refusal()
        self.scheduler.enqueue(waiter)

    def _until(self, deadline: float | None) -> float | None:
        if self._timeout is None:
            return deadline
        own = monotonic() + self._timeout
        return own if deadline is None else min(own, deadline)

    def _wait(self, waiter: Any, bell: Bell, until: float | None) -> bool:
        """Wait for a lane (or a failure), opening a connection meanwhile where one is wanted; False: the time is up."""
        try:
            while not bell.given:
                self._look()
                now = monotonic()
                if until is not None and now >= until:
                    if self._withdraw(waiter):
                        return False
                    bell.wait_given()
                    break
                if self._may_open(bell):
                    self._open(until)
                    bell.opening = False
                    continue
                bell.wait(self._pause(now, until))
                if not bell.given:
                    self._dispatch()  # a connection may be free that nobody has taken
        except BaseException:  # an interrupt: nobody is there to take what is given
            if not self._withdraw(waiter):
                bell.wait_given()
                if waiter.lane is not None:
                    self._unused(waiter)
            raise
        return True

    def _look(self) -> None:
        """Close the connections that are too old or not used, and report who holds one for too long, now and then."""
        now = monotonic()
        if now < self._next_look:
            return
        with self._lock:
            over, leaks = self._expired(now), self._leaks(now)
        for lane in over:
            lane.link.leave()
        self._report_leaks(leaks, now)

    def _stop_timers(self) -> None:
        """There are none."""

    def _pause(self, now: float, until: float | None) -> float | None:
        """Seconds until the time is up, a connection may be tried again after a failure, or the next look is due."""
        left = None if until is None else until - now
        again = self._backoff.not_before - now
        if self._backoff.last is not None and again > 0:
            left = again if left is None else min(left, again)
        look = self._next_look - now  # who waits looks at the others: it may be that nobody else comes any more
        if look == float("inf"):
            return left
        return max(look, 0.0) if left is None else min(left, max(look, 0.0))

    def _may_open(self, bell: Bell) -> bool:
        with self._lock:
            if self._wanted() <= 0:
                return False
            self.scheduler.opening += 1
            bell.opening = True
            return True

    def _withdraw(self, waiter: Any) -> bool:
        """Wait no longer; False when a lane was given in the very moment."""
        with self._lock:
            if waiter.lane is not None or waiter.failure is not None:
                return False
            self.scheduler.waiting.leave(waiter)
            self._dispatch()
            return True

    def _unused(self, waiter: Any) -> None:
        lane: Lane = waiter.lane
        if type(waiter) is not Request:
            self._free(lane)
        elif not waiter.queued:
            self.withdrawn(waiter)
        else:
            lane.link.give_up(waiter)
            if waiter.done:
                self.answered(lane, [waiter])

    def _shut(self) -> list[Any]:
        with self._lock:  # else one might join the queue, or get a connection, in between
            return super()._shut()

    def _fail_all(self, waiters: list[Any], error: Error) -> None:
        """Those get no connection."""
        with self._lock:
            for waiter in waiters:
                own = copy.copy(error)  # each raises his own: a traceback is not shared
                own.__cause__ = error.__cause__
                waiter.failure = own
                waiter.waiter.give()

    def _stop_opening(self) -> None:
        with self._lock:
            self.scheduler.opening -= 1

    def _tell(self, error: Error) -> None:
        """An attempt to connect has failed."""
        with self._lock:
            self._fail_all(self._could_not(error), error)
            self._dispatch()

    def _dispatch(self) -> None:
        """Let those go on for whom there is a connection now, in their order."""
        given: list[tuple[Any, Bell]] = []
        try:
            with self._lock:
                now = monotonic()
                while (found := self.scheduler.dispatch(now)) is not None:
                    waiter, lane = found
                    waiter.lane = lane
                    given.append((waiter, waiter.waiter))
                    waiter.waiter = None
                waiting = self.scheduler.waiting
                if waiting and (wanted := self._wanted()) > 0:
                    for bell in islice((one.waiter for one in waiting if not one.waiter.opening), wanted):
                        bell.set()  # he shall open one
            for waiter, _ in given:
                if type(waiter) is Request:
                    self._send_for(waiter)
        finally:
            for _, bell in given:
                bell.give()

    def _send_for(self, request: Request) -> None:
        """Send what another thread has waited to send: the server works on it while that thread wakes up.

        Not where the connection has to be looked at first, and not in the main thread: what a signal interrupts there
        must not be another's. Then its own thread sends.
        """
        lane: Lane = request.lane
        link: Link = lane.link
        if lane.rested or link.joinable or threading.get_ident() == threading.main_thread().ident:
            return
        try:  # noqa: SIM105  # as above
            link.submit(request)
        except UsageError:
            pass  # its own thread gets it when it tries

    def _spawn(self, function: Callable[..., None], link: Link, *args: Any) -> None:
        """Run something for its caller, who must not be kept by a server that does not answer."""
        if not link.recovering:
            function(link, *args)
            return
        name = f"stretto {function.__name__}"
        thread = threading.Thread(target=self._beside, args=(function, link, *args), name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _beside(self, function: Callable[..., None], *args: Any) -> None:
        try:
            function(*args)
        except (Error, OSError, ValueError):  # ValueError: of a socket that was closed meanwhile
            pass  # the connection is gone, and nobody waits for it
        finally:
            self._threads.discard(threading.current_thread())

    def _ended(self) -> None:
        """End what connects, and wait for what runs beside."""
        for plug in list(self.shared.connecting):
            plug.stop()
        for thread in list(self._threads):
            thread.join(_JOINING)

    def _stop(self, links: list[Link]) -> None:
        """Ask the server to end what runs on these connections, which are closed: it does not notice by itself."""
        threads = [threading.Thread(target=self._beside, args=(link.cancel,), daemon=True) for link in links]
        for thread in threads:
            thread.start()
        until = monotonic() + _JOINING
        for thread in threads:
            thread.join(max(until - monotonic(), 0.0))

    def _arrive(self) -> None:
        """Be called from any thread."""

    def _forget_parent(self) -> None:
        super()._forget_parent()
        self._lock = threading.RLock()  # a thread of the parent may have had it

    # Exclusive use ----------------------------------------------------------------------------------------------------

    def hold(self, timeout: float | None, patient: bool, since: float = 0.0) -> Link:
        """Take a connection for oneself, drained; ``timeout`` seconds at most. Raises as ``run``.

        ``patient``: the caller has said how long he waits. ``since``: when he began to wait, here always now.
        """
        if self._refusal is not None:
            raise self._refusal()
        until = None if timeout is None else monotonic() + timeout
        self._look()
        while True:
            with self._lock:
                lane = self.scheduler.hold(monotonic())
                if lane is None:
                    ticket = Ticket(patient)
                    self._enqueue(ticket)
            if lane is None:
                if not self._wait(ticket, ticket.waiter, until):
                    raise self._in_vain(timeout)
                if ticket.failure is not None:
                    raise ticket.failure
                lane = ticket.lane
                if lane is None:
                    raise UsageError("a ticket without a lane")
            link: Link = lane.link
            if not lane.rested or link.alive():
                link.machine.shared = False
                self._take(lane)
                return link

    def _free(self, lane: Lane) -> None:
        """A connection is as new: share it again."""
        self._look()  # where one thread is alone, nobody else has told that it was held for too long
        lane.link.machine.shared = True
        with self._lock:
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
        with self._lock:
            link.traffic = self
            link.lane = self.scheduler.add(link, monotonic())
            self._set_end(link.lane)
            self._could()
            link.machine.shared = True
            self._dispatch()

    def answered(self, lane: Lane, requests: list[Request]) -> None:
        """Requests of a connection were answered."""
        machine = lane.link.machine
        with self._lock:
            now = monotonic()
            waiting = self.scheduler.answered(lane, requests, now)
            if waiting and self.scheduler.may_overtake(now):
                self.scheduler.waiting.first().waiter.set()  # he takes it, if nobody who runs does
                waiting = False
            if machine.changed:  # a function has changed a setting: others should not meet with it
                machine.changed = False
                self.scheduler.retire(lane)
        if waiting:
            self._dispatch()
        if self._target != "any" and self._strayed(lane, requests):
            self._leave_all()
        if lane.retired:
            self._settle(lane)

    def _leave_all(self) -> None:
        """The server is another than was asked for: connect anew, to whichever host is it now."""
        with self._lock:
            over = self._retire_all()
        for lane in over:
            lane.link.leave()

    def withdrawn(self, request: Request) -> None:
        """A request was taken back before it was sent."""
        with self._lock:
            if self.scheduler.withdrawn(request, monotonic()):
                self._dispatch()

    def recovering(self, lane: Lane) -> None:
        """What a connection runs is being cancelled: nothing else may be sent there."""
        with self._lock:
            lane.shut = lane.held = True

    def recovered(self, lane: Lane) -> None:
        """The cancelling is over."""
        self._free(lane)

    def gone(self, lane: Lane) -> None:
        """A connection is closed."""
        with self._lock:
            empty = self._lose(lane)
            if empty is not None and not self._over:
                self._dispatch()
        for other in empty or ():
            other.link.leave()
