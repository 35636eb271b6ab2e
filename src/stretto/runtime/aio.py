"""The asyncio runtime: non-blocking sockets and the loop's own readiness callbacks (asyncio's loop and uvloop).

No transports and no protocols: what an asyncio driver pays for is the loop's passes and the system calls, so all that
is said in one turn of the loop is one ``send``, and what is heard is handed to the machine from the one callback.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
from collections.abc import Callable, Generator
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

from stretto.errors import Error, ProtocolError, StatementTimeout, UsageError
from stretto.flows.connect import Greeting
from stretto.flows.shared import Shared
from stretto.flows.sockets import Patience
from stretto.protocol.machine import Machine
from stretto.protocol.request import Request
from stretto.runtime.aioplug import WOULD_BLOCK, open_session, send_cancel, wake
from stretto.runtime.base import (
    CANCEL_AFTER,
    CANCEL_AGAIN,
    CANCEL_GRACE,
    REAP_EVERY,
    RECEIVE,
    fail_all,
    forsake,
    given_back,
    may_wait,
    release,
    unfinished,
    why_lost,
)
from stretto.runtime.forks import drop, forked, tell
from stretto.runtime.slow import follow, note, start
from stretto.runtime.tracing import tap
from stretto.wire import frontend

if TYPE_CHECKING:
    from stretto.pool.scheduler import Lane
    from stretto.runtime.atraffic import Traffic

Flow: TypeAlias = Generator[Request, Any, Any]
_PAUSE_AT = 1 << 20  # bytes of a COPY or stream that wait for a slow consumer before we stop reading


class Watch:
    """Calls back while a socket can be read, its errors included.

    On uvloop the socket is watched through an epoll descriptor of its own: there a reader is dropped without a word
    when the peer resets the connection (libuv gives POLLERR as an error of the watching itself), and whoever waits for
    an answer would wait for ever.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        self._loop = loop
        self._epoll: select.epoll | None = None
        if type(loop).__module__.partition(".")[0] == "uvloop" and hasattr(select, "epoll"):
            self._epoll = select.epoll()
            self._epoll.register(fd, select.EPOLLIN)
            fd = self._epoll.fileno()
        self._fd = fd

    def start(self, callback: Callable[[], object]) -> None:
        self._loop.add_reader(self._fd, callback)

    def stop(self) -> None:
        self._loop.remove_reader(self._fd)

    def close(self, *, ours: bool = True) -> None:
        """``ours``: the loop is still there to be told, and is not that of a parent process."""
        if ours:
            self.stop()
        if self._epoll is not None:
            self._epoll.close()


class Link:
    """One connection. Many tasks may have requests in flight on it; who may, is decided above.

    ``lane`` and ``traffic`` are set where it belongs to a pool; the traffic hears of what is answered, and of its end.
    """

    lane: Lane

    def __init__(
        self, shared: Shared, loop: asyncio.AbstractEventLoop, sock: socket.socket, greeting: Greeting
    ) -> None:
        self.shared = shared
        self.greeting = greeting
        self.machine = Machine(greeting.parameters)
        self.machine.pid = greeting.pid or 0
        self.tap = tap(shared, greeting)
        if greeting.leftover:
            if self.tap is not None:
                self.tap.heard(greeting.leftover)
            self.machine.receive_data(greeting.leftover)
        self.opened = loop.time()
        self.traffic: Traffic | None = None
        self.listening = False
        self._loop = loop
        self._reason: Error | None = None
        self.inherited = False  # from a parent process, whose session and loop they are
        self._sock = sock
        self._fd = sock.fileno()
        self._unwritten: memoryview | None = None
        self._flush_due = False
        self._paused = False
        self._recovery: asyncio.Task[None] | None = None
        self._quiet: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._event: asyncio.Future[None] | None = None
        self._sock.setblocking(False)
        self._patience = Patience.of(sock, shared.config)
        self._watch = Watch(loop, self._fd)
        self._watch.start(self._readable)
        tell(self)

    @classmethod
    async def connect(cls, shared: Shared, until: float | None = None) -> Link:
        """Connect by the Database's configuration; raises ConnectError and kin, at ``until`` of the loop's clock."""
        loop = asyncio.get_running_loop()
        sock, greeting = await open_session(shared, loop, until)
        try:
            return cls(shared, loop, sock, greeting)
        except BaseException:
            sock.close()
            raise

    @property
    def closed(self) -> bool:
        return self.machine.closed

    @property
    def recovering(self) -> bool:
        """Whether a statement was given up here, and its reply is still to come."""
        return self._recovery is not None and not self._recovery.done()

    def alive(self) -> bool:
        """Tell whether an idle connection can be used; what the server said meanwhile is heard."""
        machine = self.machine
        while not machine.closed and self._readable():
            pass  # the end of the stream may stand behind a notice
        if machine.farewell is not None:
            self.abort()  # the server has said goodbye, the end of the stream is on its way
        return not machine.closed

    async def run(self, flow: Flow, timeout: float | None = None, waited: float = 0.0) -> Any:
        """Drive a flow here; after ``timeout`` seconds, ``waited`` of them gone, it is cancelled: StatementTimeout."""
        deadline = None if timeout is None else self._loop.time() + timeout - waited
        slow = self.shared.slow
        request: Any = None
        try:
            request = flow.send(None)
            if slow is not None:
                start(request, waited)
            while True:
                if self._recovery is not None:
                    await self.recover()
                self.submit(request)
                if request.hurry:
                    request.hurry = False
                elif not request.ready():
                    await self.wait(request, deadline, timeout)
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
            if self.machine.pending() and not self._flush_due:
                self._flush_later()

    def submit(self, request: Request) -> None:
        """Queue a request that is not yet queued, and see that what there is to send is sent in this turn."""
        machine = self.machine
        if not request.queued:
            if machine.closed:
                request.failure = self.why_lost()
                request.done = True
                return
            busy = machine.submit(request)
            if self._flush_due or request.hurry:
                return  # what is in a hurry goes with what its flow yields next
            if busy:
                self._flush_due = True
                self._loop.call_soon(self._flush_later)
                return
        elif request.extra is not None and not machine.closed:
            machine.extend(request)
        if machine.pending() and not self._flush_due:
            self._flush()

    async def wait(self, request: Request, deadline: float | None = None, timeout: float | None = None) -> None:
        """Wait until a request is ready; StatementTimeout at ``deadline``, ``timeout`` seconds from the call.

        Whoever is cancelled here gives the request up.
        """
        if self._paused:
            self._resume()
        waiter = request.waiter = self._loop.create_future()
        try:
            if deadline is None:
                await waiter
            else:
                async with asyncio.timeout_at(deadline):
                    await waiter
        except TimeoutError:
            self.give_up(request)
            raise StatementTimeout(
                f"no answer within {timeout} seconds", outcome="unknown" if request.sent else "not_sent"
            ) from None
        except asyncio.CancelledError:
            self.give_up(request)
            raise

    async def settle(
        self, flow: Generator[Request, Any, Any], timeout: float | None = None, waited: float = 0.0
    ) -> tuple[Any, BaseException | None]:
        """Drive a flow that must not be cancelled on the server: there is a COMMIT in it.

        When the time is up or the task is cancelled, the answers are waited for a little longer, then the connection is
        closed. Returns the flow's result and the cancellation that is still to be delivered.
        """
        deadline = None if timeout is None else self._loop.time() + timeout - waited
        held: asyncio.CancelledError | None = None
        extended = False
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
                    while not request.ready():
                        if self._paused:
                            self._resume()  # a stream that was left open is over now
                        waiter = request.waiter = self._loop.create_future()
                        try:
                            if deadline is None:
                                await waiter
                            else:
                                async with asyncio.timeout_at(deadline):
                                    await waiter
                        except TimeoutError:
                            if extended:
                                self.abort()
                            deadline, extended = self._loop.time() + CANCEL_GRACE, True
                        except asyncio.CancelledError as cancelled:
                            if held is not None:
                                self.abort()  # again: somebody is in a hurry
                            held = cancelled
                            deadline, extended = self._loop.time() + CANCEL_GRACE, True
                following = flow.send(request)
                request = following if slow is None else follow(request, following)
        except StopIteration as stop:
            if slow is not None:
                note(slow, request)
            return stop.value, held
        finally:
            flow.close()
            if self.machine.pending() and not self._flush_due:
                self._flush_later()

    # The socket ---------------------------------------------------------------------------------------------------

    def _readable(self) -> bool:
        """Hear what has come; tell whether there was something."""
        try:
            data = self._sock.recv(RECEIVE)
        except WOULD_BLOCK:
            return False
        except OSError as error:
            self._lost(error)
            return True
        self._feed(data)
        if isinstance(self._sock, ssl.SSLSocket):
            while not self.machine.closed and self._sock.pending():
                self._feed(self._sock.recv(RECEIVE))
        return True

    def _feed(self, data: bytes) -> None:
        if not data:
            self._lost(None)
            return
        machine = self.machine
        if self._patience is not None:
            self._patience.heard()
        if self.tap is not None:
            self.tap.heard(data)
        try:
            machine.receive_data(data, monotonic())
        except ProtocolError as error:
            self._break(error)
            return
        except UsageError as error:  # the session is not what it was, and others use it
            self._lost(error)
            return
        if machine.pending() and not self._flush_due:
            self._flush()  # the machine has something to say itself: it gets out of a COPY that nobody wants
        finished = machine.finished
        if finished:
            if machine.shared and self.traffic is not None:
                self.traffic.answered(self.lane, finished)
            for request in finished:
                waiter = request.waiter
                if waiter is not None and not waiter.done():
                    waiter.set_result(None)
            if len(finished) > 1 and not self._flush_due:
                # All that are woken now say what they have to say in one write, in the same pass of the loop.
                self._flush_due = True
                self._loop.call_soon(self._flush_later)
            finished.clear()
            if self._quiet is not None and machine.idle():
                wake(self._quiet)
        elif machine.changed and machine.shared and machine.idle() and self.traffic is not None:
            self.traffic.answered(self.lane, finished)  # the server has changed a setting by itself
            return
        if self._event is not None and machine.notifications:
            wake(self._event)
        head = machine.head()
        if head is not None and head.buffered >= _PAUSE_AT and may_wait(head):
            self._paused = True
            self._watch.stop()

    def _resume(self) -> None:
        self._paused = False
        if self._fd >= 0:
            self._watch.start(self._readable)

    def _flush_later(self) -> None:
        self._flush_due = False
        if self.machine.pending() and not self.machine.closed:
            self._flush()

    def _flush(self) -> None:
        if self._unwritten is not None:
            return
        data = self.machine.data_to_send(monotonic())
        if self.tap is not None:
            self.tap.said(data)
        if self._patience is not None:
            self._patience.said(len(data))
        try:
            sent = self._sock.send(data)
        except WOULD_BLOCK:
            sent = 0
        except OSError as error:
            self._cut_off(error)
            return
        if sent < len(data):
            self._unwritten = memoryview(data)[sent:]
            self._loop.add_writer(self._fd, self._writable)

    def _writable(self) -> None:
        rest = self._unwritten
        if rest is None:
            return
        try:
            rest = rest[self._sock.send(rest) :]
        except WOULD_BLOCK:
            return
        except OSError as error:
            self._cut_off(error)
            return
        self._unwritten = rest
        if not rest:
            self._unwritten = None
            self.machine.written(monotonic())
            self._loop.remove_writer(self._fd)
            if self._drained is not None:
                wake(self._drained)
            if self.machine.pending():
                self._flush()

    async def send(self, data: bytes, timeout: float | None = None) -> None:
        """Write what has no reply of its own (CopyData), and wait until the socket has taken it.

        Raises TimeoutError where it has not within ``timeout`` seconds.
        """
        self.machine.write(data)
        if self._unwritten is None:
            self._flush()
        if self._unwritten is None:
            await asyncio.sleep(0)  # a server that takes all at once would leave nobody else a turn
            return
        async with asyncio.timeout(timeout):
            while self._unwritten is not None and not self.machine.closed:
                self._drained = self._loop.create_future()
                await self._drained

    async def wait_notification(self, timeout: float | None = None) -> bool:
        """Wait for a notification; False when ``timeout`` seconds have passed or the connection is gone."""
        while not self.machine.notifications and not self.machine.closed:
            self._event = self._loop.create_future()
            self.listening = True
            try:
                async with asyncio.timeout(timeout):
                    await self._event
            except TimeoutError:
                return False
            finally:
                self._event = None
                self.listening = False
        return not self.machine.closed

    # The end --------------------------------------------------------------------------------------------------------

    def _lost(self, cause: BaseException | None) -> None:
        self._shut(fail_all(self.machine, cause))

    def _cut_off(self, cause: OSError) -> None:
        """Writing has failed: hear the server's last words, which say why."""
        with contextlib.suppress(OSError, ProtocolError):
            while data := self._sock.recv(RECEIVE):
                self.machine.receive_data(data)
        self._lost(cause)

    def _break(self, error: ProtocolError) -> None:
        requests = fail_all(self.machine, error)
        for request in requests:
            request.failure = error
        self._shut(requests)

    def _shut(self, requests: list[Request]) -> None:
        ours = self._is_ours()
        if self._fd >= 0:
            self._watch.close(ours=ours)
            if ours:
                self._loop.remove_writer(self._fd)
            self._fd = -1
            self._sock.close()
        if ours:
            self._wake_all(requests)
        if self.traffic is not None:
            self.traffic.gone(self.lane)

    def _wake_all(self, requests: list[Request]) -> None:
        # Those that were answered by the same bytes that broke the protocol are woken, too.
        for request in (*requests, *self.machine.finished):
            if request.waiter is not None:
                wake(request.waiter)
        self.machine.finished.clear()
        for waiter in (self._quiet, self._event, self._drained):
            if waiter is not None:
                wake(waiter)

    def _is_ours(self) -> bool:
        """Tell whether the loop is still there, and this is not a child process that has it from its parent."""
        return not self.inherited and not self._loop.is_closed()

    def _forget_parent(self) -> None:
        """This is a child process: the loop is its parent's, and what that watches by is common to both."""
        self.inherited = True
        self._recovery = self._unwritten = None
        if self._fd >= 0:
            self._watch.close(ours=False)
            self._fd = -1
        drop(self._sock)
        forsake(self.machine)

    def give_up(self, request: Request) -> None:
        """Nobody waits for the request any more.

        Not sent: it is taken back. Sent: its reply is thrown away as it comes. The server is asked to stop only when
        nobody waits for anything else on this connection: a CancelRequest hits whatever runs when it arrives.
        """
        machine = self.machine
        if machine.closed or request.done:
            return
        if self._loop.is_closed():
            self.abort()
            return
        if machine.withdraw(request):
            if self.traffic is not None:
                self.traffic.withdrawn(request)
            return
        request.given_up = True
        request.abandoned = True
        request.take()
        if machine.shared:
            self._loop.call_later(CANCEL_AFTER, self._reap, request)
        else:
            self._reap(request)

    def give_up_all(self, why: Callable[[], Error] = given_back) -> None:
        """Nobody shall wait for anything here any more; whoever does is told by an error of his own."""
        machine = self.machine
        for request in machine.due():
            if not request.given_up and request.failure is None:
                request.failure = why()
            request.given_up = request.abandoned = True
            request.take()
            if request.waiter is not None:
                wake(request.waiter)
        if not machine.idle() and not self.recovering:
            self._recovery = self._loop.create_task(self._recover(shared=False))

    def _reap(self, request: Request) -> None:
        """See whether what was given up has ended, and whether it can be cancelled by now."""
        if request.done or self.machine.closed or self.recovering:
            return
        if self.machine.forsaken():
            shared = self.traffic is not None and self.machine.shared
            if self.traffic is not None and shared:
                self.traffic.recovering(self.lane)
            self._recovery = self._loop.create_task(self._recover(shared=shared))
        else:
            self._loop.call_later(REAP_EVERY, self._reap, request)

    async def cancel(self) -> None:
        """Send a CancelRequest for what runs here; raises ConnectError, UsageError where there is no key."""
        if self.inherited:
            raise forked()
        await send_cancel(self.shared, self._loop, self.greeting)

    async def recover(self) -> None:
        """After a statement was given up: wait until the connection is usable again, or closed."""
        while (recovery := self._recovery) is not None:
            await asyncio.wait((recovery,))
            if self._recovery is recovery:  # else another one has begun before this task goes on
                self._recovery = None

    async def _recover(self, *, shared: bool) -> None:
        """Cancel what runs, and wait for both: the end of the cancel's socket and ReadyForQuery.

        Several may have been given up: each that still runs after a while is asked to stop.
        """
        machine = self.machine
        if self._paused:
            self._resume()
        try:
            async with asyncio.timeout(CANCEL_GRACE):
                if not shared:
                    await self._quiet_for(CANCEL_AFTER)  # it may end by itself
                while not machine.idle():
                    with contextlib.suppress(Error, OSError):
                        await send_cancel(self.shared, self._loop, self.greeting)
                    head = machine.head()
                    if head is not None:
                        release(machine, head)
                        self._flush()
                    await self._quiet_for(CANCEL_AGAIN)
        except TimeoutError:
            self.abort()
        if self.traffic is not None and shared and not machine.closed:
            self.traffic.recovered(self.lane)

    async def _quiet_for(self, seconds: float) -> None:
        """Wait until no reply is due, at most some seconds."""
        if not self.machine.idle():
            self._quiet = self._loop.create_future()
            try:
                await asyncio.wait((self._quiet,), timeout=seconds)
            finally:
                self._quiet = None

    def why_lost(self) -> Error:
        """The error for whoever waits on this connection, which is gone, without a statement of his own."""
        return why_lost(self.machine, self.inherited, self._reason)

    def abort(self, reason: Error | None = None) -> None:
        """Close the socket at once; ``reason``: for those who use it later."""
        self._reason = reason
        self._lost(reason)

    def leave(self) -> None:
        """Say Terminate and close the socket at once."""
        if not self.machine.closed:
            if self._is_ours():
                self.machine.write(frontend.TERMINATE)
                self._flush()
            self.abort()

    async def close(self) -> None:
        """Say Terminate, close, and end what goes on beside."""
        self.leave()
        if self._recovery is not None and self._is_ours() and self._recovery is not asyncio.current_task():
            self._recovery.cancel()
            await self.recover()
