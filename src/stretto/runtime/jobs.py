"""Jobs at the same time, in threads (greenlets, where gevent has patched them). ``ajobs`` has it for asyncio."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any


class Stopped(Exception):  # noqa: N818  # not an error: another job has failed, and this one need not go on
    """Ends a job because another one has failed."""


class Jobs:
    """What jobs have in common: whether they shall go on, the first error, and a lock for what they count together."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.error: BaseException | None = None
        self._stopped = False

    def check(self) -> None:
        """Raise Stopped where another job has failed, or nobody waits for them any more."""
        if self._stopped:
            raise Stopped

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except Stopped:
            pass
        except BaseException as error:
            with self.lock:
                self.error = self.error or error
                self._stopped = True


def run_jobs(jobs: Jobs, count: int, work: Callable[[], Any]) -> None:
    """Call ``work`` in ``count`` threads, each in a copy of the context; raises the first error when all have ended."""
    threads = [threading.Thread(target=copy_context().run, args=(jobs._run, work), daemon=True) for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:  # an interrupt, or no thread more can be had
        jobs._stopped = True
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        raise
    if jobs.error is not None:
        raise jobs.error
