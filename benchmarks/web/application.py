"""What the applications have in common: the choice of rows, the parameter, and the order of the fortunes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from benchmarks.web import ADDED, MOST, WORLDS, Queries, World

_ID, _MESSAGE = range(1, WORLDS + 1), itemgetter(1)


def wanted(parameter: str | None) -> int:
    """How many rows the parameter `queries` asks for: from 1 to `MOST`; 1 where it is no number."""
    try:
        return min(max(int(parameter or 1), 1), MOST)
    except ValueError:
        return 1


async def single(queries: Queries) -> World:
    """A row by chance."""
    return await queries.one(random.randint(1, WORLDS))


async def many(queries: Queries, count: int) -> Sequence[World]:
    """So many rows by chance."""
    return await queries.many(random.choices(_ID, k=count))


async def fortunes(queries: Queries) -> list[Any]:
    """All fortunes, and one more, by their text."""
    return sorted([*await queries.fortunes(), ADDED], key=_MESSAGE)


async def updates(queries: Queries, count: int) -> Sequence[World]:
    """So many rows by chance, which get new numbers."""
    return await queries.update(dict(zip(sorted(random.sample(_ID, count)), random.choices(_ID, k=count), strict=True)))
