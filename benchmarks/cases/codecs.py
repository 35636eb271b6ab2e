"""Nanoseconds a value takes in each direction, without a socket: the compiled codecs beside the interpreted ones.

A contender takes ``(url,)`` and yields nothing: it is its environment (STRETTO_CORE) that differs.
"""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import ip_interface, ip_network
from typing import Any, NamedTuple
from uuid import UUID

from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import drive, expect, opened, peak_memory

REPEATS = 50  # values in one buffer, so that the loop around them weighs little
TEXT = "ten chars."
MOMENT = datetime(2024, 5, 17, 12, 34, 56, 789012, UTC)


class Subject(NamedTuple):
    """A codec and a value; ``written_by`` another codec, where it only reads."""

    codec: Any
    value: Any
    written_by: Any = None


def subjects() -> dict[str, Subject]:
    """What is measured, by the names of the table: every class of codec."""
    from stretto.codecs.registry import shared_codecs

    codecs = {codec.name: codec for codec in shared_codecs().values()}
    builtin = {_printed(name): value for name, value in values().items()}
    return {name: Subject(codecs[name], value) for name, value in builtin.items()} | _made(codecs) | _given()


def values() -> dict[str, Any]:
    """A value of each built-in type that has a codec of its own; `_int4` is PostgreSQL's name of int4[]."""
    from stretto.codecs import values as kinds
    from stretto.codecs.ranges import Range

    point = kinds.Point(1.5, 2.5)
    return {
        "bool": True,
        "int2": 123,
        "int4": 12345,
        "int8": 2**40,
        "oid": 16384,
        "float4": 1.25,
        "float8": 1.25,
        "numeric": Decimal("12345.67"),
        "text": TEXT,
        "bytea": b"ten bytes.",
        "date": date(2024, 5, 17),
        "time": time(12, 34, 56, 789012),
        "timetz": time(12, 34, 56, 789012, UTC),
        "timestamp": MOMENT.replace(tzinfo=None),
        "timestamptz": MOMENT,
        "interval": timedelta(days=3, seconds=4),
        "uuid": UUID("12345678-1234-5678-1234-567812345678"),
        "json": {"name": "stretto", "tags": [1, 2, 3], "ok": True},
        "jsonb": {"name": "stretto", "tags": [1, 2, 3], "ok": True},
        "inet": ip_interface("192.168.0.1/24"),
        "cidr": ip_network("192.168.0.0/24"),
        "macaddr": "08:00:2b:01:02:03",
        "varbit": kinds.BitString("10110011"),
        "bit": kinds.BitString("10110011"),
        "macaddr8": "08:00:2b:01:02:03:04:05",
        "money": 12345,
        "name": TEXT,
        "char": "a",
        "jsonpath": '$."a"',
        "tsvector": "'stretto':1",
        "regclass": 1259,
        "xid8": 2**40,
        "tid": (1, 2),
        "pg_lsn": "16/B374D848",
        "pg_snapshot": kinds.Snapshot(10, 20, (12, 15)),
        "point": point,
        "line": kinds.Line(1.0, 2.0, 3.0),
        "lseg": kinds.LineSegment(point, kinds.Point(3.0, 4.0)),
        "path": kinds.Path(point, kinds.Point(3.0, 4.0), kinds.Point(5.0, 1.0)),
        "circle": kinds.Circle(point, 2.0),
        "box": kinds.Box(kinds.Point(3.0, 4.0), point),
        "polygon": kinds.Polygon(point, kinds.Point(3.0, 4.0), kinds.Point(5.0, 1.0)),
        "_int4": list(range(10)),
        "_text": [TEXT] * 10,
        "_numeric": [Decimal("12345.67")] * 10,
        "int4range": Range(1, 10),
        "tstzrange": Range(MOMENT, MOMENT + timedelta(days=1)),
        "int4multirange": [Range(1, 10), Range(20, 30)],
        "_tsvector": ["'stretto':1"] * 10,
    }


def _made(codecs: Mapping[str, Any]) -> dict[str, Subject]:
    """Types that a database or an extension makes, and records and arrays of which only the value tells the types."""
    from stretto.codecs.arrays import AnyArray
    from stretto.codecs.arraytext import TextMultirange, TextRange
    from stretto.codecs.catalog import TypeInfo
    from stretto.codecs.composite import Composite, Record
    from stretto.codecs.enums import Enum
    from stretto.codecs.extensions import SparseVector, extension_codec
    from stretto.codecs.ranges import Range
    from stretto.codecs.registry import CodecMap, shared_codecs

    composite = Composite("pair", 50001, ["a", "b"], [codecs["int4"], codecs["text"]])
    texts = TextRange("textrange", 50002, codecs["tsvector"])
    found = {
        "enum": Subject(Enum("mood", 50000), "glad"),
        "composite": Subject(composite, (12345, TEXT)),
        "record": Subject(Record("record", 2249, {}, shared_codecs().get), (12345, TEXT), composite),
        "anyarray": Subject(AnyArray("anyarray", 2277, shared_codecs().get), list(range(10)), codecs["int4[]"]),
        "range of a text type": Subject(texts, Range("a", "b")),
        "multirange of a text type": Subject(TextMultirange("texts", 50003, texts), [Range("a", "b")]),
    }
    known = CodecMap()
    domain = dict.fromkeys(TypeInfo._fields) | {"oid": 50004, "schema": "public", "name": "positive", "kind": "d"}
    known.define([TypeInfo(**domain | {"element": codecs["int4"].oid})])
    found["domain of int4"] = Subject(known.get(50004), 12345)
    extensions: dict[str, Any] = {
        "hstore": {"name": "stretto", "none": None},
        "ltree": "top.science.astronomy",
        "vector": [0.5] * 10,
        "halfvec": [0.5] * 10,
        "sparsevec": SparseVector({1: 0.5, 8: 1.5}, 10),
    }
    return found | {name: Subject(extension_codec(name, 50005), value) for name, value in extensions.items()}


def _given() -> dict[str, Subject]:
    """Codecs by a user's functions: over the text of a type, and over its binary codec where that tells the text."""
    from stretto.codecs.registry import CodecMap

    codecs = CodecMap()
    codecs.set_type_codec("text", encoder=str, decoder=str)
    codecs.set_type_codec("int4", encoder=str, decoder=int)
    return {
        "text by functions": Subject(codecs.get(25), TEXT),
        "int4 by functions": Subject(codecs.get(23), 12345),
    }


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    async with opened(contender, job.url):
        figures: dict[str, float] = {}
        for name, subject in subjects().items():
            decode, encode = _measure(subject, job.sizes.codec_values)
            figures |= {f"{name} decode": decode} | ({} if subject.written_by else {f"{name} encode": encode})
    mean = statistics.geometric_mean(figures.values())
    return {"rate": 1e9 / mean, "mean_ns": mean, "rss_mb": peak_memory(), **figures}


def _printed(name: str) -> str:
    """The type's name as the codecs know it."""
    return f"{name[1:]}[]" if name.startswith("_") else name


def _measure(subject: Subject, count: int) -> tuple[float, float]:
    """What one decode and one encode takes."""
    from stretto.codecs.base import decode_value, encode_value
    from stretto.wire.buffer import ReadBuffer, WriteBuffer

    codec, value = subject.codec, subject.value
    writing = subject.written_by or codec
    written = WriteBuffer()
    for _ in range(REPEATS):
        encode_value(writing, written, value)
    data = written.getvalue()
    reader, writer = ReadBuffer(data), WriteBuffer(len(data))
    every = [None] * REPEATS
    for _ in every:
        expect(decode_value(codec, reader), value, codec.name)

    def decode() -> None:
        reader.attach(data, 0, len(data))
        for _ in every:
            decode_value(codec, reader)

    def encode() -> None:
        writer.truncate(0)
        for _ in every:
            encode_value(writing, writer, value)

    return _nanoseconds(decode, count), _nanoseconds(encode, count)


def _nanoseconds(action: Callable[[], None], count: int) -> float:
    """The best of five: whatever disturbs it can only make it slower."""
    number = max(1, count // REPEATS)
    return min(timeit.Timer(action).repeat(5, number)) / number / REPEATS * 1e9


def table(results: Mapping[str, list[dict[str, float]]]) -> str:
    """A row for each type: what it takes in both builds, the median of the rounds."""
    found = {
        build: {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        for build, rounds in results.items()
        if rounds
    }
    if {"compiled", "interpreted"} - found.keys():
        return "a build is missing: nothing to compare"
    compiled, interpreted = found["compiled"], found["interpreted"]
    lines = [
        "| ns a value | decode compiled | interpreted | x | encode compiled | interpreted | x |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name in (key.removesuffix(" decode") for key in compiled if key.endswith(" decode")):
        cells = []
        for way in (f"{name} decode", f"{name} encode"):
            if way not in compiled:
                cells += ["", "", ""]
                continue
            fast, slow = compiled[way], interpreted[way]
            cells += [f"{fast:,.0f}", f"{slow:,.0f}", f"{slow / fast:.1f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


CASE = Case(
    name="codecs",
    about="one value through its codec, without a socket; the best of five loops in a process, the median of rounds",
    run=run,
    baselines=("interpreted",),
    rate=Column("mean_ns", "geometric mean ns", ",.0f"),
    columns=tuple(column for column in COMMON if column.key == "rss_mb"),
    table=table,
)
