"""Point selects by primary key as objects of each library's models, with 1, 10 and 100 callers at a time.

A contender takes ``(url, callers, connections)`` and yields a list with a function for each caller, ``key -> object``;
those that give plain rows show what the objects cost. All is as in the case `select`, whose table and check these are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.bars import AtLeast, Bar
from benchmarks.cases import select
from benchmarks.sizes import Sizes

MOST = 100  # callers: enough for every pool to be full
ROW = "stretto {} Row"
WAYS = ("into=", "select()", "get()")


def variants(sizes: Sizes) -> list[dict[str, Any]]:
    return [{"callers": callers} for callers in sizes.callers if callers <= MOST]


def bars(variant: Mapping[str, Any]) -> list[Bar]:
    blocking = variant["callers"] < MOST
    found: list[Bar] = []
    for door in ("AsyncDatabase", *(["Database"] if blocking else [])):
        found += [AtLeast(f"stretto {door} {way}", 0.9, (ROW.format(door),)) for way in WAYS]
    if variant["callers"] == MOST:
        for way in WAYS:
            found.append(AtLeast(f"stretto AsyncDatabase {way}", 30, ("SQLAlchemy ORM, asyncpg",)))
            found.append(AtLeast(f"stretto AsyncDatabase {way}", 18, ("Tortoise, asyncpg", "Piccolo, asyncpg")))
    return found


CASE = replace(
    select.CASE,
    name="models",
    about="point select of five columns by primary key as an object of a model, autocommit",
    variants=variants,
    baselines=(
        ROW.format("AsyncDatabase"),
        "asyncpg pool",
        "SQLAlchemy ORM, asyncpg",
        "Tortoise, asyncpg",
        "Piccolo, asyncpg",
    ),
    bars=bars,
)
