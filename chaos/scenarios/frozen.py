"""T3: a session whose process is stopped (SIGSTOP), so that it neither answers nor ends."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter

import psutil

from chaos.contenders import Contender, hold_at_once
from chaos.measure import Bar, Figures, Sizes, at_most, full_size, name_of, none, told
from chaos.server import Backend, Target

CONNECTIONS = 4
NEIGHBOURS = 8
DEADLINE = 1.0
DISCARDED_WITHIN = 8.0  # seconds after which we look no longer
VICTIM = "select 'frozen' from pg_sleep(0.9)"
RUNS_IT = "state = 'active' and query like %s"
TINY = "select $1::bigint"
BARS: tuple[Bar, ...] = (
    at_most("freed after s", 1.1),
    Bar("discarded after s", "yes", lambda value, own, _: value < DISCARDED_WITHIN),
    none("neighbours' errors"),
    at_most("neighbours' longest wait s", 0.5),
    at_most("full size after s", 1.0),
)
STREAM_BARS: tuple[Bar, ...] = (at_most("freed after s", 1.1), none("errors of another kind"), none("foreign"))


def has_port(port: int | None) -> bool:
    """Whether this process still has a TCP connection from that port."""
    connections = psutil.Process(os.getpid()).net_connections("tcp")
    return any(each.laddr and each.laddr.port == port and each.status == "ESTABLISHED" for each in connections)


async def discarded_after(backend: Backend) -> float:
    """Seconds until our end of a session is closed; infinite when that never comes."""
    begun = time.monotonic()
    while time.monotonic() - begun < DISCARDED_WITHIN:
        if not has_port(backend.port):
            return time.monotonic() - begun
        await asyncio.sleep(0.02)
    return float("inf")


async def one_frozen(contender: Contender, target: Target, sizes: Sizes) -> Figures:
    """A statement is running when its session freezes; its caller has a deadline, others go on as if nothing was."""
    await hold_at_once(contender, CONNECTIONS)
    over, errors, longest, ok = False, Counter[str](), 0.0, 0

    async def neighbour() -> None:
        nonlocal longest, ok
        while not over:
            begun = time.monotonic()
            try:
                await contender.fetchval(TINY, 1)
                ok += 1
            except Exception as error:
                errors[name_of(error)] += 1
            longest = max(longest, time.monotonic() - begun)

    async def victim() -> tuple[float, str]:
        begun = time.monotonic()
        try:
            await contender.fetchval(VICTIM, timeout=DEADLINE)
        except Exception as error:
            return time.monotonic() - begun, name_of(error)
        return time.monotonic() - begun, "an answer"

    asked = asyncio.create_task(victim())
    backend = await asyncio.to_thread(target.wait_for, RUNS_IT, "select 'frozen'%")
    neighbours = [asyncio.create_task(neighbour()) for _ in range(NEIGHBOURS)]
    with target.frozen(backend):
        freed, how = await asked
        discarded = await discarded_after(backend)
        over = True
        await asyncio.gather(*neighbours)
        size = await full_size(contender, target, CONNECTIONS)
    return {
        "freed after s": freed,
        "by": how,
        "discarded after s": discarded,
        "neighbours' errors": errors.total(),
        "neighbours' longest wait s": longest,
        "neighbours' ok": ok,
        "full size after s": size["full size after s"],
    }


async def frozen_in_a_stream(contender: Contender, target: Target, sizes: Sizes) -> Figures:
    """A session freezes in the middle of many tiny statements: all that were on it are freed at their deadlines."""
    await hold_at_once(contender, CONNECTIONS)
    over, errors, longest, foreign, ok = False, Counter[str](), 0.0, 0, 0
    badly = 0

    async def work(number: int) -> None:
        nonlocal longest, foreign, ok, badly
        while not over:
            begun = time.monotonic()
            try:
                answer = await contender.fetchval(TINY, number, timeout=DEADLINE)
                ok += answer == number
                foreign += answer != number
            except Exception as error:
                errors[name_of(error)] += 1
                badly += not isinstance(error, TimeoutError)
            longest = max(longest, time.monotonic() - begun)

    working = [asyncio.create_task(work(number)) for number in range(50)]
    await asyncio.sleep(0.3)
    backend = (await asyncio.to_thread(target.backends))[0]
    with target.frozen(backend):
        await asyncio.sleep(DEADLINE + 0.5)
        over = True
        await asyncio.gather(*working)
    return {
        "freed after s": longest,
        "timed out": errors.total() - badly,
        "errors of another kind": badly,
        "by kind": told(errors),
        "foreign": foreign,
        "ok": ok,
    }
