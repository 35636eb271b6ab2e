"""The blocking runtime: plain sockets. It runs in threads, and under gevent's monkey patching, as it is.

The caller's own thread writes, waits and reads. A Link serves one caller at a time.
"""

from __future__ import annotations

import contextlib
import inspect
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Generator
from typing import Any

from stretto.errors import Error, PoolTimeout, ProtocolError, StatementTimeout, UsageError
from stretto.flows import cancel as cancelling
from stretto.flows import steps
from stretto.flows.connect import Greeting, connect
from stretto.flows.shared import Shared
from stretto.protocol.machine import Machine
from stretto.protocol.request import Request
from stretto.runtime.base import CANCEL_GRACE, RECEIVE, fail_all, lost, peer_user, release, why_lost
from stretto.wire import frontend

_SMALL = 1 << 14  # up to here a message surely fits the socket's buffer while the server waits for us


def remaining(deadline: float | None) -> float | None:
    """Seconds left; raises TimeoutError when there are none."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left


class Plug:
    """Takes the steps of a connecting flow on one socket."""

    def __init__(self, timeout: float | None) -> None:
        self.sock: socket.socket | ssl.SSLSocket | None = None
        self._timeout = timeout
        self._deadline: float | None = None
        self._attempt = -1

    def drive(self, flow: Generator[steps.Step, Any, Any]) -> Any:
        """Run the flow to its end and return its result; the socket is closed where it fails."""
        try:
            step = flow.send(None)
            while True:
                try:
                    answer = self._take(step)
                except (OSError, ssl.SSLError) as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as stop:
            return stop.value
        except BaseException:
            self.close()
            raise

    def _take(self, step: steps.Step) -> Any:
        match step:
            case steps.Resolve(host, port):
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                return [(family, address) for family, _, _, _, address in found]
            case steps.Open(family, address, options, attempt):
                self.close()
                if attempt != self._attempt:  # connect_timeout is for each address, whatever is tried there
                    self._attempt = attempt
                    self._deadline = None if self._timeout is None else time.monotonic() + self._timeout
                self.sock = socket.socket(family, socket.SOCK_STREAM)
                for level, name, value in options:
                    self.sock.setsockopt(level, name, value)
                self._ready().connect(address)
            case steps.Write(data):
                self._ready().sendall(data)
            case steps.Read(limit):
                return self._ready().recv(limit)
            case steps.StartTLS(context, server_hostname):
                sock = self._ready()
                self.sock = context.wrap_socket(sock, server_hostname=server_hostname)
                return self.sock
            case steps.Compute(function):
                result = function()
                if inspect.isawaitable(result):
                    raise UsageError("an async password function needs AsyncDatabase")
                return result
            case steps.Sleep(seconds):
                time.sleep(seconds)
            case steps.PeerUser():
                return peer_user(self._ready())
            case steps.Close():
                self.close()
        return None

    def _ready(self) -> socket.socket:
        if self.sock is None:
            raise OSError("no socket is open")
        self.sock.settimeout(remaining(self._deadline))
        return self.sock

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None


class Link:
    """One connection, used by one caller at a time."""

    def __init__(self, shared: Shared, sock: socket.socket, greeting: Greeting) -> None:
        self.shared = shared
        self.greeting = greeting
        self.machine = Machine(greeting.parameters)
        if greeting.leftover:
            self.machine.receive_data(greeting.leftover)
        self.opened = time.monotonic()
        self.given_up = False
        self._sock = sock
        self._sock.settimeout(None)
        self._timeout: float | None = None

    @classmethod
    def connect(cls, shared: Shared) -> Link:
        """Connect by the Database's configuration; raises ConnectError and its kin."""
        plug = Plug(shared.config.connect_timeout)
        greeting = plug.drive(connect(shared.config))
        if plug.sock is None:
            raise ProtocolError("the flow ended without a socket")
        return cls(shared, plug.sock, greeting)

    @property
    def closed(self) -> bool:
        return self.machine.closed

    def alive(self) -> bool:
        """Tell whether an idle connection can be used; what the server said meanwhile is heard."""
        try:
            while not self.machine.closed and select.select([self._sock], [], [], 0)[0]:
                self._receive(None)
        except (OSError, ValueError) as error:
            self._lost(error)
        return not self.machine.closed

    def run(self, flow: Generator[Request, Any, Any], timeout: float | None = None) -> Any:
        """Drive a flow; after ``timeout`` seconds the statement is cancelled and StatementTimeout raised."""
        deadline = None if timeout is None else time.monotonic() + timeout
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
                except (KeyboardInterrupt, SystemExit, GeneratorExit):
                    self.give_up(request)
                    raise
                request = flow.send(request)
        except StopIteration as stop:
            return stop.value
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
            if machine.pending():  # the machine has something to say itself: it gets out of a COPY that nobody wants
                self._send(machine.data_to_send(), deadline)
        machine.finished.clear()

    def _receive(self, deadline: float | None) -> None:
        try:
            if deadline is not None or self._timeout is not None:
                self._timeout = remaining(deadline)
                self._sock.settimeout(self._timeout)
            data = self._sock.recv(RECEIVE)
        except TimeoutError:
            raise
        except OSError as error:
            self._lost(error)
            return
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
            if self.machine.head() is None:
                return

    def _send(self, data: bytes, deadline: float | None) -> None:
        try:
            if len(data) <= _SMALL and deadline is None and self._timeout is None:
                self._sock.sendall(data)
            else:
                self._send_and_receive(memoryview(data), deadline)
        except TimeoutError:
            raise
        except OSError as error:
            self._lost(error)

    def _send_and_receive(self, data: memoryview, deadline: float | None) -> None:
        """Read while writing: a server that waits for us to read would never take the rest."""
        sock = self._sock
        sock.setblocking(False)
        self._timeout = 0.0
        while data and not self.machine.closed:
            try:
                data = data[sock.send(data) :]
                continue
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            readable, _, _ = select.select([sock], [sock], [], remaining(deadline))
            if readable:
                with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    self._feed(sock.recv(RECEIVE))
        if not self.machine.closed:
            sock.settimeout(None)
            self._timeout = None

    def send(self, data: bytes) -> None:
        """Write what has no reply of its own (CopyData), reading meanwhile what the server says."""
        self.machine.write(data)
        self._send(self.machine.data_to_send(), None)

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
        self._sock.close()

    def give_up(self, request: Request) -> None:
        """Nobody waits for the request any more: ask the server to stop; its reply is thrown away later."""
        if self.machine.closed or request.done:
            return
        request.abandoned = True
        request.take()
        self.given_up = True
        with contextlib.suppress(OSError):
            plug = Plug(CANCEL_GRACE / 2)
            plug.drive(cancelling.cancel(self.shared.config, self.greeting))

    def recover(self) -> None:
        """After a statement was given up: read its reply to the end, or close the connection after a grace."""
        self.given_up = False
        deadline = time.monotonic() + CANCEL_GRACE
        machine = self.machine
        try:
            head = machine.head()
            if head is not None:
                release(machine, head)
                self._send(machine.data_to_send(), deadline)
            while not machine.idle():
                self._receive(deadline)
                if machine.pending():
                    self._send(machine.data_to_send(), deadline)
        except TimeoutError:
            self.abort()
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
        if turn.wait(timeout):
            return
        with self._lock:
            if turn.is_set():
                return
            self._waiters.remove(turn)
        raise PoolTimeout(f"no connection became free within {timeout} seconds")

    def release(self) -> None:
        """Give a place back, to whoever waits longest."""
        with self._lock:
            if self._waiters:
                self._waiters.popleft().set()
            else:
                self._places += 1
