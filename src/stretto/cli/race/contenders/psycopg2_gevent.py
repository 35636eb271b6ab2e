"""psycopg2 under gevent: its wait callback, as psycogreen has it, lets other greenlets run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from gevent.socket import wait_read, wait_write
from psycopg2 import extensions

from stretto.cli.race.contenders import contender, psycopg2_, psycopg2_census, psycopg2_models
from stretto.cli.race.workloads import mixed


def wait(connection: Any) -> None:
    waits = {extensions.POLL_READ: wait_read, extensions.POLL_WRITE: wait_write}
    while (state := connection.poll()) != extensions.POLL_OK:
        if state not in waits:
            raise psycopg2.OperationalError(f"poll() gave {state}")
        waits[state](connection.fileno())


@contender("select", "psycopg2 gevent", gevent=True)
def select(url: str, callers: int, connections: int) -> Iterator[Any]:
    extensions.set_wait_callback(wait)
    with contextmanager(psycopg2_.select_pool)(url, callers, connections) as functions:
        yield functions


@contender("mixed", f"psycopg2 by hand, gevent, {mixed.CHUNK} greenlets", gevent=True)
def mixed_greenlets(url: str, connections: int) -> Iterator[Any]:
    extensions.set_wait_callback(wait)
    with psycopg2_models.on_pool(url, connections) as functions:
        yield *functions, mixed.CHUNK


@contender("census", "psycopg2 gevent", gevent=True)
def census(url: str, workers: int, connections: int) -> Iterator[Any]:
    extensions.set_wait_callback(wait)
    with contextmanager(psycopg2_census.threads)(url, workers, connections) as crew:
        yield crew
