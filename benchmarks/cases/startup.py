"""What it takes to begin: the import in a fresh interpreter, and a connection.

A contender takes ``(url,)`` and yields the source text of its imports, and a function that connects, selects 1, closes
and returns what was selected (None where there is nothing to connect).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.bars import AtMost, Bar
from benchmarks.cases import Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened, peak_memory
from benchmarks.sizes import Sizes

# The interpreter's own start is not in the time; what the import pulls in from the standard library is.
_IMPORT = """
import time; wall, cpu = time.perf_counter(), time.process_time()
{source}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
with open("/proc/self/status") as status: peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(wall, cpu, peak)
"""


def variants(_sizes: Sizes) -> list[dict[str, Any]]:
    return [{"what": "import"}, {"what": "connect"}]


def takes(contender: Contender, variant: Mapping[str, Any]) -> bool:
    return not contender.module.endswith(".python") or variant["what"] == "import"


def run(contender: Contender, job: Job) -> dict[str, float]:
    work = _import if job.variant["what"] == "import" else _connect
    return drive(contender, work(contender, job))


async def _import(contender: Contender, job: Job) -> dict[str, float]:
    async with opened(contender, job.url) as (source, _):
        program = [sys.executable, "-c", _IMPORT.format(source=source)]
    samples = []
    for attempt in range(job.sizes.imports + 1):
        done = subprocess.run(program, capture_output=True, text=True, check=True)  # noqa: ASYNC221  # nothing else runs
        if attempt:  # the first one may have written the .pyc files
            samples.append([float(part) for part in done.stdout.split()])
    wall, cpu, peak = (statistics.median(each) for each in zip(*samples, strict=True))
    return {"rate": 1 / wall, "ms": wall * 1e3, "cpu_ms": cpu * 1e3, "rss_mb": peak / 1024}


async def _connect(contender: Contender, job: Job) -> dict[str, float]:
    async with opened(contender, job.url) as (_, connect):
        expect(await call(connect), 1, "select 1")
        seconds = []
        window = Window(None)  # the backends are gone before their time could be read
        for _ in range(job.sizes.connects):
            with window:
                before = time.perf_counter()
                await call(connect)
                seconds.append(time.perf_counter() - before)
    wall, cpu = statistics.median(seconds), window.client / len(seconds)
    return {"rate": 1 / wall, "ms": wall * 1e3, "cpu_ms": cpu * 1e3, "rss_mb": peak_memory()}


def bars(variant: Mapping[str, Any]) -> list[Bar]:
    return [AtMost("stretto blocking", "ms", 100, "ms")] if variant["what"] == "import" else []


CASE = Case(
    name="startup",
    bars=bars,
    about="the import in a fresh interpreter (its own start not counted); a connection with one select, and its end",
    variants=variants,
    takes=takes,
    run=run,
    baselines=("asyncpg", "psycopg 3 blocking", "psycopg2"),
    rate=Column("ms", "ms", ".2f"),
    columns=(Column("cpu_ms", "client CPU ms", ".2f"), Column("rss_mb", "peak RSS MB", ",.0f")),
)
