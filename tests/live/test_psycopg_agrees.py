"""A second opinion: psycopg reads what we wrote as the same values, and what it writes is the same to the server.

A case is one value.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types import TypeInfo
from psycopg.types import multirange as psycopg_multirange
from psycopg.types import range as psycopg_range
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int4BinaryLoader
from psycopg.types.string import TextBinaryLoader
from tests.cases import cases
from tests.live.generated import DAY, TYPES, R, own_types, same

import stretto

BATCH = 100


def interval(r: R) -> dt.timedelta:
    """Without months, for which psycopg has no place, and not below zero, where it turns the days another way round."""
    return dt.timedelta(days=r.randint(0, 999_999), microseconds=r.randrange(DAY))


# psycopg knows no domain, so it is not asked about tree.
NAMES = """
bool int2 int4 int8 oid float4 float8 numeric text bytea uuid date time timetz timestamp timestamptz json jsonb inet
cidr int4range int8range numrange daterange tsrange tstzrange int4multirange int8multirange nummultirange
datemultirange tsmultirange tstzmultirange mood positive label leaf branch
"""
SHARED: dict[str, Callable[[R], Any]] = {name: TYPES[name] for name in NAMES.split()} | {"interval": interval}
READ_ONLY = ("json", "leaf", "branch")  # it spells json another way, and writes no row in binary


def ours(value: Any) -> Any:
    """Make our value of psycopg's."""
    match value:
        case psycopg_range.Range():
            if value.isempty:
                return stretto.Range(empty=True)
            return stretto.Range(value.lower, value.upper, value.lower_inc, value.upper_inc)
        case psycopg_multirange.Multirange():
            return [ours(one) for one in value]
    return same(value)


def theirs(name: str, value: Any) -> Any:
    """Make psycopg's value of ours; what it would take for another type says which it is."""
    if name == "jsonb" and value is not None:
        return Jsonb(value)
    if name.endswith("multirange"):
        kind = getattr(psycopg_multirange, CLASSES[name])
        return kind([their_range(psycopg_range.Range, one) for one in value])
    if name.endswith("range"):
        return their_range(getattr(psycopg_range, CLASSES[name]), value)
    return value


def their_range(kind: Any, value: stretto.Range[Any]) -> Any:
    bounds = ("[" if value.lower_inc else "(") + ("]" if value.upper_inc else ")")
    return kind(empty=True) if value.isempty else kind(value.lower, value.upper, bounds)


CLASSES = {
    start + end: (subject + end.capitalize())
    for end in ("range", "multirange")
    for start, subject in {
        "int4": "Int4",
        "int8": "Int8",
        "num": "Numeric",
        "date": "Date",
        "ts": "Timestamp",
        "tstz": "Timestamptz",
    }.items()
}


@pytest.fixture(scope="module")
def settings(server_url: str) -> Iterator[dict[str, str]]:
    with own_types(server_url, f"second_{os.getpid()}") as settings:
        yield settings


@pytest.fixture
def other(server_url: str, settings: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    with psycopg.connect(server_url, options=options, autocommit=True) as connection:
        connection.prepare_threshold = None
        for name, loader in (("mood", TextBinaryLoader), ("positive", Int4BinaryLoader)):
            own = TypeInfo.fetch(connection, name)
            assert own is not None
            connection.adapters.register_loader(own.oid, loader)
        for name in ("leaf", "branch"):
            info = CompositeInfo.fetch(connection, name)
            assert info is not None
            register_composite(info, connection, factory=lambda *columns: columns)
        yield connection


CASES = cases(-(-20_000 // len(SHARED)), len(SHARED))


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("name", SHARED)
def test_psycopg_reads_and_writes_the_same_values(
    server_url: str, name: str, settings: dict[str, str], other: psycopg.Connection[Any]
) -> None:
    r = random.Random(f"{name} {CASES}")
    written = f"select x::text from (select unnest($1::{name}[]) as x) u"
    read = f"select t::{name} from unnest(%s::text[]) with ordinality u (t, n) order by n"
    with (
        stretto.Database(server_url, connections=1, server_settings=settings) as db,
        other.cursor(binary=True) as cursor,
    ):
        for _ in range(-(-CASES // BATCH)):
            values = [SHARED[name](r) for _ in range(BATCH)]
            texts = [row[0] for row in db.fetch(written, values)]
            found = cursor.execute(read, [texts]).fetchall()  # type: ignore[call-overload]  # not a literal
            assert [ours(row[0]) for row in found] == [same(value) for value in values]
            if name in READ_ONLY:
                continue
            each = ", ".join([f"(%b::{name})::text"] * BATCH)
            said = cursor.execute(f"select {each}", [theirs(name, value) for value in values]).fetchone()  # type: ignore[call-overload]  # as above
            assert list(said or ()) == texts
