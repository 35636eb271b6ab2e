"""T5: a port that accepts every connection and closes it at once, as a proxy does whose server is gone."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from chaos.contenders import Contender
from chaos.measure import Bar, Figures, Sizes, at_most, name_of, none, told
from chaos.proxy import Proxy

TASKS = 50
CONNECTIONS = 10
DEADLINE = 1.0
EARLY = 0.9  # what comes sooner came before the deadline: its caller could have been served yet
BARS: tuple[Bar, ...] = (
    at_most("attempts", 20),
    Bar("errors without the cause", "0", lambda value, own, _: value == 0 < own["errors"]),
    none("errors before the deadline"),
    at_most("freed after s, at the latest", 1.1),
)


def names_the_cause(error: BaseException) -> bool:
    """Whether an error, or what it was raised from, tells that connecting failed, and not just that time was up."""
    found: BaseException | None = error
    while found is not None:
        if type(found).__name__ == "ConnectError" or isinstance(found, ConnectionError) or "closed" in str(found):
            return True
        found = found.__cause__ or found.__context__
    return False


async def closed_at_once(contender: Contender, proxy: Proxy, sizes: Sizes) -> Figures:
    """50 tasks ask with a deadline of a second each; ``proxy`` closes whatever it accepts."""
    errors: Counter[str] = Counter()
    unnamed, early, longest, before = 0, 0, 0.0, proxy.accepted
    begun = time.monotonic()

    async def work() -> None:
        nonlocal unnamed, early, longest
        while time.monotonic() - begun < sizes.herd:
            asked = time.monotonic()
            try:
                await contender.fetchval("select 1", timeout=DEADLINE)
            except Exception as error:
                errors[name_of(error)] += 1
                unnamed += not names_the_cause(error)
                early += time.monotonic() - asked < EARLY
            longest = max(longest, time.monotonic() - asked)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(TASKS)))
    return {
        "attempts": proxy.accepted - before,
        "errors": errors.total(),
        "by kind": told(errors),
        "errors without the cause": unnamed,
        "errors before the deadline": early,
        "freed after s, at the latest": longest,
    }
