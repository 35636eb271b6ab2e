"""Generated values against the real server: what we write is what it has, by its own text, and what we read back.

Each value goes there in binary, comes back in binary and as the server's text; that text is cast back on the server and
read again. STRETTO_FUZZ_CASES is how many values in all.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import random
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import stretto

CASES = int(os.environ.get("STRETTO_FUZZ_CASES", "100000"))
BATCH = 500
DAY = 86_400_000_000
R = random.Random


def integer(bits: int) -> Callable[[R], int]:
    """Integers of all sizes, and the ends of the range."""

    def make(r: R) -> int:
        top = (1 << (bits - 1)) - 1
        return r.choice((0, -1, top, -top - 1, r.randint(-top - 1, top), r.getrandbits(r.randint(1, bits - 1))))

    return make


def unsigned(bits: int) -> Callable[[R], int]:
    return lambda r: r.choice((0, (1 << bits) - 1, r.getrandbits(bits)))


def float8(r: R) -> float:
    value: float = struct.unpack("d", r.randbytes(8))[0]
    special = (0.0, -0.0, float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308)
    return r.choice(special) if r.random() < 0.1 or value != value else value


def float4(r: R) -> float:
    value: float = struct.unpack("f", r.randbytes(4))[0]
    return float("inf") if value != value else value


def numeric(r: R) -> Decimal:
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


TYPES: dict[str, Callable[[R], Any]] = {
    "bool": lambda r: bool(r.getrandbits(1)),
    "int2": integer(16),
    "int4": integer(32),
    "int8": integer(64),
    "oid": unsigned(32),
    "xid8": unsigned(63),
    "float4": float4,
    "float8": float8,
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
    "circle": lambda r: stretto.Circle(point(r), abs(coordinate(r))),
    "path": lambda r: stretto.Path(*[point(r) for _ in range(r.randint(1, 5))], is_closed=bool(r.getrandbits(1))),
    "polygon": lambda r: stretto.Polygon(*[point(r) for _ in range(r.randint(1, 5))]),
    "pg_lsn": lambda r: f"{r.getrandbits(32):X}/{r.getrandbits(32):X}",
    "money": integer(64),
    "int4range": span(lambda r: r.randint(-(2**31), 2**31 - 1)),
    "int8range": span(lambda r: r.randint(-(2**63), 2**63 - 1)),
    "numrange": span(numeric),
    "daterange": span(lambda r: date(r)),
    "tsrange": span(timestamp),
}


def spelled_time(value: dt.time | dt.datetime) -> str:
    """As PostgreSQL writes it: no zeros at the end of the fraction, and UTC as +00."""
    text = value.replace(tzinfo=None).isoformat(*(" ",) if isinstance(value, dt.datetime) else ())
    text = text.rstrip("0") if "." in text else text
    return text + "+00" if value.tzinfo else text


# What the server must have understood, written without our codecs.
SPELLED: dict[str, Callable[[Any], str]] = {
    "bool": lambda value: "true" if value else "false",
    **dict.fromkeys(("int2", "int4", "int8", "oid", "xid8", "text", "uuid", "date", "macaddr", "macaddr8"), str),
    "numeric": lambda value: format(value or value.copy_abs(), "f"),  # there is no negative zero
    "bytea": lambda value: "\\x" + value.hex(),
    "time": spelled_time,
    "timestamp": spelled_time,
    "timestamptz": spelled_time,
    "cidr": str,
    "inet": str,
    "float8": lambda value: repr(value),
}
# Where several texts mean one value, they are compared as Python reads them.
READ: dict[str, Callable[[str], Any]] = {"float8": lambda text: repr(float(text))}
THERE = "select x, x::text as t from unnest($1::{}[]) with ordinality u (x, n) order by n"
BACK = "select t::{} as x from unnest($1::text[]) with ordinality u (t, n) order by n"


@pytest.mark.parametrize("name", TYPES)
def test_values_are_the_servers_own(server_url: str, name: str) -> None:
    r = random.Random(f"{name} {CASES}")
    count = -(-CASES // len(TYPES))
    with stretto.Database(server_url, connections=1, server_settings={"timezone": "UTC"}) as db:
        while count > 0:
            values = [TYPES[name](r) for _ in range(min(BATCH, count))]
            count -= len(values)
            rows = db.fetch(THERE.format(name), values)
            assert [row[0] for row in rows] == values
            if name in SPELLED:
                read = READ.get(name, str)
                assert [read(row[1]) for row in rows] == [SPELLED[name](value) for value in values]
            again = db.fetch(BACK.format(name), [row[1] for row in rows])
            assert [row[0] for row in again] == values
