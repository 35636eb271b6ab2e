"""Blocking-style code on an event loop: a function runs in a greenlet, which the task that awaits it steps.

Inside the function ``await_(awaitable)`` stands for ``await``. The awaitable is stepped in the greenlet itself, and
only what it yields to the loop (a future) is switched out to the task. So one stack has the function and what it waits
for: a traceback reads from one to the other, and what is called back from below (a COPY's source) may wait again.
"""

from __future__ import annotations

import logging
import threading
import types
import weakref
from asyncio import AbstractEventLoop, _get_running_loop
from collections.abc import Awaitable, Callable, Generator
from types import CoroutineType
from typing import Any, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from stretto.errors import UsageError
from stretto.runtime.call import plain

T = TypeVar("T")
_log = logging.getLogger("stretto")
_NEVER = 1e9  # seconds
_KEPT = 100  # greenlets that a thread keeps for the next call: making one takes ten times as long as a switch


class Call:
    """One call of a function in a greenlet, ``side``, which is None before and after."""

    __slots__ = ("args", "fn", "keywords", "result", "side")

    def __init__(self, fn: Callable[..., Any], keywords: dict[str, Any]) -> None:
        self.fn = fn
        self.args: tuple[Any, ...] = ()
        self.keywords = keywords
        self.side: Side | None = None
        self.result: Any = None


class Side(greenlet):  # type: ignore[misc]  # greenlet has no types
    """A greenlet that runs one call after the other; one that raises is its last.

    ``abandoned``: the call's task is gone, so that nothing can be waited for any more.
    """

    call: Call | None = None
    abandoned = False


def _serve() -> None:
    """What a Side runs. While it is idle nothing here refers to the greenlet: it could not be collected then."""
    while True:
        _run(getcurrent())
        getcurrent().parent.switch()


def _run(side: Side) -> None:
    call = side.call
    if call is not None:
        try:
            call.result = call.fn(*call.args, **call.keywords)
        finally:
            side.call = None


class _Kept(threading.local):
    """What a thread keeps: greenlets for the next calls, and those that are in a call, by their loop."""

    def __init__(self) -> None:
        self.idle: list[Side] = []
        self.busy: set[Side] = set()
        self.loop: Callable[[], AbstractEventLoop | None] = lambda: None  # the one that ``busy`` is of
        self._loops: weakref.WeakKeyDictionary[AbstractEventLoop, set[Side]] = weakref.WeakKeyDictionary()

    def move(self, loop: AbstractEventLoop | None) -> None:
        """Come to another loop."""
        if loop is None:
            self.busy, self.loop = set(), lambda: None
            return
        busy = self._loops.get(loop)
        if busy is None:
            busy = self._loops[loop] = set()
            loop.call_later(_NEVER, _End(busy))
        self.busy, self.loop = busy, weakref.ref(loop)


class _End:
    """Is kept by a loop's timers and nothing else: whoever still waits when the loop is closed gets GreenletExit.

    The collector would not find him: it does not see what the stack of a greenlet refers to.
    """

    def __init__(self, busy: set[Side]) -> None:
        self._busy = busy
        self._thread = threading.get_ident()

    def __call__(self) -> None:
        """Be the callback of a timer that is never due."""

    def __del__(self) -> None:
        if self._thread != threading.get_ident():
            return  # greenlets can't be reached from another thread
        for side in list(self._busy):
            side.parent = getcurrent()
            try:
                side.throw(GreenletExit)
            except Exception:
                _log.exception("a function of run() has failed when its event loop was closed")


_kept = _Kept()


@types.coroutine
def drive(call: Call) -> Generator[Any, Any, Any]:
    """Await a call: what its function returns or raises. A cancellation is raised in it at where it waits.

    The function runs in the very context (``contextvars``) of the awaiting task. If the task is destroyed without being
    cancelled, or its loop is closed, the function gets GreenletExit.
    """
    loop = _get_running_loop()
    if _kept.loop() is not loop:
        _kept.move(loop)
    idle, busy = _kept.idle, _kept.busy
    call.side = side = idle.pop() if idle else Side(_serve)
    side.call = call
    side.parent = here = getcurrent()
    side.gr_context = here.gr_context
    busy.add(side)
    try:
        item = side.switch()
        while side.call is call:
            try:
                value = yield item
            except GeneratorExit:
                side.parent = getcurrent()  # whoever happens to collect the garbage
                side.throw(GreenletExit)
                raise
            except BaseException as error:
                side.parent = getcurrent()
                item = side.throw(type(error), error, error.__traceback__)
            else:
                side.parent = getcurrent()
                item = side.switch(value)
    finally:
        busy.discard(side)
        call.side = None  # the db that is among the arguments is of no use any more
        call.args = ()
    if not side.dead and len(idle) < _KEPT:
        side.gr_context = None
        idle.append(side)
    result, call.result = call.result, None
    return plain(call.fn, result)


def await_(awaitable: Awaitable[T]) -> T:
    """Wait for an awaitable from inside a function that ``drive`` runs, without blocking the loop."""
    side = getcurrent()
    if not isinstance(side, Side):
        raise UsageError("only a function that run() runs can wait without await")
    steps: Any = awaitable if type(awaitable) is CoroutineType else awaitable.__await__()
    try:
        item = steps.send(None)
        while True:
            if side.abandoned:
                raise GreenletExit
            try:
                value = side.parent.switch(item)
            except GreenletExit:
                side.abandoned = True
                raise
            except BaseException as error:
                item = steps.throw(error)
            else:
                item = steps.send(value)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # what __await__ returns is in its StopIteration
    finally:
        steps.close()  # does nothing once it has ended
