"""The blocking runtime: plain sockets. It runs in threads, and under gevent's monkey patching, as it is.

The caller's own thread writes, waits and reads. A Link serves one caller at a time.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from stretto.errors import Error, PoolTimeout, ProtocolError, StatementTimeout
from stretto.flows.shared import Shared
from stretto.protocol.machine import Machine
from stretto.protocol.request import Request
from stretto.runtime.base import (
    CANCEL_GRACE,
    RECEIVE,
    fail_all,
    is_deadline,
    lost,
    release,
    remaining,
    unfinished,
    why_lost,
)
from stretto.wire import frontend

if TYPE_CHECKING:
    from stretto.flows.connect import Greeting

_SMALL = 1 << 14  # up to here a message surely fits the socket's buffer while the server waits for us


class Link:
    """One connection, used by one caller at a time."""

    def __init__(
        self, shared: Shared, sock: socket.socket, greeting: Greeting, would_block: tuple[type[Exception], ...]
    ) -> None:
        self.shared = shared
        self.greeting = greeting
        self.machine = Machine(greeting.parameters)
        if greeting.leftover:
            self.machine.receive_data(greeting.leftover)
        self.opened = time.monotonic()
        self.given_up = False
        self._sock = sock
        self._sock.settimeout(None)
        self._would_block = would_block
        self._timeout: float | None = None

    @classmethod
    def connect(cls, shared: Shared) -> Link:
        """Connect by the Database's configuration; raises ConnectError and its kin."""
        from stretto.runtime import plug  # TLS and all that connecting needs is loaded when somebody connects

        sock, greeting = plug.open_session(shared)
        try:
            return cls(shared, sock, greeting, plug.WOULD_BLOCK)
        except BaseException:
            sock.close()
            raise

    @property
    def closed(self) -> bool:
        return self.machine.closed

    @property
    def recovering(self) -> bool:
        """Whether a statement was given up here, and its reply is still to come."""
        return self.given_up

    def alive(self) -> bool:
        """Tell whether an idle connection can be used; what the server said meanwhile is heard."""
        try:
            if not self.machine.closed and readable(self._sock, 0):
                self._sock.setblocking(False)
                while not self.machine.closed and readable(self._sock, 0):
                    self._hear()
                if not self.machine.closed:
                    self._sock.settimeout(None)
        except (OSError, ValueError) as error:
            self._lost(error)
        if self.machine.farewell is not None:
            self.abort()  # the server has said goodbye, the end of the stream is on its way
        return not self.machine.closed

    def run(self, flow: Generator[Request, Any, Any], timeout: float | None = None, waited: float = 0.0) -> Any:
        """Drive a flow; after ``timeout`` seconds, ``waited`` of them gone, it is cancelled: StatementTimeout."""
        deadline = None if timeout is None else time.monotonic() + timeout - waited
        if self.given_up:
            self.recover()
        try:
            request = flow.send(None)
            while True:
                try:
                    self._exchange(request, deadline)
                except TimeoutError:
                    self.give_up(request)
                    raise StatementTimeout(
                        f"no answer within {timeout} seconds", outcome="unknown" if request.sent else "not_sent"
                    ) from None
                except BaseException:  # an interrupt, a signal's exception: what was read of a message is not known
                    self.give_up(request)
                    self.abort()
                    raise
                try:
                    request = flow.send(request)
                except StopIteration:
                    raise
                except BaseException:
                    if unfinished(request):
                        self.give_up(request)  # the rest of a large reply that nobody decodes
                    raise
        except StopIteration as stop:
            return stop.value
        finally:
            flow.close()

    def settle(
        self, flow: Generator[Request, Any, Any], timeout: float | None = None
    ) -> tuple[Any, BaseException | None]:
        """Drive a flow that must not be cancelled on the server: there is a COMMIT in it.

        When the time is up, the answers are waited for some seconds longer, then the connection is closed. Returns the
        flow's result, and None (on asyncio: the cancellation that is still to be delivered).
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            request = flow.send(None)
            while True:
                try:
                    try:
                        self._exchange(request, deadline)
                    except TimeoutError:
                        deadline = time.monotonic() + CANCEL_GRACE
                        self._exchange(request, deadline)
                except TimeoutError:
                    self.abort()
                except BaseException:  # an interrupt
                    self.abort()
                    raise
                request = flow.send(request)
        except StopIteration as stop:
            return stop.value, None
        finally:
            flow.close()

    def _exchange(self, request: Request, deadline: float | None) -> None:
        """Send what there is to send and read until the request is ready."""
        machine = self.machine
        if not request.queued:
            if machine.closed:
                request.failure = lost(None, sent=False)
                request.done = True
                return
            machine.submit(request)
        elif request.extra is not None and not machine.closed:
            machine.extend(request)
        if machine.pending():
            self._send(machine.data_to_send(), deadline)
        if request.hurry:
            request.hurry = False
            return
        while not request.ready():
            self._receive(deadline)
            if machine.pending():  # the machine got out of a COPY that nobody wanted
                self._send(machine.data_to_send(), deadline)
        machine.finished.clear()

    def _receive(self, deadline: float | None) -> None:
        try:
            if deadline is not None or self._timeout is not None:
                self._timeout = remaining(deadline)
                self._sock.settimeout(self._timeout)
            data = self._sock.recv(RECEIVE)
        except OSError as error:
            if is_deadline(error):
                raise
            self._lost(error)
            return
        self._feed(data)

    def _hear(self) -> None:
        """Read what is there, on a socket that does not block."""
        with contextlib.suppress(*self._would_block):
            self._feed(self._sock.recv(RECEIVE))

    def _feed(self, data: bytes) -> None:
        if not data:
            self._lost(None)
            return
        try:
            self.machine.receive_data(data)
        except ProtocolError as error:
            for request in fail_all(self.machine, error):
                request.failure = error
            self._sock.close()
            if self.machine.head() is None:
                return

    def _send(self, data: bytes, deadline: float | None, *, unasked: bool = False) -> None:
        """Write all; ``unasked``: the server is not waiting for it, so it may be saying something meanwhile."""
        try:
            if len(data) <= _SMALL and deadline is None and self._timeout is None and not unasked:
                self._sock.sendall(data)
            else:
                self._send_and_receive(memoryview(data), deadline)
        except OSError as error:
            if is_deadline(error):
                self.abort()
                raise
            with contextlib.suppress(OSError, ProtocolError):  # hear the server's last words, which say why
                self._sock.setblocking(False)
                while last := self._sock.recv(RECEIVE):
                    self.machine.receive_data(last)
            self._lost(error)
        except BaseException:
            self.abort()  # half a message was said: nothing else can be said behind it
            raise

    def _send_and_receive(self, data: memoryview, deadline: float | None) -> None:
        """Read while writing: a server that waits for us to read would never take the rest."""
        sock = self._sock
        sock.setblocking(False)
        self._timeout = 0.0
        heard = readable(sock, 0)
        while (data or heard) and not self.machine.closed:
            if heard:
                self._hear()
                heard = not self.machine.closed and readable(sock, 0)
                continue
            try:
                data = data[sock.send(data) :]
            except self._would_block:
                heard = readable(sock, remaining(deadline), or_writable=True)
        if not self.machine.closed:
            sock.settimeout(None)
            self._timeout = None

    def send(self, data: bytes) -> None:
        """Write what has no reply of its own (CopyData), reading meanwhile what the server says."""
        if not self.machine.closed:
            self.machine.write(data)
            self._send(self.machine.data_to_send(), None, unasked=True)

    def wait_notification(self, timeout: float | None = None) -> bool:
        """Wait for a notification; False when ``timeout`` seconds have passed or the connection is gone."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.machine.notifications and not self.machine.closed:
            try:
                self._receive(deadline)
            except TimeoutError:
                return False
        return not self.machine.closed

    def _lost(self, cause: BaseException | None) -> None:
        fail_all(self.machine, cause)
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes another thread that reads
        self._sock.close()

    def give_up(self, request: Request) -> None:
        """Nobody waits for the request any more: ask the server to stop; its reply is thrown away later."""
        if self.machine.closed or request.done:
            return
        request.abandoned = True
        request.take()
        self.given_up = True
        from stretto.runtime.plug import send_cancel

        with contextlib.suppress(Error, OSError):
            send_cancel(self.shared, self.greeting)

    def cancel(self) -> None:
        """Send a CancelRequest for what runs here; raises ConnectError, UsageError where there is no key."""
        from stretto.runtime.plug import send_cancel

        send_cancel(self.shared, self.greeting)

    def recover(self) -> None:
        """After a statement was given up: read its reply to the end, or close the connection after a grace."""
        if not self.given_up:
            return
        deadline = time.monotonic() + CANCEL_GRACE
        machine = self.machine
        try:
            head = machine.head()
            if head is not None:
                release(machine, head)
                self._send(machine.data_to_send(), deadline)
            while not machine.idle():
                self._receive(deadline)
        except TimeoutError:
            self.abort()
        except BaseException:
            self.abort()
            raise
        self.given_up = False
        machine.finished.clear()

    def why_lost(self) -> Error:
        """The error for whoever waits on this connection, which is gone, without a statement of his own."""
        return why_lost(self.machine)

    def abort(self) -> None:
        """Close the socket at once."""
        self._lost(None)

    def close(self) -> None:
        """Say Terminate and close."""
        if not self.machine.closed:
            with contextlib.suppress(OSError):
                self._sock.settimeout(0.5)
                self._sock.sendall(frontend.TERMINATE)
            self.abort()


def readable(sock: socket.socket, timeout: float | None, *, or_writable: bool = False) -> bool:
    """Wait until a socket can be read (or written), and tell whether it can be read. It takes any descriptor."""
    poll = select.poll()
    poll.register(sock, select.POLLIN | (select.POLLOUT if or_writable else 0))
    found = poll.poll(None if timeout is None else math.ceil(timeout * 1000))
    return bool(found) and found[0][1] != select.POLLOUT


class Gate:
    """A counting semaphore that lets waiters through in the order they came."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._waiters: deque[threading.Event] = deque()

    def acquire(self, timeout: float | None) -> None:
        """Take a place; raises PoolTimeout after ``timeout`` seconds."""
        with self._lock:
            if self._places > 0 and not self._waiters:
                self._places -= 1
                return
            turn = threading.Event()
            self._waiters.append(turn)
        try:
            if turn.wait(timeout):
                return
        except BaseException:  # an interrupt: nobody is there to take the place
            if not self._withdraw(turn):
                self.release()
            raise
        if not self._withdraw(turn):
            return
        raise PoolTimeout(f"no connection became free within {timeout} seconds")

    def _withdraw(self, turn: threading.Event) -> bool:
        """Wait no longer; False when the place was given in the very moment."""
        with self._lock:
            if turn.is_set():
                return False
            self._waiters.remove(turn)
            return True

    def release(self) -> None:
        """Give a place back, to whoever waits longest."""
        with self._lock:
            if self._waiters:
                self._waiters.popleft().set()
            else:
                self._places += 1
