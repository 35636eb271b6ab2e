"""The cases: each module makes its data, runs one contender in a fresh process, and says how to show the result."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.bars import Bar
from benchmarks.contenders import Contender
from benchmarks.sizes import Sizes

NAMES = (
    "select",
    "neighbours",
    "writes",
    "transaction",
    "memory",
    "rows",
    "models",
    "graph",
    "mixed",
    "web",
    "codecs",
    "startup",
    "stream",
    "copy",
    "census",
    "flow",
    "copy_table",
)


@dataclass(frozen=True)
class Job:
    """What one process is asked: everything that it needs, as it travels in JSON."""

    case: str
    contender: str
    module: str
    variant: Mapping[str, Any]
    url: str
    server_pid: int | None
    core: int | None
    sizes: Sizes

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Job:
        return cls(**{**data, "sizes": Sizes(**data["sizes"])})


@dataclass(frozen=True)
class Column:
    """A figure of the result to show: its key, heading and format."""

    key: str
    heading: str
    form: str = ",.1f"


def _no_bars(_variant: Mapping[str, Any]) -> list[Bar]:
    return []


def _takes_all(_contender: Contender, _variant: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True)
class Case:
    """A case. Each of `variants` is a table of its own.

    `baselines` are the peers that the others are compared with; of ``"a|b"`` the first one that took part.
    `bars`: what must hold in a variant; the report says below the table whether it did. `missing`: a program that it
    takes and that is not there; then it is left out, and the report says so.
    """

    name: str
    about: str
    run: Callable[[Contender, Job], dict[str, float]]
    baselines: tuple[str, ...]
    rate: Column
    columns: tuple[Column, ...]
    setup: Callable[[Any, Sizes], None] = lambda _db, _sizes: None
    variants: Callable[[Sizes], list[dict[str, Any]]] = lambda _sizes: [{}]
    takes: Callable[[Contender, Mapping[str, Any]], bool] = field(default=_takes_all)
    bars: Callable[[Mapping[str, Any]], list[Bar]] = _no_bars
    table: Callable[[Mapping[str, list[dict[str, float]]]], str] | None = None
    missing: Callable[[], str | None] = lambda: None


def takes_callers(contender: Contender, variant: Mapping[str, Any]) -> bool:
    """Whether a contender serves so many callers."""
    return contender.callers is None or variant["callers"] in contender.callers


def load(name: str) -> Case:
    """The case of that name."""
    case: Case = importlib.import_module(f"benchmarks.cases.{name}").CASE
    return case


COMMON = (
    Column("client_us", "client us/op", ",.3g"),
    Column("server_us", "server us/op", ",.3g"),
    Column("rss_mb", "peak RSS MB", ",.0f"),
)
WAITS = (
    Column("p50_ms", "p50 ms", ".3g"),
    Column("p99_ms", "p99 ms", ".3g"),
    Column("max_ms", "max ms", ".3g"),
)
