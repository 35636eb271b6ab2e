"""A contender while it is open: called and driven in the same words, be it blocking or on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from stretto.cli.race.contenders import Contender

T = TypeVar("T")


class WrongAnswer(Exception):  # noqa: N818  # it is what was found, and the contender's mistake
    """A contender did not return what the workload asks for; its speed is of no interest."""


def expect(found: object, expected: object, what: str) -> None:
    """Raise WrongAnswer unless a contender's result is the right one."""
    if found != expected:
        raise WrongAnswer(f"{what}: {str(found)[:200]} instead of {str(expected)[:200]}")


async def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a contender's function, be it blocking or not."""
    result = function(*args)
    return await result if inspect.isawaitable(result) else result


@contextlib.asynccontextmanager
async def opened(contender: Contender, *args: Any) -> AsyncIterator[Any]:
    """What the contender yields, be it blocking or not."""
    if contender.asynchronous:
        async with contender.open(*args) as subject:
            yield subject
    else:
        with contender.open(*args) as subject:
            yield subject


def drive(contender: Contender, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine: on the contender's event loop, or for a blocking one without any (it never waits)."""
    if contender.asynchronous:
        with asyncio.Runner(loop_factory=_loop_factory(contender.loop)) as runner:
            return runner.run(coroutine)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise RuntimeError(f"{contender.name} is blocking, but it waited")


def _loop_factory(loop: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if loop == "uvloop":
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
        return factory
    return asyncio.new_event_loop
