"""Many generated rows into a table and out of it again, none of them kept: how fast, and in how much memory.

A contender takes ``(url,)`` and yields a `Flow`. The table is not logged: a hundred million rows are 5 GB in it, and as
much again in a log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.bars import AtMost, Bar
from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, forget_peak, memory, opened, peak_memory
from benchmarks.sizes import Sizes

TABLE = "flow"
SQL = "select id, reading, note from flow"
TYPES = ("int8", "float8", "text")
BATCH = 1000  # rows a batch, for everybody
FIRST = 10_000  # rows of the first pass, with which all memory comes that does not belong to rows
FLAT = 8  # MB
_START = "select flow_start()"
_SUMS = "select concat_ws(' ', count(*), sum(id), sum(reading)::int8, sum(length(note))) from flow"
_NOTES = [f"note {number}" for number in range(100)]


class Flow(NamedTuple):
    """``load(rows)``, ``rows()`` that iterates over `SQL`, ``copy_out(sink)`` of CSV, and the value of a query."""

    load: Callable[[Iterator[tuple[Any, ...]]], Any]
    rows: Callable[[], Any]
    copy_out: Callable[[Callable[[bytes], None]], Any]
    value: Callable[[str], Any]


def setup(db: Any, _sizes: Sizes) -> None:
    db.execute("create unlogged table flow (id int8, reading float8, note text)")
    db.execute("create function flow_start() returns int language plpgsql as 'begin truncate flow; return 0; end'")


def generated(count: int) -> Iterator[tuple[int, float, str]]:
    for number in range(count):
        yield number, number / 2, _NOTES[number % 100]


def sums(count: int) -> str:
    """What the table adds up to when all of so many rows are there."""
    total = count * (count - 1) // 2
    short = count // 100 * 10 + min(count % 100, 10)  # notes of one digit
    return f"{count} {total} {round(total / 2)} {count * len('note 10') - short}"


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    count = job.sizes.flow_rows
    async with opened(contender, job.url) as flow:
        await _pass(flow, contender.asynchronous, min(FIRST, count), None)
        forget_peak()
        before = memory()
        windows = await _pass(flow, contender.asynchronous, count, job.server_pid)
        growth = peak_memory() - before
    rates = {f"{name}_rate": count / window.wall for name, window in windows.items()}
    return {**windows["in"].result(count), **rates, "growth_mb": growth}


async def _pass(flow: Flow, asynchronous: bool, count: int, server: int | None) -> dict[str, Window]:
    windows = {name: Window(server) for name in ("in", "out", "copy_out")}
    await call(flow.value, _START)
    with windows["in"]:
        await call(flow.load, generated(count))
    expect(await call(flow.value, _SUMS), sums(count), "sums of the rows that landed")
    with windows["out"]:
        read = await _read(flow.rows(), asynchronous)
    expect(read, (count, count * (count - 1) // 2), "number and sum of the rows that were read")
    lines = 0

    def sink(data: bytes) -> None:
        nonlocal lines
        lines += data.count(b"\n")

    with windows["copy_out"]:
        await call(flow.copy_out, sink)
    expect(lines, count, "lines copied out")
    return windows


async def _read(rows: Any, asynchronous: bool) -> tuple[int, int]:
    count = total = 0
    if asynchronous:
        async for number, _reading, _note in rows:
            count += 1
            total += number
    else:
        for number, _reading, _note in rows:
            count += 1
            total += number
    return count, total


def bars(_variant: Mapping[str, Any]) -> list[Bar]:
    return [AtMost(own, "growth_mb", FLAT, "MB") for own in ("stretto blocking", "stretto asyncio")]


CASE = Case(
    name="flow",
    about=f"generated rows x 3 columns: in, read one by one, copied out; growth: peak memory over that of {FIRST} rows",
    setup=setup,
    run=run,
    baselines=("asyncpg", "psycopg 3"),
    rate=Column("rate", "in, rows/s", ",.0f"),
    columns=(
        Column("out_rate", "read, rows/s", ",.0f"),
        Column("copy_out_rate", "copied out, rows/s", ",.0f"),
        Column("growth_mb", "growth MB", ".1f"),
        *COMMON,
    ),
    variants=lambda sizes: [{"rows": sizes.flow_rows}],
    bars=bars,
)
