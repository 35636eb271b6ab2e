"""Connecting on asyncio: takes the steps of ``flows.steps`` on one socket, without stopping the loop."""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
import ssl
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from stretto.errors import Error, ProtocolError
from stretto.flows import steps
from stretto.flows.cancel import cancel
from stretto.flows.connect import Greeting, connect
from stretto.flows.shared import Shared
from stretto.runtime.base import CANCEL_GRACE, peer_user, shortest

WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_T = TypeVar("_T")


class Plug:
    """Takes the steps of a connecting flow on one socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float | None) -> None:
        self.sock: socket.socket | ssl.SSLSocket | None = None
        self._loop = loop
        self._timeout = timeout
        self._deadline: float | None = None
        self._attempt = -1

    async def drive(self, flow: Generator[steps.Step, Any, Any]) -> Any:
        """Run the flow to its end and return its result; the socket is closed where it fails."""
        try:
            step = flow.send(None)
            while True:
                try:
                    answer = await self._take(step)
                except (Error, OSError, ValueError) as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as stop:
            return stop.value
        except BaseException:
            self.close()
            raise

    async def _take(self, step: steps.Step) -> Any:
        match step:
            case steps.Resolve(host, port):
                self._begin()
                async with asyncio.timeout_at(self._deadline):
                    found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                return [(family, address) for family, _, _, _, address in found]
            case steps.Open(family, address, options, attempt):
                if attempt != self._attempt:  # connect_timeout is for each address, whatever is tried there
                    self._attempt = attempt
                    self._begin()
                await self._open(family, address, options)
            case steps.Write():
                await self._write(step)
            case steps.Read(limit):
                return await self._retry(lambda: self._ready().recv(limit))
            case steps.StartTLS(context, server_hostname):
                return await self._start_tls(context, server_hostname)
            case steps.Compute(function):
                result = await self._loop.run_in_executor(None, function)
                return await result if inspect.isawaitable(result) else result
            case steps.Sleep(seconds):
                await asyncio.sleep(seconds)
            case steps.PeerUser():
                return peer_user(self._ready())
            case steps.Close():
                self.close()
        return None

    async def _open(self, family: int, address: Any, options: tuple[tuple[int, int, int], ...]) -> None:
        self.close()
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        for level, name, value in options:
            self.sock.setsockopt(level, name, value)
        async with asyncio.timeout_at(self._deadline):
            try:
                await self._loop.sock_connect(self.sock, address)
            except OSError as error:
                if error.errno is None:
                    raise
                raise OSError(error.errno, os.strerror(error.errno)) from error  # asyncio's text says only where

    async def _write(self, step: steps.Write) -> None:
        sent = 0  # what is sent is not bound to a name: a traceback would show a password
        while sent < len(step.data):
            sent += await self._retry(lambda done=sent: self._ready().send(step.data[done:]), write=True)

    async def _start_tls(self, context: ssl.SSLContext, server_hostname: str | None) -> ssl.SSLSocket:
        sock = context.wrap_socket(self._ready(), server_hostname=server_hostname, do_handshake_on_connect=False)
        self.sock = sock
        await self._retry(sock.do_handshake)
        return sock

    async def _retry(self, action: Callable[..., _T], *args: Any, write: bool = False) -> _T:
        """Do something on the socket as soon as it can be done without blocking."""
        while True:
            try:
                return action(*args)
            except ssl.SSLWantReadError:
                await self._wait(write=False)
            except ssl.SSLWantWriteError:
                await self._wait(write=True)
            except (BlockingIOError, InterruptedError):
                await self._wait(write=write)

    async def _wait(self, *, write: bool) -> None:
        """Wait until the socket can be read, or written."""
        loop = self._loop
        waiter: asyncio.Future[None] = loop.create_future()
        add, remove = (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)
        fd = self._ready().fileno()
        add(fd, wake, waiter)
        try:
            async with asyncio.timeout_at(self._deadline):
                await waiter
        finally:
            remove(fd)

    def _begin(self) -> None:
        self._deadline = None if self._timeout is None else self._loop.time() + self._timeout

    def _ready(self) -> socket.socket:
        if self.sock is None:
            raise OSError("no socket is open")
        return self.sock

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None


def wake(waiter: asyncio.Future[None]) -> None:
    """Let whoever waits go on."""
    if not waiter.done():
        waiter.set_result(None)


async def open_session(
    shared: Shared, loop: asyncio.AbstractEventLoop, until: float | None
) -> tuple[socket.socket, Greeting]:
    """Connect by the Database's configuration; raises ConnectError and its kin."""
    plug = Plug(loop, shortest(shared.config.connect_timeout, until, loop.time()))
    greeting = await plug.drive(connect(shared.config))
    if plug.sock is None:
        raise ProtocolError("the flow ended without a socket")
    return plug.sock, greeting


async def send_cancel(shared: Shared, loop: asyncio.AbstractEventLoop, greeting: Greeting) -> None:
    """Send a CancelRequest and wait until the server has read it; raises ConnectError, UsageError without a key."""
    await Plug(loop, CANCEL_GRACE).drive(cancel(shared.config, greeting))
