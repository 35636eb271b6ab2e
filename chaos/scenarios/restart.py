"""T4: the whole server is stopped at once (pg_ctl -m immediate) and started again under load."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from chaos.contenders import Contender
from chaos.measure import Bar, Figures, Sizes, at_most, name_of, none, told
from chaos.server import Target

TASKS = 16
CONNECTIONS = 16
BEFORE = 0.5
AFTER = 3.0
SQL = "select $1::bigint"
# errors <= 16: the statements in flight; whoever only waits for a connection is served when there is one again.
BARS: tuple[Bar, ...] = (at_most("errors", TASKS), at_most("first success s after ready", 0.25), none("foreign"))


async def restarted(contender: Contender, target: Target, sizes: Sizes) -> Figures:
    """16 tasks ask all the time while the server goes down and comes back."""
    errors: Counter[str] = Counter()
    over, foreign, longest = False, 0, 0.0
    successes: list[float] = []

    async def work(number: int) -> None:
        nonlocal foreign, longest
        while not over:
            begun = time.monotonic()
            try:
                foreign += await contender.fetchval(SQL, number) != number
                successes.append(time.monotonic())
            except Exception as error:
                errors[name_of(error)] += 1
                await asyncio.sleep(0.001)  # who fails at once must not take all of the loop
            longest = max(longest, time.monotonic() - begun)

    working = [asyncio.create_task(work(number)) for number in range(TASKS)]
    await asyncio.sleep(BEFORE)
    down, ready = await asyncio.to_thread(target.crash_and_return, sizes.pause)
    await asyncio.sleep(AFTER)
    over = True
    await asyncio.gather(*working)
    first = min((at for at in successes if at > down), default=float("inf"))
    return {
        "down for s": ready - down,
        "errors": errors.total(),
        "by kind": told(errors),
        "first success s after ready": first - ready,
        "longest operation s": longest,
        "foreign": foreign,
        "ok": len(successes),
    }
