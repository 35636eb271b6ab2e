"""psycopg2 under gevent: what the race does not run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2 import extensions

from benchmarks.contenders import contender, psycopg2_census
from stretto.cli.race.contenders.psycopg2_gevent import wait


@contender("census", "psycopg2 gevent", gevent=True)
def census(url: str, workers: int, connections: int) -> Iterator[Any]:
    extensions.set_wait_callback(wait)
    with contextmanager(psycopg2_census.threads)(url, workers, connections) as crew:
        yield crew
