"""Jobs at the same time, in tasks. ``jobs`` has it for threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from stretto.runtime.jobs import Jobs


async def arun_jobs(jobs: Jobs, count: int, work: Callable[[], Awaitable[Any]]) -> None:
    """Call ``work`` in ``count`` tasks; the first that fails cancels the others, and its error is raised."""

    async def run() -> None:
        await work()

    tasks = [asyncio.create_task(run()) for _ in range(count)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        failed = [task for task in tasks if task.done() and not task.cancelled() and task.exception() is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if failed:
        error = failed[0].exception()
        assert error is not None
        raise error
