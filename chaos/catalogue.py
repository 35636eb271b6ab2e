"""Every scenario by its name, with the bars of stretto and who takes part."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from chaos.contenders import NAMES, Contender
from chaos.contenders.threads_ import Threads
from chaos.measure import FULL_SIZE_BARS, OURS, Bar, Figures, Sizes, full_size, none, not_below, told
from chaos.proxy import Proxy
from chaos.scenarios import bank, frozen, herd, kills, restart, storm
from chaos.server import Killer, Target

Run = Callable[[type[Contender], Target, Sizes, int], Awaitable[Figures]]
CLOSES_WITHIN = 10.0
NOTHING: Mapping[str, Any] = MappingProxyType({})
# Late, unsteady, and in pieces that end anywhere in a message.
POOR_WIRE: Mapping[str, Any] = MappingProxyType({"latency": 0.0005, "jitter": 0.002, "slice": 100})
POOR_DEADLINE = 0.1


@dataclass(frozen=True)
class Scenario:
    """A fault: ``group`` is its name on the command line, ``title`` in the table."""

    group: str
    title: str
    bars: tuple[Bar, ...]
    run: Run
    contenders: tuple[str, ...] = NAMES
    loop: str = "asyncio"


@asynccontextmanager
async def opened(
    kind: type[Contender], url: str, connections: int, keywords: Mapping[str, Any] = NOTHING
) -> AsyncIterator[Contender]:
    """A contender, closed at the end within a while, or left as it is; ``keywords`` are for stretto's alone."""
    contender = await kind.open(url, connections, **keywords)
    try:
        yield contender
    finally:
        with suppress(Exception):
            async with asyncio.timeout(CLOSES_WITHIN):
                await contender.close()


def simple(
    run: Callable[[Contender, Target, Sizes], Awaitable[Figures]],
    connections: int,
    keywords: Mapping[str, Any] = NOTHING,
) -> Run:
    """A scenario that wants a pool on the server itself."""

    async def wrapped(kind: type[Contender], target: Target, sizes: Sizes, _: int) -> Figures:
        async with opened(kind, target.url, connections, keywords) as contender:
            return await run(contender, target, sizes)

    return wrapped


async def herd_run(kind: type[Contender], target: Target, sizes: Sizes, _: int) -> Figures:
    with Proxy.before(target.url) as proxy:
        proxy.mode = "close"
        async with opened(kind, proxy.url(target.url), herd.CONNECTIONS) as contender:
            return await herd.closed_at_once(contender, proxy, sizes)


def bank_run(isolation: str) -> Run:
    async def run(kind: type[Contender], target: Target, sizes: Sizes, _: int) -> Figures:
        with Proxy.before(target.url) as proxy:
            async with opened(kind, proxy.url(target.url), bank.CONNECTIONS) as contender:
                return await bank.bank(contender, target, proxy, sizes, isolation)

    return run


def storm_run(
    means: str,
    tasks: int,
    *,
    share: bool,
    shape: Mapping[str, Any] = NOTHING,
    killing: bool = False,
    keywords: Mapping[str, Any] = NOTHING,
) -> Run:
    """A storm of the size for comparing, or of a ``share`` of all the operations of the command line."""
    deadline = POOR_DEADLINE if shape else storm.deadline_for(tasks)

    async def run(kind: type[Contender], target: Target, sizes: Sizes, operations: int) -> Figures:
        async with shaped(target.url, shape) as url, opened(kind, url, storm.CONNECTIONS, keywords) as contender:
            with Killer(target.url, random.Random()) if killing else nullcontext():
                if isinstance(contender, Threads):
                    count = operations if share else sizes.threads_storm
                    tally = await asyncio.to_thread(
                        storm.storm_of_threads, contender.db, target, operations=count, threads=tasks
                    )
                else:
                    count = operations if share else sizes.storm
                    tally = await storm.storm(
                        contender, target, operations=count, tasks=tasks, means=means, deadline=deadline
                    )
            return storm_figures(tally) | await full_size(contender, target, storm.CONNECTIONS)

    return run


@asynccontextmanager
async def shaped(url: str, shape: Mapping[str, Any]) -> AsyncIterator[str]:
    """The URL of a proxy that shapes what flows, where a shape is given."""
    if not shape:
        yield url
        return
    with Proxy.before(url) as proxy:
        proxy.shape(**shape)
        yield proxy.url(url)


def storm_figures(tally: storm.Tally) -> Figures:
    return {
        "operations": tally.operations,
        "ok": tally.ok,
        "cancelled": tally.cancelled,
        "foreign": tally.foreign,
        "failed": tally.failed.total(),
        "failed otherwise": tally.failed_otherwise,
        "failed by kind": told(tally.failed),
        "acknowledged and lost": tally.lost_writes,
        "kept beyond the deadline s": tally.latest,
        "operations/s": tally.operations / tally.seconds,
        "ok/s": tally.goodput,
    }


STORM_BARS = (none("foreign"), none("failed"), none("acknowledged and lost"), *FULL_SIZE_BARS)
# Where sessions are killed, what was in flight fails by that, and by nothing else.
KILLED_BARS = (none("foreign"), none("failed otherwise"), none("acknowledged and lost"), *FULL_SIZE_BARS)


def storms() -> list[Scenario]:
    """stretto alone, cancelled in every way, on both loops, by few, many and very many tasks, and by threads."""
    found = []
    for loop in ("asyncio", "uvloop"):
        for means, tasks in (*((each, 30) for each in storm.MEANS), ("timeout", 300), ("timeout", 3000)):
            title = f"storm: {tasks} tasks, {means}, {loop}"
            found.append(Scenario("storm", title, STORM_BARS, storm_run(means, tasks, share=True), ("stretto",), loop))
    wire = storm_run("timeout", 30, share=True, shape=POOR_WIRE)
    found.append(Scenario("storm", "storm: 30 tasks, timeout, a poor wire", STORM_BARS, wire, ("stretto",)))
    killed = storm_run("timeout", 30, share=True, killing=True)
    found.append(Scenario("storm", "storm: 30 tasks, timeout, sessions killed", KILLED_BARS, killed, ("stretto",)))
    apart = storm_run("timeout", 30, share=True, keywords={"pipelining": False})
    found.append(Scenario("storm", "storm: 30 tasks, timeout, pipelining=False", STORM_BARS, apart, ("stretto",)))
    threads = storm_run("timeout=", 30, share=True)
    return [*found, Scenario("storm", "storm: 30 threads, timeout=", STORM_BARS, threads, ("threads",))]


STORMS = storms()
SCENARIOS: list[Scenario] = [
    Scenario(
        "t1", "T1 cancel storm: 30 tasks, 4 connections, deadlines of 0-20 ms",
        (*STORM_BARS, not_below("ok/s", "asyncpg")), storm_run("timeout", 30, share=False),
    ),
    Scenario("t2", "T2 all 8 connections killed at work every 0.5 s", kills.BARS, simple(kills.killed_at_work, 8)),
    Scenario("t2", "T2 the same, 50 tasks, tiny statements", kills.BARS, simple(kills.killed_in_a_stream, 8)),
    Scenario(
        "t2", "T2 with reads tried again on request (retry_reads)", kills.RETRIED_BARS,
        simple(kills.killed_at_work, 8, {"retry_reads": True}), OURS,
    ),
    Scenario("t2b", "T2b all 8 killed while idle, the next 20", kills.IDLE_BARS, simple(kills.killed_idle, 8)),
    Scenario("t3", "T3 a session frozen, deadline 1 s", frozen.BARS, simple(frozen.one_frozen, 4)),
    Scenario("t3", "T3 the same amid 50 tasks' tiny ones", frozen.STREAM_BARS, simple(frozen.frozen_in_a_stream, 4)),
    Scenario("t4", "T4 server stopped (immediate) and started, 16 tasks", restart.BARS, simple(restart.restarted, 16)),
    Scenario("t5", "T5 port accepts and closes at once, 50 tasks, pool of 10", herd.BARS, herd_run),
    Scenario("bank", "bank, SERIALIZABLE, 16 callers", bank.BARS, bank_run("serializable")),
    Scenario("bank", "bank, READ COMMITTED, FOR UPDATE", bank.BARS, bank_run("read committed")),
    *STORMS,
]  # fmt: skip
