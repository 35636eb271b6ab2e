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
        self._unwritten: memoryview | None = None

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
            while not self.machine.closed and readable(self._sock, 0):
                self._hear()
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
                self.submit(request)
                if request.hurry:
                    request.hurry = False
                else:
                    self.wait(request, deadline, timeout)
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

    def submit(self, request: Request) -> None:
        """Queue a request that is not queued yet, or what it has more to say, and write what the socket takes."""
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
            self._flush()

    def wait(self, request: Request, deadline: float | None, timeout: float | None) -> None:
        """Read until the request is ready. A wait that does not end well gives the request up.

        Raises StatementTimeout at ``deadline`` (of ``time.monotonic``); ``timeout`` is what its message says.
        """
        try:
            while not request.ready():
                self._exchange(deadline)
        except TimeoutError:
            self.give_up(request)
            raise StatementTimeout(
                f"no answer within {timeout} seconds", outcome="unknown" if request.sent else "not_sent"
            ) from None
        except BaseException:  # an interrupt, a signal's exception: what was read of a message is not known
            self.give_up(request)
            self.abort()
            raise
        self.machine.finished.clear()

    def _exchange(self, deadline: float | None) -> None:
        """Read once; write meanwhile what the socket did not take yet."""
        if self._unwritten is None:
            self._receive(deadline)
        elif readable(self._sock, remaining(deadline), or_writable=True):
            self._hear()
        else:
            self._write()
        if self.machine.pending():  # the machine got out of a COPY that nobody wanted
            self._flush()

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
        """Read what is there."""
        try:
            self._sock.setblocking(False)
            data = self._sock.recv(RECEIVE)
            self._sock.settimeout(self._timeout)
        except self._would_block:
            self._sock.settimeout(self._timeout)
        except OSError as error:
            self._lost(error)
        else:
            self._feed(data)

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

    def _flush(self) -> None:
        """Write what there is to say, as far as the socket takes it at once."""
        if self._unwritten is not None:
            return
        surely = self.machine.depth() <= 1 and self._timeout is None
        data = self.machine.data_to_send()
        if surely and len(data) <= _SMALL:
            try:
                self._sock.sendall(data)
            except OSError as error:
                self._cut_off(error)
            except BaseException:
                self.abort()  # half a message was said: nothing else can be said behind it
                raise
        else:
            self._unwritten = memoryview(data)
            self._write()

    def _write(self) -> None:
        """Write what the socket takes of the rest."""
        rest = self._unwritten
        if rest is None:
            return
        try:
            self._sock.setblocking(False)
            rest = rest[self._sock.send(rest) :]
            self._sock.settimeout(self._timeout)
        except self._would_block:
            self._sock.settimeout(self._timeout)
        except OSError as error:
            self._cut_off(error)
        except BaseException:
            self.abort()  # how much was said is not known
            raise
        self._unwritten = rest if rest else None

    def _cut_off(self, cause: OSError) -> None:
        """Writing has failed: hear the server's last words, which say why."""
        with contextlib.suppress(OSError, ProtocolError):
            self._sock.setblocking(False)
            while last := self._sock.recv(RECEIVE):
                self.machine.receive_data(last)
        self._lost(cause)

    def send(self, data: bytes) -> None:
        """Write what has no reply of its own (CopyData), reading meanwhile what the server says."""
        if self.machine.closed:
            return
        self.machine.write(data)
        while not self.machine.closed and readable(self._sock, 0):
            self._hear()
        if not self.machine.closed:
            self._flush()
        while self._unwritten is not None and not self.machine.closed:
            self._exchange(None)

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
                self._flush()
            while not machine.idle():
                self._exchange(deadline)
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
