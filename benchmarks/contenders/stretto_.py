"""stretto itself, as its users write it: one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from benchmarks.cases import copy, flow, rows, stream
from benchmarks.contenders import contender
from stretto import AsyncDatabase, Database


@dataclass(slots=True)
class Slotted:
    id: int
    name: str
    created: datetime
    price: Decimal
    active: bool


@dataclass
class Plain:
    id: int
    name: str
    created: datetime
    price: Decimal
    active: bool


TARGETS: dict[str, tuple[Any, str]] = {
    "slotted dataclass": (Slotted, "attributes"),
    "dataclass": (Plain, "attributes"),
    "Row": (None, "attributes"),
    "tuple": (tuple, "unpack"),
}


def _register_rows(label: str, target: Any, way: str) -> None:
    @contender("rows", f"stretto blocking {label}")
    def blocking(url: str) -> Iterator[Any]:
        with Database(url) as db:
            yield lambda: db.fetch(rows.SQL, into=target), way

    @contender("rows", f"stretto asyncio {label}")
    async def asynchronous(url: str) -> AsyncIterator[Any]:
        async with AsyncDatabase(url) as db:
            yield lambda: db.fetch(rows.SQL, into=target), way


for _label, (_target, _way) in TARGETS.items():
    _register_rows(_label, _target, _way)


@contender("stream", "stretto blocking")
def stream_blocking(url: str) -> Iterator[Any]:
    with Database(url) as db:
        yield lambda: db.stream(stream.SQL, into=tuple, batch=stream.BATCH)


@contender("stream", "stretto asyncio")
async def stream_async(url: str) -> AsyncIterator[Any]:
    async with AsyncDatabase(url) as db:
        yield lambda: db.stream(stream.SQL, into=tuple, batch=stream.BATCH)


def _register_copy(ending: str, **options: Any) -> None:
    @contender("copy", f"stretto blocking{ending}")
    def blocking(url: str, source: str) -> Iterator[Any]:
        form = "csv" if source == "CSV" else None
        with Database(url) as db:
            yield lambda rows: db.copy_in(copy.TABLE, rows, format=form, **options), db.fetchval


_register_copy("")
_register_copy(", 1 chunk", chunks=1)
_register_copy(f", {copy.CHUNKS} chunks", chunks=copy.CHUNKS, atomic=False)
_register_copy(f", {copy.CHUNKS} chunks, atomic", chunks=copy.CHUNKS)


@contender("copy", "stretto asyncio")
async def copy_async(url: str, source: str) -> AsyncIterator[Any]:
    form = "csv" if source == "CSV" else None
    async with AsyncDatabase(url) as db:
        yield lambda rows: db.copy_in(copy.TABLE, rows, format=form), db.fetchval


@contender("flow", "stretto blocking")
def flow_blocking(url: str) -> Iterator[Any]:
    with Database(url) as db:
        yield flow.Flow(
            lambda source: db.copy_in(flow.TABLE, source),
            lambda: db.stream(flow.SQL, into=tuple, batch=flow.BATCH),
            lambda sink: db.copy_out(flow.TABLE, sink, format="csv"),
            db.fetchval,
        )


@contender("flow", "stretto asyncio")
async def flow_async(url: str) -> AsyncIterator[Any]:
    async with AsyncDatabase(url) as db:
        yield flow.Flow(
            lambda source: db.copy_in(flow.TABLE, source),
            lambda: db.stream(flow.SQL, into=tuple, batch=flow.BATCH),
            lambda sink: db.copy_out(flow.TABLE, sink, format="csv"),
            db.fetchval,
        )


@contender("startup", "stretto blocking")
def startup_blocking(url: str) -> Iterator[Any]:
    def connect() -> Any:
        with Database(url) as db:
            return db.fetchval("select 1")

    yield "import stretto; stretto.Database", connect


@contender("startup", "stretto asyncio")
async def startup_async(url: str) -> AsyncIterator[Any]:
    async def connect() -> Any:
        async with AsyncDatabase(url) as db:
            return await db.fetchval("select 1")

    yield "import stretto; stretto.AsyncDatabase", connect


@contender("codecs", "compiled", env={"STRETTO_CORE": "c"})
@contender("codecs", "interpreted", env={"STRETTO_CORE": "py"})
def codecs(_url: str) -> Iterator[None]:
    yield
