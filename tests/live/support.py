"""What the live tests share: waiting for something that the server shows, and a source that fails."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

RUNNING = "select count(*) from pg_stat_activity where state = 'active' and query like %s and pid <> pg_backend_pid()"


class Broken(Exception):
    """What a test's own source, sink or function raises."""


def until(outside: psycopg.Connection[Any], sql: str, *args: Any, wanted: Any = True) -> None:
    """Ask the server again and again until it gives the value; fail after a long while."""
    pause, deadline = threading.Event(), time.monotonic() + 20
    while True:
        row = outside.execute(sql, args).fetchone()  # type: ignore[call-overload]  # not a literal
        if row is not None and row[0] == wanted:
            return
        assert time.monotonic() < deadline, f"still {row} and not {wanted!r} after 20 seconds: {sql}"
        pause.wait(0.005)


def kill(outside: psycopg.Connection[Any], pid: int | None) -> None:
    """End a session of the server, and wait until it is gone."""
    outside.execute("select pg_terminate_backend(%s)", (pid,))
    until(outside, "select count(*) from pg_stat_activity where pid = %s", pid, wanted=0)


@contextlib.contextmanager
def meanwhile(url: str, work: Callable[[psycopg.Connection[Any]], None]) -> Iterator[None]:
    """Do something to the server while the test waits for it; what goes wrong there is raised at the end."""
    with psycopg.connect(url, autocommit=True) as connection, ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, connection)
        yield
        future.result(timeout=20)
