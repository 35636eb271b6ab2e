"""Web applications in the manner of TechEmpower's benchmarks: one row, twenty, a page of fortunes, twenty updates.

A contender takes ``(url, connections)`` and yields its `Queries` (see benchmarks/web). Its process is the web server;
wrk asks it from outside. `client us/op` is the server's CPU for a request, with HTTP, JSON and templates in it.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from benchmarks.bars import AtLeast, Bar
from benchmarks.cases import COMMON, WAITS, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, WrongAnswer, drive, opened
from benchmarks.sizes import Sizes
from benchmarks.web import FORTUNES, TABLES, TESTS, wrk

CALLERS = 64  # wrk's connections
# Each stack: what it is made of, its event loop, and the modules that it needs.
STACKS = {
    "Starlette, uvloop": ("starlette_", "uvloop", ("starlette", "uvicorn", "jinja2", "uvloop")),
    "Starlette, asyncio": ("starlette_", "asyncio", ("starlette", "uvicorn", "jinja2")),
    "Tornado, asyncio": ("tornado_", "asyncio", ("tornado",)),
}
TIMES = {"single": 1.3, "many": 2.5, "fortunes": 1.0, "updates": 1.5}  # on Starlette, to asyncpg
PEERS = ("asyncpg", "psycopg 3", "SQLAlchemy ORM, asyncpg")


def setup(db: Any, _sizes: Sizes) -> None:
    db.execute(TABLES)
    db.executemany("insert into fortune values ($1, $2)", FORTUNES)
    db.execute("vacuum (freeze, analyze) world")


def variants(sizes: Sizes) -> list[dict[str, Any]]:
    there = [stack for stack, (*_, needs) in STACKS.items() if all(map(find_spec, needs))][: sizes.web_stacks]
    return [{"stack": stack, "test": test} for stack in there for test in TESTS]


def run(contender: Contender, job: Job) -> dict[str, float]:
    _, loop, _ = STACKS[job.variant["stack"]]
    return drive(replace(contender, loop=loop), _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    sizes, test = job.sizes, job.variant["test"]
    framework = importlib.import_module(f"benchmarks.web.{STACKS[job.variant['stack']][0]}")
    # The protocol is named, for else asyncio does not set TCP_NODELAY on what it accepts, and answers wait for 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setblocking(False)
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        load = (base + TESTS[test], CALLERS)
        async with opened(contender, job.url, sizes.connections) as queries, framework.serving(queries, listening):
            await asyncio.to_thread(_check, test, base, job.url)
            at_rest = len(asyncio.all_tasks())
            if sizes.web_warmup:
                await asyncio.to_thread(wrk.run, *load, sizes.web_warmup, job.core)
            with Window(job.server_pid) as window:
                found = await asyncio.to_thread(wrk.run, *load, sizes.web_seconds, job.core)
            while len(asyncio.all_tasks()) > at_rest:  # noqa: ASYNC110  # what wrk did not wait for; nothing tells its end
                await asyncio.sleep(0.01)
            await asyncio.to_thread(_check, test, base, job.url)
    return window.result(found.requests, rate=found.rate, p50_ms=found.p50_ms, p99_ms=found.p99_ms)


def _check(test: str, base: str, url: str) -> None:
    """Check the answers from a process of its own, which reads the URL from stdin; raises WrongAnswer."""
    command = [sys.executable, "-m", "benchmarks.web.check", test, base]
    done = subprocess.run(command, input=url, capture_output=True, text=True)
    if done.returncode:
        raise WrongAnswer((done.stderr.strip().splitlines() or ["the check has said nothing"])[-1])


def bars(variant: Mapping[str, Any]) -> list[Bar]:
    if variant["stack"].startswith("Starlette"):
        return [AtLeast("stretto", TIMES[variant["test"]], PEERS[:1])]
    return [AtLeast("stretto", 1.0, PEERS)]


CASE = Case(
    name="web",
    about=f"a web server in one process, asked by wrk with {CALLERS} connections; client: the web server",
    setup=setup,
    variants=variants,
    run=run,
    baselines=("asyncpg", "psycopg 3"),
    rate=Column("rate", "requests/s", ",.0f"),
    columns=(*WAITS[:2], *COMMON),
    bars=bars,
    missing=lambda: wrk.NEEDS,
)
