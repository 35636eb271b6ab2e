"""Connecting in blocking code: takes the steps of ``flows.steps`` on one socket.

Apart from ``runtime.blocking`` so that TLS and all that connecting needs is loaded when somebody connects.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Generator
from typing import Any

from stretto.errors import Error, ProtocolError, UsageError
from stretto.flows import steps
from stretto.flows.cancel import cancel
from stretto.flows.connect import Greeting, connect
from stretto.flows.shared import Shared
from stretto.runtime.base import CANCEL_GRACE, peer_user, remaining, shortest
from stretto.runtime.forks import drop, tell

WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Plug:
    """Takes the steps of a connecting flow on one socket."""

    def __init__(self, timeout: float | None) -> None:
        self.sock: socket.socket | ssl.SSLSocket | None = None
        self._timeout = timeout
        self._deadline: float | None = None
        self._attempt = -1
        self._stopped = False
        tell(self)

    def drive(self, flow: Generator[steps.Step, Any, Any]) -> Any:
        """Run the flow to its end and return its result; the socket is closed where it fails."""
        try:
            step = flow.send(None)
            while True:
                try:
                    answer = self._take(step)
                except (Error, OSError, ValueError) as error:
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
                self._begin()
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                return [(family, address) for family, _, _, _, address in found]
            case steps.Open(family, address, options, attempt):
                self.close()
                if attempt != self._attempt:  # connect_timeout is for each address, whatever is tried there
                    self._attempt = attempt
                    self._begin()
                self.sock = socket.socket(family, socket.SOCK_STREAM)
                for level, name, value in options:
                    self.sock.setsockopt(level, name, value)
                self._ready().connect(address)
            case steps.Write():
                self._ready().sendall(step.data)  # not bound to a name: a traceback would show a password
            case steps.Read(limit):
                return self._ready().recv(limit)
            case steps.StartTLS(context, server_hostname):
                sock = self._ready()
                self.sock = context.wrap_socket(sock, server_hostname=server_hostname)
                return self.sock
            case steps.Compute(function):
                return function()
            case steps.Sleep(seconds):
                time.sleep(seconds)
            case steps.PeerUser():
                return peer_user(self._ready())
            case steps.Close():
                self.close()
        return None

    def _begin(self) -> None:
        self._deadline = None if self._timeout is None else time.monotonic() + self._timeout

    def _ready(self) -> socket.socket:
        if self.sock is None or self._stopped:
            raise OSError("no socket is open")
        self.sock.settimeout(remaining(self._deadline))
        return self.sock

    def stop(self) -> None:
        """Let another thread's ``drive`` fail now, whatever it waits for on the socket."""
        self._stopped = True
        sock = self.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _forget_parent(self) -> None:
        """This is a child process: a greenlet that connects here goes no further on its parent's socket."""
        self._stopped = True
        if self.sock is not None:
            drop(self.sock)

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None


def open_session(shared: Shared, until: float | None) -> tuple[socket.socket, Greeting]:
    """Connect by the Database's configuration; raises ConnectError and its kin, UsageError where nothing can wait."""
    if not hasattr(select, "poll"):
        raise UsageError("select.poll is missing, as under eventlet's monkey patching: use gevent, threads or asyncio")
    plug = Plug(shortest(shared.config.connect_timeout, until, time.monotonic()))
    shared.connecting.add(plug)
    try:
        greeting = plug.drive(connect(shared.config))
    finally:
        shared.connecting.discard(plug)
    if plug.sock is None:
        raise ProtocolError("the flow ended without a socket")
    return plug.sock, greeting


def send_cancel(shared: Shared, greeting: Greeting) -> None:
    """Send a CancelRequest and wait until the server has read it; raises ConnectError, UsageError without a key."""
    Plug(CANCEL_GRACE / 2).drive(cancel(shared.config, greeting))
