"""The contenders: one module for each library, each holding what a user of that library would write, and no more.

A contender is a generator function (or an async one) that opens what it needs, yields what its workload measures, and
closes. Which object that is, each workload's module says.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Container, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

# The modules and the library that each needs, in the order in which they are listed where nothing was measured.
LIBRARIES = {
    f"{__name__}.{module}": library
    for module, library in {
        "stretto_": "stretto",
        "stretto_models": "stretto",
        "stretto_by_hand": "stretto",
        "stretto_census": "stretto",
        "asyncpg_": "asyncpg",
        "asyncpg_models": "asyncpg",
        "asyncpg_census": "asyncpg",
        "psycopg3": "psycopg",
        "psycopg3_pool": "psycopg_pool",
        "psycopg3_models": "psycopg_pool",
        "psycopg3_census": "psycopg",
        "psycopg2_": "psycopg2",
        "psycopg2_models": "psycopg2",
        "psycopg2_census": "psycopg2",
        "psycopg2_gevent": "psycopg2",
        "aiopg_": "aiopg",
        "sqlalchemy_sync": "sqlalchemy",
        "sqlalchemy_async": "sqlalchemy",
        "tortoise_": "tortoise",
        "piccolo_": "piccolo",
    }.items()
}
_OURS = ("stretto", "benchmarks")  # what is missing of these is a mistake and no peer that is not installed


@dataclass(frozen=True)
class Contender:
    """One way of doing what a workload asks.

    `callers`: the numbers of callers that it is asked to serve (None: any). `gevent`: its process is monkey-patched
    before anything else, so that its threads are greenlets. `together`: so many callers' statements are collected into
    one call by hand. `program`: no Python, but a program that measures itself. `needs`: what it wants and is not there.
    """

    case: str
    name: str
    module: str
    asynchronous: bool
    open: Callable[..., Any]
    callers: Container[int] | None = None
    loop: str = "asyncio"
    env: Mapping[str, str] = field(default_factory=dict)
    gevent: bool = False
    together: int = 1
    program: bool = False
    needs: str | None = None

    def missing(self) -> str | None:
        """What it needs and is not there: a module that is not installed, or what the library does not have."""
        wanted = ["uvloop"] if self.loop == "uvloop" else ["gevent"] if self.gevent else []
        return self.needs or next((name for name in wanted if find_spec(name) is None), None)


_registered: list[Contender] = []


def contender(
    case: str,
    name: str,
    *,
    loops: tuple[str, ...] = ("asyncio",),
    **options: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a generator function as a contender, once for each event loop; `options`: see Contender."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        asynchronous = inspect.isasyncgenfunction(function)
        opening = asynccontextmanager(function) if asynchronous else contextmanager(function)
        for loop in loops:
            full = name if loop == "asyncio" else f"{name} + {loop}"
            _registered.append(Contender(case, full, function.__module__, asynchronous, opening, loop=loop, **options))
        return function

    return register


def load(module: str) -> list[Contender]:
    """The contenders of one library's module, which imports that library (ModuleNotFoundError when it is not there)."""
    importlib.import_module(module)
    return [each for each in _registered if each.module == module]


def load_all(libraries: Mapping[str, str] = LIBRARIES) -> tuple[list[Contender], list[str]]:
    """All contenders of those modules that can run here, and what is missing for the others."""
    found: list[Contender] = []
    missing: set[str | None] = set()
    for module, library in libraries.items():
        if find_spec(library) is None:
            missing.add(library)
            continue
        try:
            loaded = load(module)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] in _OURS:
                raise
            missing.add(error.name)
            continue
        found += [each for each in loaded if each.missing() is None]
        missing |= {each.missing() for each in loaded}
    return found, sorted(name for name in missing if name)
