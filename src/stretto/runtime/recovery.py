"""Getting a connection back after a statement was given up: cancel it on the server and read its reply to the end.

It runs in a thread of its own (a greenlet under gevent's monkey patching), so that whoever gave up is free at once,
and that what the server runs for nobody ends although nobody asks for the connection.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from stretto.errors import Error
from stretto.flows.cancel import UnreadCancelError, cancel
from stretto.protocol.classify import CONTROL
from stretto.protocol.request import Request
from stretto.runtime.base import CANCEL_GRACE
from stretto.runtime.plug import Plug

AGAIN = 0.1  # seconds until the cancel is sent again: one that comes before its statement has begun hits nothing

if TYPE_CHECKING:
    from stretto.runtime.blocking import Link


class Recovery:
    """A CancelRequest for what a Link runs, and the wait for both: the end of the cancel's socket and ReadyForQuery."""

    def __init__(self, link: Link, *, shared: bool) -> None:
        self._link = link
        self._shared = shared
        self._plug = Plug(CANCEL_GRACE / 2)
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin; where no thread can be started, as when the interpreter ends, the connection is closed."""
        try:
            threading.Thread(target=self._work, name="stretto-recovery", daemon=True).start()
        except RuntimeError:
            self._link.abort()
            self._end()

    def wait(self, timeout: float | None) -> bool:
        """Wait until the connection is usable again, or closed; False when ``timeout`` seconds have passed."""
        return self._ended.wait(timeout)

    def stop(self) -> None:
        """Wait for nothing any more; the connection must have been closed before."""
        self._plug.stop()
        self._ended.wait(CANCEL_GRACE)

    def _work(self) -> None:
        try:
            self._recover(time.monotonic() + CANCEL_GRACE)
        except TimeoutError:
            self._link.abort()
        except BaseException:
            self._link.abort()
            raise
        finally:
            self._end()

    def _recover(self, deadline: float) -> None:
        link = self._link
        if link.alive() and link.machine.idle():
            return  # the answer was there
        self._cancel()  # also where we have closed the connection: the server does not notice while it works
        while (head := link.machine.head()) is not None:
            link.let_go(head)
            self._drain(head, deadline)
            if not link.machine.idle():
                self._cancel()

    def _drain(self, head: Request, deadline: float) -> None:
        pause = AGAIN
        while not head.done:
            try:
                self._link.drain(head, min(deadline, time.monotonic() + pause))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    raise
                self._cancel()
                pause *= 2

    def _cancel(self) -> None:
        _send(self._plug, self._link)

    def _end(self) -> None:
        self._link.recovered(shared=self._shared)
        self._ended.set()


def stop(link: Link, why: Callable[[], Error]) -> bool:
    """Cancel what another thread runs and reads the answer of, and give it an error; False: it must come to its end."""
    machine = link.machine
    due = machine.due()
    if any(request.kind == CONTROL for request in due):
        return False
    for request in due:
        request.failure = request.failure or why()
    if due and not machine.closed:
        _send(Plug(CANCEL_GRACE / 2), link)
    return True


def _send(plug: Plug, link: Link) -> None:
    with contextlib.suppress(Error, OSError):
        try:
            plug.drive(cancel(link.shared.config, link.greeting))
        except UnreadCancelError:  # it would hit a stranger's statement
            link.abort()
