"""Values of each type at random, the ends of its range among them, as the server gives them back; and their types."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import math
import random
import struct
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg

import stretto

DAY = 86_400_000_000
R = random.Random
NAN = float("nan")

# Types of the database's own: an enum, domains, and composites in one another, three deep.
OWN = """
create type mood as enum ('sad', 'so "so"', 'glad, {or} (not)', '😀');
create domain positive as int4 check (value > 0);
create domain label as text not null;
create domain labels as label[];
create type leaf as (number int4, name text, amount numeric, feels mood);
create type branch as (one leaf, many leaf[], sum positive, since timestamptz);
create type tree as ("the trunk" branch, branches branch[], tags labels, crown float8);
"""


@contextlib.contextmanager
def own_types(url: str, schema: str) -> Iterator[dict[str, str]]:
    """Make the types of OWN in a schema; give the settings of a session that knows them by their names."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create schema {schema}; set search_path = {schema}; {OWN}")
        yield {"search_path": f"{schema},public", "timezone": "UTC"}
        connection.execute(f"drop schema {schema} cascade")


def integer(bits: int) -> Callable[[R], int]:
    """Integers of all sizes, and the ends of the range."""

    def make(r: R) -> int:
        top = (1 << (bits - 1)) - 1
        return r.choice((0, -1, top, -top - 1, r.randint(-top - 1, top), r.getrandbits(r.randint(1, bits - 1))))

    return make


def unsigned(bits: int) -> Callable[[R], int]:
    return lambda r: r.choice((0, (1 << bits) - 1, r.getrandbits(bits)))


def floating(form: str, *ends: float) -> Callable[[R], float]:
    """Floats of all bit patterns; a NaN is one of them, with no payload: the server keeps none in a text."""

    def make(r: R) -> float:
        value: float = struct.unpack(form, r.randbytes(struct.calcsize(form)))[0]
        return r.choice((0.0, -0.0, NAN, math.inf, -math.inf, *ends)) if r.random() < 0.1 or value != value else value

    return make


def numeric(r: R) -> Decimal:
    """Numbers of all sizes and scales, zeros at their ends included; NaN and the infinities."""
    if r.random() < 0.05:
        return Decimal(r.choice(("NaN", "Infinity", "-Infinity")))
    return finite(r)


def finite(r: R) -> Decimal:
    digits = r.getrandbits(r.choice((1, 8, 20, 64, 200, 900)))
    return Decimal((r.getrandbits(1), tuple(map(int, str(digits))), -r.choice((0, 1, 2, 4, 8, 20, 60))))


def text(r: R) -> str:
    alphabet = r.choice(("abc ", "\t\n\\'\"{},()[]", "äößéñ", "日本語", "🎼\U0010ffff\ufeff", "\x01\x7f\x80\u2028"))
    return "".join(r.choices(alphabet, k=r.choice((0, 1, 5, 40, 300))))


def date(r: R) -> dt.date:
    return dt.date.fromordinal(r.choice((1, dt.date.max.toordinal(), r.randint(1, 3_652_059))))


def time(r: R) -> dt.time:
    micros = r.choice((0, DAY - 1, r.randrange(DAY)))
    return (dt.datetime.min + dt.timedelta(microseconds=micros)).time()


def timetz(r: R) -> dt.time:
    offset = dt.timedelta(seconds=r.randint(-57599, 57599))
    return time(r).replace(tzinfo=dt.timezone(offset))


def timestamp(r: R) -> dt.datetime:
    return dt.datetime.combine(date(r), time(r))


def timestamptz(r: R) -> dt.datetime:
    return timestamp(r).replace(tzinfo=dt.UTC)


def interval(r: R) -> Any:
    days, micros = r.randint(-999_999, 999_999), r.randint(-DAY * 9, DAY * 9)
    return stretto.Interval(months=r.choice((-1, 1)) * r.randint(1, 9999), days=days, microseconds=micros)


def document(r: R, depth: int = 3) -> Any:
    kind = r.randrange(7 if depth else 5)
    if kind < 5:
        return (None, True, r.randint(-(10**18), 10**18), r.uniform(-1e6, 1e6), text(r).replace("\x00", ""))[kind]
    if kind == 5:
        return [document(r, depth - 1) for _ in range(r.randrange(4))]
    return {text(r): document(r, depth - 1) for _ in range(r.randrange(4))}


def inet(r: R) -> Any:
    if r.getrandbits(1):
        return ipaddress.IPv4Interface((r.getrandbits(32), r.randint(0, 31)))
    return ipaddress.IPv6Interface((r.getrandbits(128), r.randint(0, 127)))


def cidr(r: R) -> Any:
    return inet(r).network


def mac(size: int) -> Callable[[R], str]:
    return lambda r: ":".join(f"{byte:02x}" for byte in r.randbytes(size))


def bits(r: R) -> stretto.BitString:
    return stretto.BitString("".join(r.choices("01", k=r.choice((0, 1, 7, 8, 9, 64, 130)))))


def coordinate(r: R) -> float:
    return r.choice((0.0, 1.5, r.uniform(-1e9, 1e9)))


def point(r: R) -> stretto.Point:
    return stretto.Point(coordinate(r), coordinate(r))


def span(make: Callable[[R], Any]) -> Callable[[R], stretto.Range[Any]]:
    """Ranges in the form that the server gives them back: bounds in order, discrete ones half open."""

    def ordered(r: R) -> stretto.Range[Any]:
        low, high = sorted((make(r), make(r)))
        if low == high or r.random() < 0.05:
            return stretto.Range(empty=True)
        return stretto.Range(low if r.random() > 0.1 else None, high if r.random() > 0.1 else None)

    return ordered


def spans(make: Callable[[R], Any]) -> Callable[[R], list[stretto.Range[Any]]]:
    """Multiranges as the server gives them back: in order, with gaps between their ranges."""

    def ordered(r: R) -> list[stretto.Range[Any]]:
        bounds = sorted({make(r) for _ in range(r.randrange(8))})
        pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
        found = [stretto.Range(low, high) for low, high in pairs]
        if found and r.random() < 0.1:
            found[0] = stretto.Range(None, pairs[0][1], lower_inc=False)
        if found and r.random() < 0.1:
            found[-1] = stretto.Range(found[-1].lower, None, lower_inc=found[-1].lower_inc)
        return found

    return ordered


def box(r: R) -> stretto.Box:
    (left, right), (low, high) = (sorted((coordinate(r), coordinate(r))) for _ in "xy")
    return stretto.Box(stretto.Point(right, high), stretto.Point(left, low))


def line(r: R) -> stretto.Line:
    return stretto.Line(r.choice((1.0, -2.5, coordinate(r) or 1.0)), coordinate(r), coordinate(r))


def maybe(make: Callable[[R], Any]) -> Callable[[R], Any]:
    return lambda r: None if r.random() < 0.1 else make(r)


def some(make: Callable[[R], Any]) -> Callable[[R], list[Any]]:
    return lambda r: [make(r) for _ in range(r.randrange(4))]


def row(*makes: Callable[[R], Any]) -> Callable[[R], tuple[Any, ...]]:
    return lambda r: tuple(make(r) for make in makes)


def mood(r: R) -> str:
    return r.choice(("sad", 'so "so"', "glad, {or} (not)", "😀"))


def positive(r: R) -> int:
    return r.choice((1, 2**31 - 1, r.getrandbits(20) + 1))


LEAF = row(maybe(integer(32)), maybe(text), maybe(numeric), maybe(mood))
BRANCH = row(maybe(LEAF), maybe(some(maybe(LEAF))), maybe(positive), maybe(timestamptz))
FLOAT8 = floating("d", 5e-324, 1.7976931348623157e308)

TYPES: dict[str, Callable[[R], Any]] = {
    "bool": lambda r: bool(r.getrandbits(1)),
    "int2": integer(16),
    "int4": integer(32),
    "int8": integer(64),
    "oid": unsigned(32),
    "xid8": unsigned(63),
    "float4": floating("f", 2.0**-149),
    "float8": FLOAT8,
    "numeric": numeric,
    "text": text,
    "bytea": lambda r: r.randbytes(r.choice((0, 1, 7, 300))),
    "uuid": lambda r: uuid.UUID(bytes=r.randbytes(16)),
    "date": date,
    "time": time,
    "timetz": timetz,
    "timestamp": timestamp,
    "timestamptz": timestamptz,
    "interval": interval,
    "jsonb": document,
    "json": document,
    "inet": inet,
    "cidr": cidr,
    "macaddr": mac(6),
    "macaddr8": mac(8),
    "varbit": bits,
    "point": point,
    "lseg": lambda r: stretto.LineSegment(point(r), point(r)),
    "box": box,
    "line": line,
    "circle": lambda r: stretto.Circle(point(r), abs(coordinate(r))),
    "path": lambda r: stretto.Path(*[point(r) for _ in range(r.randint(1, 5))], is_closed=bool(r.getrandbits(1))),
    "polygon": lambda r: stretto.Polygon(*[point(r) for _ in range(r.randint(1, 5))]),
    "pg_lsn": lambda r: f"{r.getrandbits(32):X}/{r.getrandbits(32):X}",
    "money": integer(64),
    "int4range": span(lambda r: r.randint(-(2**31), 2**31 - 1)),
    "int8range": span(lambda r: r.randint(-(2**63), 2**63 - 1)),
    "numrange": span(finite),
    "daterange": span(lambda r: date(r)),
    "tsrange": span(timestamp),
    "tstzrange": span(timestamptz),
    "int4multirange": spans(lambda r: r.randint(-(2**31), 2**31 - 1)),
    "int8multirange": spans(lambda r: r.randint(-(2**63), 2**63 - 1)),
    "nummultirange": spans(finite),
    "datemultirange": spans(lambda r: date(r)),
    "tsmultirange": spans(timestamp),
    "tstzmultirange": spans(timestamptz),
    "mood": mood,
    "positive": positive,
    "label": text,
    "leaf": LEAF,
    "branch": BRANCH,
    "tree": row(maybe(BRANCH), maybe(some(maybe(BRANCH))), maybe(some(text)), maybe(FLOAT8)),
}


def same(value: Any) -> Any:
    """Make a value that compares: each NaN equal to itself, rows and lists as what is in them."""
    if isinstance(value, float | Decimal) and value != value:
        return "NaN"
    if isinstance(value, tuple):
        return tuple(map(same, value))
    return list(map(same, value)) if isinstance(value, list) else value
