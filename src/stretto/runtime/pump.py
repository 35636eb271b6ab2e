"""Moving bytes between one blocking socket and its Machine.

Nothing here waits but ``_exchange``. What the socket does not take at once is kept, and written by whoever waits for
an answer: a server that waits for us to read would never take the rest.
"""

from __future__ import annotations

import contextlib
import functools
import math
import select
import socket
import sys
from time import monotonic
from typing import TYPE_CHECKING

from stretto.errors import Error, ProtocolError, UsageError
from stretto.flows.sockets import Patience
from stretto.protocol.machine import Machine
from stretto.protocol.request import Request
from stretto.runtime.base import RECEIVE, fail_all, forsake, is_deadline, remaining
from stretto.runtime.forks import drop, tell
from stretto.wire import frontend

if TYPE_CHECKING:
    from stretto.pool.scheduler import Lane
    from stretto.runtime.tracing import Tap
    from stretto.runtime.traffic import Traffic

_LONGEST = (1 << 31) - 1  # milliseconds that poll() waits at most
_SMALL = 1 << 14  # up to here a message surely fits the socket's buffer while the server waits for us


class Pump:
    """A socket and its Machine, in the hands of one caller at a time, or of the greenlets of one thread."""

    lane: Lane

    def __init__(self, sock: socket.socket, machine: Machine, would_block: tuple[type[Exception], ...]) -> None:
        self.machine = machine
        self._sock = sock
        self._sock.settimeout(None)
        self._would_block = would_block
        self._timeout: float | None = None
        self._unwritten: memoryview | None = None
        self._woken = 0  # how many were woken and did not run yet
        self._given_up: set[Request] = set()
        self.tap: Tap | None = None
        self.patience: Patience | None = None
        self.traffic: Traffic | None = None
        self.listening = False
        self._reason: Error | None = None
        self.inherited = False  # from a parent process, whose session it is
        tell(self)

    @property
    def closed(self) -> bool:
        return self.machine.closed

    def _exchange(self, deadline: float | None) -> None:
        """Read once; write meanwhile what the socket did not take yet. Raises TimeoutError."""
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

    def _hear_all(self) -> None:
        """Read all that is there."""
        try:
            while not self.machine.closed and readable(self._sock, 0):
                self._hear()
        except (OSError, ValueError) as error:
            self._lost(error)

    def _feed(self, data: bytes) -> None:
        machine = self.machine
        if not data:
            self._lost(None)
            return
        if self.patience is not None:
            self.patience.heard()
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
        if machine.finished:
            if self._given_up and self.traffic is not None and machine.shared:
                # Their callers are gone; all others tell the traffic themselves, when they have left the link.
                self.traffic.answered(self.lane, [one for one in machine.finished if one in self._given_up])
            for request in machine.finished:
                if request.waiter is not None:
                    self._wake(request)
            machine.finished.clear()

    def _wake(self, request: Request) -> None:
        """Wake whoever waits for a request."""
        waiter, request.waiter = request.waiter, None
        self._woken += 1
        waiter.release()

    def _flush(self) -> None:
        """Write what there is to say, as far as the socket takes it at once."""
        if self._unwritten is not None:
            return
        surely = self.machine.depth() <= 1 and self._timeout is None
        data = self.machine.data_to_send(monotonic())
        if self.tap is not None:
            self.tap.said(data)
        if self.patience is not None:
            self.patience.said(len(data))
        if surely and len(data) <= _SMALL:
            try:
                sent = self._sock.send(data)  # under gevent sendall() takes three times as long
            except OSError as error:
                self._cut_off(error)
                return
            except BaseException:
                self.abort()  # half a message was said: nothing else can be said behind it
                raise
            if sent < len(data):
                self._unwritten = memoryview(data)[sent:]
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
        if self._unwritten is None:
            self.machine.written(monotonic())

    # The end ------------------------------------------------------------------------------------------------------

    def _cut_off(self, cause: OSError) -> None:
        """Writing has failed: hear the server's last words, which say why."""
        with contextlib.suppress(OSError, ProtocolError):
            self._sock.setblocking(False)
            while last := self._sock.recv(RECEIVE):
                self.machine.receive_data(last)
        self._lost(cause)

    def _lost(self, cause: BaseException | None) -> None:
        self._shut(fail_all(self.machine, cause))

    def _break(self, error: ProtocolError) -> None:
        requests = fail_all(self.machine, error)
        for request in requests:
            request.failure = error
        self._shut(requests)

    def _shut(self, requests: list[Request]) -> None:
        if not self.inherited:  # a child must not end the session of its parent
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)  # wakes another thread that reads
        self._sock.close()
        self._wake_all(requests)
        if self.traffic is not None:
            self.traffic.gone(self.lane)

    def _wake_all(self, requests: list[Request]) -> None:
        # Those that were answered by the same bytes that broke the protocol are woken, too.
        for request in (*requests, *self.machine.finished):
            if request.waiter is not None:
                self._wake(request)
        self.machine.finished.clear()

    def _forget_parent(self) -> None:
        """This is a child process. Threads are not here, but greenlets are."""
        self.inherited = True
        self._unwritten = None
        self._given_up.clear()
        drop(self._sock)
        self._wake_all(forsake(self.machine))

    def abort(self, reason: Error | None = None) -> None:
        """Close the socket at once; ``reason``: for those who use it later."""
        self._reason = reason
        self._lost(reason)

    def _say_goodbye(self) -> None:
        """Say Terminate, if the socket takes it."""
        if self._unwritten is None:
            if self.tap is not None:
                self.tap.said(frontend.TERMINATE)
            with contextlib.suppress(OSError):
                self._sock.settimeout(0.5)
                self._sock.sendall(frontend.TERMINATE)


def readable(sock: socket.socket, timeout: float | None, *, or_writable: bool = False) -> bool:
    """Wait until a socket can be read (or written), and tell whether it can be read. It takes any descriptor."""
    poll = _poll_of_python()() if timeout == 0 else select.poll()
    poll.register(sock, select.POLLIN | (select.POLLOUT if or_writable else 0))
    found = poll.poll(None if timeout is None else min(math.ceil(timeout * 1000), _LONGEST))
    return bool(found) and found[0][1] != select.POLLOUT


@functools.cache
def _poll_of_python() -> type[select.poll]:
    """Python's own poll: gevent's asks its loop, which is not needed to look without waiting."""
    monkey = sys.modules.get("gevent.monkey")
    found: type[select.poll] = select.poll if monkey is None else monkey.get_original("select", "poll")
    return found
