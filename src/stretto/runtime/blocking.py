"""The blocking runtime: plain sockets. It runs in threads, and under gevent's monkey patching, as it is.

The caller's own thread writes, waits and reads. In threads a Link serves one caller at a time. Greenlets join: many
have requests in flight on one Link, one of those who wait reads for all, and hands that on when it has its own answer.
``docs/design/threads.md`` has the figures for both.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from stretto.errors import Error, StatementTimeout, UsageError
from stretto.flows.shared import Shared
from stretto.flows.sockets import Patience
from stretto.protocol.machine import Machine
from stretto.protocol.request import Request
from stretto.runtime.base import CANCEL_GRACE, given_back, release, remaining, unfinished, why_lost
from stretto.runtime.forks import forked
from stretto.runtime.pump import Pump
from stretto.runtime.slow import follow, note, start
from stretto.runtime.tracing import tap

if TYPE_CHECKING:
    import socket

    from stretto.flows.connect import Greeting
    from stretto.runtime.recovery import Recovery

Flow: TypeAlias = Generator[Request, Any, Any]


class Link(Pump):
    """One connection. ``joinable``: several callers may submit and wait at a time; otherwise one.

    ``lane`` and ``traffic`` are set where it belongs to a pool; the traffic hears of what was given up, and of its end.
    """

    def __init__(
        self, shared: Shared, sock: socket.socket, greeting: Greeting, would_block: tuple[type[Exception], ...]
    ) -> None:
        super().__init__(sock, Machine(greeting.parameters), would_block)
        self.shared = shared
        self.greeting = greeting
        self.machine.pid = greeting.pid or 0
        self.tap = tap(shared, greeting)
        self.patience = Patience.of(sock, shared.config)
        if greeting.leftover:
            if self.tap is not None:
                self.tap.heard(greeting.leftover)
            self.machine.receive_data(greeting.leftover)
        self.opened = time.monotonic()
        self.joinable = switches_greenlets()
        self._reader: Request | None = None  # of the caller who reads for all
        self._flush_due = False
        self._waiting: set[Request] = set()
        self._recovery: Recovery | None = None

    @classmethod
    def connect(cls, shared: Shared, until: float | None = None) -> Link:
        """Connect by the Database's configuration; raises ConnectError and its kin, at ``until`` of the clock."""
        from stretto.runtime import plug  # TLS and all that connecting needs is loaded when somebody connects

        sock, greeting = plug.open_session(shared, until)
        try:
            return cls(shared, sock, greeting, plug.WOULD_BLOCK)
        except BaseException:
            sock.close()
            raise

    def alive(self) -> bool:
        """Tell whether an idle connection can be used; what the server said meanwhile is heard."""
        self._hear_all()
        if self.machine.farewell is not None:
            self.abort()  # the server has said goodbye, the end of the stream is on its way
        machine = self.machine
        if machine.changed and machine.shared and machine.idle() and self.traffic is not None:
            self.traffic.answered(self.lane, [])  # the server has changed a setting by itself
        return not self.machine.closed

    def run(self, flow: Flow, timeout: float | None = None, waited: float = 0.0) -> Any:
        """Drive a flow here; after ``timeout`` seconds, ``waited`` of them gone, it is cancelled: StatementTimeout."""
        deadline = None if timeout is None else time.monotonic() + timeout - waited
        slow = self.shared.slow
        request: Any = None
        try:
            request = flow.send(None)
            if slow is not None:
                start(request, waited)
            while True:
                if self._recovery is not None:
                    self._recover_until(deadline, timeout)
                self.submit(request)
                if request.hurry:
                    request.hurry = False
                else:
                    self.wait(request, deadline, timeout)
                try:
                    following = flow.send(request)
                except StopIteration:
                    raise
                except BaseException:
                    if unfinished(request):
                        self.give_up(request)  # the rest of a large reply that nobody decodes
                    raise
                request = following if slow is None else follow(request, following)
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

    def settle(self, flow: Flow, timeout: float | None = None, waited: float = 0.0) -> tuple[Any, BaseException | None]:
        """Drive a flow that must not be cancelled on the server: there is a COMMIT in it.

        When the time is up, the answers are waited for some seconds longer, then the connection is closed. Returns the
        flow's result, and None (on asyncio: the cancellation that is still to be delivered).
        """
        deadline = None if timeout is None else time.monotonic() + timeout - waited
        slow = self.shared.slow
        request: Any = None
        try:
            request = flow.send(None)
            if slow is not None:
                start(request, waited)
            while True:
                self.submit(request)
                if request.hurry:
                    request.hurry = False
                else:
                    self._settle(request, deadline)
                following = flow.send(request)
                request = following if slow is None else follow(request, following)
        except StopIteration as stop:
            if slow is not None:
                note(slow, request)
            return stop.value, None
        finally:
            flow.close()

    def _settle(self, request: Request, deadline: float | None) -> None:
        try:
            try:
                self._until_ready(request, deadline)
            except TimeoutError:
                self._until_ready(request, time.monotonic() + CANCEL_GRACE)
        except TimeoutError:
            self.abort()
        except BaseException:  # an interrupt
            self.abort()
            raise
        finally:
            if self.joinable:
                self._hand_on()

    def submit(self, request: Request) -> None:
        """Queue a request that is not queued yet, or what it has more to say, and write what the socket takes.

        While greenlets that were woken still have to say what they have to say, it is left to ``wait`` to write.
        """
        machine = self.machine
        if self._recovery is not None:
            self.recover()
        try:
            if not request.queued:
                if machine.closed:
                    request.failure = self.why_lost()
                    request.done = True
                    return
                machine.submit(request)
            elif request.extra is not None and not machine.closed:
                machine.extend(request)
            if machine.pending() and (request.hurry or not self._woken):
                self._flush()
        except UsageError:
            raise
        except BaseException:  # an interrupt: it may have been queued by half
            self.abort()
            raise

    def wait(self, request: Request, deadline: float | None = None, timeout: float | None = None) -> None:
        """Wait until the request is ready. A wait that does not end well gives the request up.

        Raises StatementTimeout at ``deadline`` (of ``time.monotonic``); ``timeout`` is what its message says.
        """
        try:
            self._until_ready(request, deadline)
        except TimeoutError:
            self.give_up(request)
            raise self._timed_out(request, timeout) from None
        except BaseException as error:
            self.give_up(request)
            if not (self.joinable and _thrown_in(error.__traceback__)):
                self.abort()  # an interrupt: what was read of a message is not known
            raise
        finally:
            if self.joinable:
                self._hand_on()

    def _until_ready(self, request: Request, deadline: float | None) -> None:
        self._waiting.add(request)
        try:
            if self.machine.pending():
                self._flush_together()
            while not request.ready():
                if self._reader is None and not self._flush_due:  # who reads must know what is still to be written
                    self._read_for_all(request, deadline)
                else:
                    self._sleep(request, deadline)
        finally:
            self._waiting.discard(request)

    def _timed_out(self, request: Request, timeout: float | None) -> StatementTimeout:
        unsent = not request.queued or (self.machine.closed and not request.sent)
        return StatementTimeout(f"no answer within {timeout} seconds", outcome="not_sent" if unsent else "unknown")

    def _flush_together(self) -> None:
        """Write what several greenlets have to say at once: all that were woken by the same bytes."""
        if self._flush_due:
            return
        self._flush_due = True
        try:
            if self._woken:
                time.sleep(0)
        finally:
            self._flush_due = False
            if self.machine.pending():
                self._flush()

    def _read_for_all(self, request: Request, deadline: float | None) -> None:
        self._reader = request
        try:
            while not request.ready():
                self._exchange(deadline)
        finally:
            self._reader = None

    def _sleep(self, request: Request, deadline: float | None) -> None:
        """Wait while another one reads, until the request is ready or somebody else must read."""
        waiter = request.waiter = threading.Lock()
        waiter.acquire()
        try:
            left = remaining(deadline)
            if not waiter.acquire(timeout=-1 if left is None else left) and not request.ready():
                raise TimeoutError
        finally:
            if request.waiter is None:
                self._woken -= 1
            request.waiter = None

    def _hand_on(self) -> None:
        """Leave the reading to one of those who wait; where only given up requests are left, get rid of them."""
        if self._given_up:
            self._recover_if_deserted()
        if self._reader is not None or self.machine.idle():
            return
        for request in self.machine.due():
            if request.waiter is not None:
                self._wake(request)
                return

    def send(self, data: bytes, timeout: float | None = None) -> None:
        """Write what has no reply of its own (CopyData), reading meanwhile what the server says.

        Raises TimeoutError where the socket has not taken it within ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        self._hear_all()
        if not self.machine.closed:
            self.machine.write(data)
            self._flush()
        while self._unwritten is not None and not self.machine.closed:
            self._exchange(deadline)

    def wait_notification(self, timeout: float | None = None) -> bool:
        """Wait for a notification; False when ``timeout`` seconds have passed or the connection is gone."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.machine.notifications and not self.machine.closed:
            self.listening = True
            try:
                self._receive(deadline)
            except TimeoutError:
                return False
            finally:
                self.listening = False
        return not self.machine.closed

    # Giving up ----------------------------------------------------------------------------------------------------

    @property
    def recovering(self) -> bool:
        """Whether a statement was given up here, and its reply is still to come."""
        return self._recovery is not None or bool(self._given_up)

    def give_up(self, request: Request) -> None:
        """Nobody waits for the request any more: its reply is thrown away.

        As soon as nobody waits for anything else here, the server is asked to stop, and the replies are read to the
        end, by a thread that nobody waits for: see ``recover``.
        """
        if self.machine.closed or request.done or not request.queued or request in self._given_up:
            return
        request.abandoned = True
        request.take()
        self._given_up.add(request)
        self._recover_if_deserted()

    def give_up_all(self, why: Callable[[], Error] = given_back) -> None:
        """Nobody shall wait for anything here any more; whoever does is told by an error of his own."""
        for request in self.machine.due():
            if request not in self._given_up and request.failure is None:
                request.failure = why()
            self.give_up(request)

    def _recover_if_deserted(self) -> None:
        if self._recovery is not None:
            return
        due = self.machine.due()
        self._given_up.intersection_update(due)
        if not self._given_up or (self.joinable and any(map(self._is_wanted, due))):
            return
        from stretto.runtime.recovery import Recovery

        shared = self.traffic is not None and self.machine.shared
        if self.traffic is not None and shared:
            self.traffic.recovering(self.lane)
        self._recovery = Recovery(self, shared=shared)
        self._recovery.start()

    def _is_wanted(self, request: Request) -> bool:
        """Tell whether somebody waits for the request, or takes its reply in parts and will wait again."""
        return request in self._waiting or not (request.abandoned or request in self._given_up)

    def recover(self) -> None:
        """After a statement was given up: wait until the connection is usable again, or closed."""
        self._recover_until(None, None)

    def _recover_until(self, deadline: float | None, timeout: float | None) -> None:
        while (recovery := self._recovery) is not None:  # another one may have begun before this greenlet goes on
            try:
                ended = recovery.wait(remaining(deadline))
            except TimeoutError:
                ended = False
            if not ended:
                raise StatementTimeout(f"the connection was not free within {timeout} seconds", outcome="not_sent")

    def recovered(self, *, shared: bool) -> None:
        """Nothing that was given up is due any more, or the connection is closed.

        ``shared``: it was when that began. One that was held may be in other hands as soon as ``recovering`` is over.
        """
        self._given_up.clear()
        self._recovery = None
        if self.traffic is not None and shared and not self.machine.closed:
            self.traffic.recovered(self.lane)

    def let_go(self, request: Request) -> None:
        """Say what ends a request that was given up, if anything."""
        if self._unwritten is not None:
            self.abort()  # half a message was said: the server would wait for the rest
            return
        release(self.machine, request)
        if self.machine.pending():
            self._flush()

    def drain(self, request: Request, deadline: float) -> None:
        """Read a reply that nobody wants to its end. Raises TimeoutError."""
        while not request.done:
            self._exchange(deadline)

    def cancel(self) -> None:
        """Send a CancelRequest for what runs here; raises ConnectError, UsageError where there is no key."""
        from stretto.runtime.plug import send_cancel

        if self.inherited:
            raise forked()
        send_cancel(self.shared, self.greeting)

    def why_lost(self) -> Error:
        """The error for whoever waits on this connection, which is gone, without a statement of his own."""
        return why_lost(self.machine, self.inherited, self._reason)

    def leave(self) -> None:
        """Say Terminate and close."""
        self.close()

    def close(self) -> None:
        """Say Terminate and close, and end what goes on beside."""
        recovery = self._recovery
        if not self.machine.closed and self.machine.idle() and recovery is None:
            self._say_goodbye()
        self.abort()
        if recovery is not None:
            recovery.stop()

    def _forget_parent(self) -> None:
        super()._forget_parent()
        self._recovery = None


def switches_greenlets() -> bool:
    """Tell whether gevent has put its own sockets and threads in the place of Python's."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and all(map(monkey.is_module_patched, ("socket", "threading", "time")))


def _thrown_in(trace: TracebackType | None) -> bool:
    """Tell whether an exception was thrown into a greenlet that waited: nothing was read then that could be lost."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    module = str(trace.tb_frame.f_globals.get("__name__"))
    return module.startswith("gevent.") and "switch" in trace.tb_frame.f_code.co_name
