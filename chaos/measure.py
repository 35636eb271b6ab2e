"""What a scenario finds, the bars it is held to, and what several scenarios look at."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chaos.contenders import Contender, hold_at_once
from chaos.server import Target

Figures = dict[str, Any]
FULL_SIZE_WITHIN = 10.0  # seconds that a pool may take to be of full size again before that counts as never
OURS = ("stretto", "threads")


Holds = Callable[[Any, Figures, Mapping[str, Figures]], bool]


@dataclass(frozen=True)
class Bar:
    """What must hold for a figure: its text, and the test of the value, its contender's figures, and everybody's."""

    figure: str
    text: str
    holds: Holds


def at_most(figure: str, limit: float) -> Bar:
    return Bar(figure, f"<= {limit:g}", lambda value, own, all_: value <= limit)


def none(figure: str) -> Bar:
    return Bar(figure, "0", lambda value, own, all_: value == 0)


def at_most_the(figure: str, other: str) -> Bar:
    """A figure that may not exceed another one of the same contender."""
    return Bar(figure, f"<= {other}", lambda value, own, all_: value <= own[other])


def not_below(figure: str, peer: str) -> Bar:
    """A figure that may not be less than a peer's, where the peer took part."""
    return Bar(figure, f">= {peer}", lambda value, own, all_: peer not in all_ or value >= all_[peer].get(figure, 0))


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    storm: int = 100_000  # operations of each variant
    threads_storm: int = 50_000
    seconds: float = 8.0  # of T2, and of each bank
    herd: float = 3.0  # of T5
    pause: float = 0.3  # the server of T4 stays down


QUICK = Sizes(storm=10_000, threads_storm=5_000, seconds=2.0, herd=1.5, pause=0.1)


def name_of(error: BaseException) -> str:
    """An error's class and SQLSTATE, for counting."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__}{f' {state}' if state else ''}"


def told(counter: Counter[str]) -> str:
    """A count of errors as a cell of the table."""
    return ", ".join(f"{count:,} {name}" for name, count in counter.most_common(4)) or "none"


async def full_size(contender: Contender, target: Target, connections: int) -> Figures:
    """How long the pool takes to have all its connections in use at once, and how many sessions the server shows."""
    begun = time.monotonic()
    try:
        async with asyncio.timeout(FULL_SIZE_WITHIN):
            pids = await hold_at_once(contender, connections)
    except Exception as error:
        return {"full size after s": float("inf"), "why not": name_of(error), "sessions beyond": 0}
    seconds = time.monotonic() - begun
    sessions = await asyncio.to_thread(target.backends)
    open_transactions = sum(1 for each in sessions if each.state and each.state.startswith("idle in transaction"))
    return {
        "full size after s": seconds if len(set(pids)) == connections else float("inf"),
        "sessions beyond": max(0, len(sessions) - connections) + open_transactions,
    }


FULL_SIZE_BARS = (at_most("full size after s", 1.0), none("sessions beyond"))
