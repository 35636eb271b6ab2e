"""Point selects by primary key, by many callers at a time.

A contender takes ``(url, callers, connections)`` and yields a list with a function for each caller, ``key -> row``.
Blocking ones are called from as many threads (greenlets under gevent), the others from as many tasks. One with
`together` yields a function for so many callers, ``keys -> rows``. A `program` takes ``(url, callers, points)`` and
yields ``seconds -> (selects, selects a second)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from stretto.cli.race import load
from stretto.cli.race.contenders import Contender
from stretto.cli.race.meter import Meter
from stretto.cli.race.subject import call, expect, opened
from stretto.cli.race.workloads import Entry, Sizes, Workload, points

SQL = "select id, name, created, price, active from point where id = {parameter}"
_SAMPLE = 20  # keys that are checked, for each of the first callers
_CHECKED_CALLERS = 10
_WARM_UP = 0.25  # of the seconds that count


def setup(db: Any, sizes: Sizes) -> None:
    points.fill(db, "point", sizes.points)


async def run(contender: Contender, url: str, sizes: Sizes, meter: Meter) -> None:
    callers, count = sizes.callers, sizes.points
    together = min(contender.together, callers)
    async with opened(contender, url, callers, sizes.connections) as functions:
        expect(len(functions) * together, callers, "callers served")
        await check(functions, count, together)
        keys = [arguments(caller, count, together) for caller in range(len(functions))]
        await load.callers(contender.asynchronous, functions, keys, _WARM_UP * sizes.seconds)
        with meter.counting(together):
            await load.callers(contender.asynchronous, functions, keys, sizes.seconds, meter.waits)
        await check(functions, count, together)


def arguments(seed: int, count: int, together: int) -> Iterator[Any]:
    keys = load.keys(seed, count)
    return keys if together == 1 else (list(islice(keys, together)) for _ in iter(int, 1))


async def check(functions: Sequence[Callable[[Any], Any]], count: int, together: int = 1) -> None:
    """Ask for some of `count` rows by the first of the functions, and compare them."""
    for caller, function in enumerate(functions[:_CHECKED_CALLERS]):
        keys = list(islice(load.keys(caller, count), min(_SAMPLE, count)))
        rows = [await call(function, key) for key in keys] if together == 1 else await call(function, keys)
        for key, row in zip(keys, rows, strict=True):
            expect(_values(row), points.value(key), f"row {key}")


def _values(row: Any) -> tuple[Any, ...]:
    """The five values of a row or an object (some objects can be iterated over too, and give something else)."""
    if hasattr(row, points.FIELDS[0]):
        return tuple(getattr(row, name) for name in points.FIELDS)
    return tuple(row)


WORKLOAD = Workload(
    name="select",
    title="Point selects",
    about=lambda sizes: (
        f"{sizes.callers} callers at a time, each asks for a row of five columns by its key as soon as it has the one "
        f"before; {sizes.connections} connections at most; Models and ORMs give objects, drivers rows"
    ),
    unit="selects",
    limit="seconds",
    waiting="a select",
    setup=setup,
    run=run,
    entries=(
        Entry("stretto", "blocking", "stretto_", "stretto Database", "one caller", callers=1),
        Entry("stretto", "threads", "stretto_", "stretto Database"),
        Entry("stretto", "gevent", "stretto_", "stretto Database gevent"),
        Entry("stretto", "asyncio", "stretto_", "stretto AsyncDatabase"),
        Entry("stretto", "asyncio", "stretto_", "stretto AsyncDatabase, pipelining off", "no pipelining"),
        Entry("stretto", "uvloop", "stretto_", "stretto AsyncDatabase + uvloop"),
        Entry("stretto", "asyncio", "stretto_models", "stretto AsyncDatabase get()", "Models", case="models"),
        Entry("asyncpg", "asyncio", "asyncpg_", "asyncpg pool"),
        Entry("asyncpg", "uvloop", "asyncpg_", "asyncpg pool + uvloop"),
        Entry("psycopg 3", "threads", "psycopg3_pool", "psycopg 3 blocking pool"),
        Entry("psycopg 3", "asyncio", "psycopg3_pool", "psycopg 3 asyncio pool"),
        Entry("psycopg 3", "asyncio", "psycopg3", "psycopg 3 pipeline by hand", "pipeline by hand"),
        Entry("psycopg2", "threads", "psycopg2_", "psycopg2 pool"),
        Entry("psycopg2", "gevent", "psycopg2_gevent", "psycopg2 gevent"),
        Entry("SQLAlchemy", "threads", "sqlalchemy_sync", "SQLAlchemy ORM, psycopg2"),
        Entry("SQLAlchemy", "asyncio", "sqlalchemy_async", "SQLAlchemy ORM, asyncpg"),
        Entry("Tortoise", "asyncio", "tortoise_", "Tortoise, asyncpg", case="models"),
        Entry("Piccolo", "asyncio", "piccolo_", "Piccolo, asyncpg", case="models"),
    ),
)
