"""T2 and T2b: sessions killed by pg_terminate_backend, in the middle of their work and while they are idle."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

from chaos.contenders import Contender, hold_at_once, states
from chaos.measure import Bar, Figures, Sizes, at_most_the, name_of, none, told
from chaos.server import Target

CONNECTIONS = 8
EVERY = 0.5  # seconds from one round of kills to the next
WORKING = "select $1::bigint from pg_sleep(0.005)"  # sure to be in flight when its session is killed
TINY = "select $1::bigint"
NEXT = 20
BARS: tuple[Bar, ...] = (at_most_the("errors", "kills"), none("not ConnectionLost of 57P01"), none("foreign"))
RETRIED_BARS: tuple[Bar, ...] = (none("errors"), none("foreign"))
IDLE_BARS: tuple[Bar, ...] = (none("errors"),)


def told_well(error: BaseException) -> bool:
    """Whether an error says that the connection was lost, and that an administrator ended it."""
    return type(error).__name__ == "ConnectionLost" and "57P01" in states(error.__cause__)


async def killed_at_work(
    contender: Contender, target: Target, sizes: Sizes, *, sql: str = WORKING, tasks: int = CONNECTIONS
) -> Figures:
    """Kill every session, again and again, while tasks use them all."""
    await hold_at_once(contender, CONNECTIONS)
    errors: Counter[str] = Counter()
    numbers, over, ok, foreign, badly = itertools.count(1), False, 0, 0, 0

    async def work() -> None:
        nonlocal ok, foreign, badly
        while not over:
            number = next(numbers)
            try:
                answer = await contender.fetchval(sql, number)
            except Exception as error:
                errors[name_of(error)] += 1
                badly += not told_well(error)
            else:
                ok, foreign = (ok + 1, foreign) if answer == number else (ok, foreign + 1)

    async def kill() -> tuple[int, int]:
        killed = []
        for _ in range(round(sizes.seconds / EVERY)):
            await asyncio.sleep(EVERY)
            killed += await asyncio.to_thread(target.kill)
        return len(killed), sum(each.state == "active" for each in killed)

    working = [asyncio.create_task(work()) for _ in range(tasks)]
    kills, at_work = await kill()
    over = True
    await asyncio.gather(*working)
    return {
        "kills": kills,
        "of them at work": at_work,
        "errors": errors.total(),
        "by kind": told(errors),
        "not ConnectionLost of 57P01": badly,
        "foreign": foreign,
        "ok": ok,
    }


async def killed_in_a_stream(contender: Contender, target: Target, sizes: Sizes) -> Figures:
    """The same under tiny statements of many tasks: on a shared connection many are in flight when it is killed."""
    return await killed_at_work(contender, target, sizes, sql=TINY, tasks=50)


async def killed_idle(contender: Contender, target: Target, sizes: Sizes) -> Figures:
    """Kill all while they are idle; whoever comes next shall not notice."""
    await hold_at_once(contender, CONNECTIONS)
    killed = await asyncio.to_thread(target.kill)
    await asyncio.to_thread(target.wait_gone, killed)
    errors: Counter[str] = Counter()
    for number in range(NEXT):
        try:
            await contender.fetchval(TINY, number)
        except Exception as error:
            errors[name_of(error)] += 1
    return {"kills": len(killed), "errors": errors.total(), "by kind": told(errors)}
