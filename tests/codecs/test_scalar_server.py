"""The codecs against a real server: its text of our bytes, and our value of its bytes.

A case is one value.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cases import cases
from tests.codecs.support import REG, SENTINELS, payload, value
from tests.oracle import Oracle

from stretto.codecs.base import TEXT_FORMAT
from stretto.codecs.oids import OID_OF
from stretto.codecs.values import (
    INFINITY,
    BitString,
    Box,
    Circle,
    Interval,
    Line,
    LineSegment,
    Path,
    Point,
    Polygon,
    Snapshot,
)
from stretto.errors import DecodeError


@pytest.fixture(scope="module")
def oracle(server_url: str) -> Iterator[Oracle]:
    oracle = Oracle(server_url)
    yield oracle
    oracle.close()


@dataclass
class Spec:
    """How a type is tried: its values, what text the server must have for one, and what must come back."""

    values: st.SearchStrategy[Any]
    text: Callable[[Any], Any]
    read: Callable[[str], Any] = str
    back: Callable[[Any], Any] = lambda value: value


def ints(low: int, high: int) -> Spec:
    return Spec(st.one_of(st.sampled_from([low, high, low + 1, high - 1]), st.integers(low, high)), str)


def single(number: float) -> float:
    return float(struct.unpack(">f", struct.pack(">f", number))[0])


def trim(text: str) -> str:
    """ISO text as PostgreSQL writes it: without zeros at the end of a fraction."""
    return re.sub(r"(\.\d*?)0+(?=$|[+-])", r"\1", text)


def offset(value: time) -> str:
    seconds = int((value.utcoffset() or timedelta()).total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    parts = [seconds // 3600, seconds // 60 % 60, seconds % 60]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return sign + ":".join(f"{part:02}" for part in parts)


def endless(text: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda v: ("infinity" if v == INFINITY else "-infinity") if v in (INFINITY, -INFINITY) else text(v)


def plain_decimal(v: Decimal) -> str:
    return "NaN" if v.is_nan() else format(abs(v) if v.is_zero() else v, "f")


def with_scale(v: Decimal) -> Decimal:
    """What comes back: no exponent above 0 and no negative zero, the scale as it was."""
    return Decimal(plain_decimal(v))


def numbers(value: Any) -> list[float]:
    """The numbers in a geometric value, from the left to the right."""
    return [n for part in value for n in numbers(part)] if isinstance(value, (tuple, Path)) else [float(value)]


def numbers_in(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?(?:Infinity|NaN|[\d.]+(?:e[+-]?\d+)?)", text)]


def geometric(values: st.SearchStrategy[Any]) -> Spec:
    return Spec(values, numbers, numbers_in)


def parts(text: str) -> tuple[int, int, int]:
    """Months, days and microseconds of an interval's text in the style 'postgres'."""
    words = text.split()
    months = days = micros = 0
    while words and ":" not in words[0]:
        count, unit = int(words.pop(0)), words.pop(0).rstrip("s")
        months += {"year": 12, "mon": 1, "day": 0}[unit] * count
        days += count if unit == "day" else 0
    if words:
        sign = -1 if words[0].startswith("-") else 1
        hours, minutes, seconds = words[0].lstrip("+-").split(":")
        micros = sign * ((int(hours) * 60 + int(minutes)) * 60_000_000 + int(Decimal(seconds) * 1_000_000))
    return months, days, micros


def interval_parts(v: Any) -> Any:
    if isinstance(v, Interval):
        return v.months, v.days, v.microseconds
    if isinstance(v, timedelta):
        micros = v.seconds * 1_000_000 + v.microseconds
        return (0, v.days + 1, micros - 86_400_000_000) if v.days < 0 and micros else (0, v.days, micros)
    return str(v).lower()


def interval_back(v: Any) -> Any:
    if isinstance(v, Interval) and v.months == 0:
        try:
            return timedelta(v.days, 0, v.microseconds)
        except OverflowError:
            return v
    return v


letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
strings = st.text(letters, max_size=40)
text = Spec(strings, str)
int64 = st.one_of(st.sampled_from([-(2**63), 2**63 - 1]), st.integers(-(2**63), 2**63 - 1))
int32 = st.one_of(st.sampled_from([-(2**31), 2**31 - 1]), st.integers(-(2**31), 2**31 - 1))
coordinates = st.floats(allow_nan=False)
points = st.builds(Point, coordinates, coordinates)
finite = st.floats(allow_nan=False, allow_infinity=False)


def json_values(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers(-(10**30), 10**30) | floats | strings,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
        max_leaves=8,
    )


infinities = st.sampled_from([INFINITY, -INFINITY])
zones = st.one_of(st.just(UTC), st.integers(-86399, 86399).map(lambda s: timezone(timedelta(seconds=s))))
server_zones = st.integers(-57599, 57599).map(lambda s: timezone(timedelta(seconds=s)))
decimals = st.one_of(
    st.builds(
        lambda sign, digits, exponent: Decimal((sign, tuple(digits), exponent)),
        st.integers(0, 1),
        st.lists(st.integers(0, 9), min_size=1, max_size=40),
        st.integers(-40, 40),
    ),
    st.decimals(allow_nan=True, allow_infinity=True, places=2),
    st.sampled_from([Decimal("1.10"), Decimal("1.1"), Decimal("0.000"), Decimal("-0"), Decimal("1E-16383")]),
)
byte_texts = st.integers(0, 255).map(lambda b: f"\\{b:03o}" if b > 127 else chr(b) if b else "")
bits = st.text("01", max_size=70).map(BitString)
snapshots = st.builds(
    lambda xmin, gaps: Snapshot(xmin, xmin + sum(gaps) + 1, tuple(xmin + sum(gaps[: i + 1]) for i in range(len(gaps)))),
    st.integers(1, 2**62),
    st.lists(st.integers(1, 1000), max_size=5),
).filter(lambda v: all(xid & 0xFFFFFFFF > 2 for xid in (v.xmin, v.xmax, *v.active)))  # those are no transactions
networks4 = st.builds(lambda a, p: IPv4Network((a, p), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32))
networks6 = st.builds(lambda a, p: IPv6Network((a, p), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128))
interfaces4 = st.builds(lambda a, p: IPv4Interface((a, p)), st.integers(0, 2**32 - 1), st.integers(0, 32))
interfaces6 = st.builds(lambda a, p: IPv6Interface((a, p)), st.integers(0, 2**128 - 1), st.integers(0, 128))

SPECS: dict[str, Spec] = {
    "bool": Spec(st.booleans(), lambda v: str(v).lower()),
    "int2": ints(-(2**15), 2**15 - 1),
    "int4": ints(-(2**31), 2**31 - 1),
    "int8": ints(-(2**63), 2**63 - 1),
    "money": Spec(int64, int, lambda t: int(re.sub(r"[^\d-]", "", t))),
    "float4": Spec(
        st.floats(width=32) | st.floats(-3.4e38, 3.4e38).filter(lambda v: v == 0 or single(v) != 0),
        lambda v: repr(single(v)),
        lambda t: repr(single(float(t))),
        single,
    ),
    "float8": Spec(st.floats(), repr, lambda t: repr(float(t))),
    "numeric": Spec(decimals.filter(lambda v: not v.is_snan()), plain_decimal, str, with_scale),
    "oid": ints(0, 2**32 - 1),
    "xid": ints(0, 2**32 - 1),
    "cid": ints(0, 2**32 - 1),
    "xid8": ints(0, 2**64 - 1),
    "tid": Spec(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1)), lambda v: f"({v[0]},{v[1]})"),
    "pg_lsn": Spec(st.integers(0, 2**64 - 1).map(lambda v: f"{v >> 32:X}/{v & 0xFFFFFFFF:X}"), str),
    "pg_snapshot": Spec(snapshots, lambda v: f"{v.xmin}:{v.xmax}:{','.join(map(str, v.active))}"),
    "txid_snapshot": Spec(snapshots, lambda v: f"{v.xmin}:{v.xmax}:{','.join(map(str, v.active))}"),
    "text": text,
    "varchar": text,
    "bpchar": Spec(strings, lambda v: v.rstrip(" ")),  # the cast to text drops the padding
    "refcursor": text,
    "name": Spec(st.text(letters, max_size=15), str),
    "char": Spec(byte_texts, str),
    "jsonpath": Spec(st.sampled_from(['$."a"', '$."ö"[*]?(@ > 1)', "strict $"]), str),
    "bytea": Spec(st.binary(max_size=300), lambda v: "\\x" + v.hex()),
    "uuid": Spec(st.uuids(), str),
    "json": Spec(json_values(finite), lambda v: v, json.loads),
    # Larger floats are whole numbers to jsonb, and come back as int; it has no -0.0.
    "jsonb": Spec(json_values(st.floats(-1e15, 1e15).map(lambda v: v + 0.0)), lambda v: v, json.loads),
    "date": Spec(st.dates() | infinities, endless(date.isoformat)),
    "time": Spec(st.times(), lambda v: trim(v.isoformat())),
    "timetz": Spec(st.times(timezones=server_zones), lambda v: trim(v.replace(tzinfo=None).isoformat()) + offset(v)),
    "timestamp": Spec(st.datetimes() | infinities, endless(lambda v: trim(v.isoformat(" ")))),
    "timestamptz": Spec(
        st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones) | infinities,
        endless(lambda v: trim(v.astimezone(UTC).replace(tzinfo=None).isoformat(" ")) + "+00"),
        back=lambda v: v if v in (INFINITY, -INFINITY) else v.astimezone(UTC),
    ),
    "interval": Spec(
        st.timedeltas()
        | st.builds(Interval, int32, int32, int64).filter(lambda v: abs(v.months) < 2**31 - 1)
        | infinities,
        lambda v: str(v).lower() if v in (INFINITY, -INFINITY) else interval_parts(v),
        lambda t: t if "infinity" in t else parts(t),
        interval_back,
    ),
    "varbit": Spec(bits, BitString.as_string),
    "inet": Spec(
        interfaces4 | interfaces6 | st.ip_addresses(),
        ip_interface,
        ip_interface,
        lambda v: v.ip if hasattr(v, "ip") and v.network.prefixlen == v.max_prefixlen else v,
    ),
    "cidr": Spec(networks4 | networks6, ip_network, ip_network),
    "macaddr": Spec(st.binary(min_size=6, max_size=6).map(lambda b: b.hex(":")), str),
    "macaddr8": Spec(st.binary(min_size=8, max_size=8).map(lambda b: b.hex(":")), str),
    "point": geometric(points),
    "line": geometric(st.builds(Line, finite.filter(lambda a: abs(a) > 1), finite, finite)),
    "lseg": geometric(st.builds(LineSegment, points, points)),
    "box": geometric(
        st.builds(
            lambda a, b: Box(Point(max(a.x, b.x), max(a.y, b.y)), Point(min(a.x, b.x), min(a.y, b.y))), points, points
        )
    ),
    "circle": geometric(st.builds(Circle, points, st.floats(0, allow_nan=False))),
    "path": geometric(
        st.builds(lambda p, closed: Path(*p, is_closed=closed), st.lists(points, min_size=1, max_size=5), st.booleans())
    ),
    "polygon": geometric(st.lists(points, min_size=1, max_size=5).map(lambda p: Polygon(*p))),
    "tsvector": Spec(st.sampled_from(["'a':1A,2 'b'", "", "'it''s':5"]), str),
    "tsquery": Spec(st.sampled_from(["'a' & !'b'", "'a' <-> 'b':*"]), str),
    "aclitem": Spec(st.sampled_from(["=r/postgres", "postgres=arw*/postgres"]), str),
    **{name: Spec(st.integers(10**9, 2**32 - 1), str) for name in REG},  # an OID of nothing is its own text
}

# No input function (pg_node_tree ...), no result (void), or not in every server (xml)
UNTRIED = (
    {"xml", "void", "unknown", "cstring", "bit"}
    | {name for name in OID_OF if name.startswith("pg_") and name not in SPECS}
    | {"gtsvector"}
)


def test_every_type_is_tried() -> None:
    assert set(SENTINELS) == set(SPECS) | (UNTRIED & set(SENTINELS))


def same(one: Any, other: Any) -> bool:
    """Equality in which NaN is NaN, and kinds matter."""
    if isinstance(one, (float, Decimal)) and isinstance(other, type(one)) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other and (isinstance(one, (dict, list)) or repr(one) == repr(other))


CASES = cases(30, len(SPECS), cost=10)


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("name", sorted(SPECS))
def test_the_server_reads_what_we_write_and_writes_what_we_read(name: str, oracle: Oracle) -> None:
    spec, codec = SPECS[name], SENTINELS[name]
    type_name = '"char"' if name == "char" else name
    cast, echo = f"select ($1::{type_name})::text".encode(), f"select $1::{type_name}".encode()

    @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(spec.values)
    def check(example: Any) -> None:
        result = oracle.conn.exec_params(cast, [payload(codec, example)], [codec.oid], [codec.format], TEXT_FORMAT)
        assert result.status == 2, result.error_message.decode()
        server_text = (result.get_value(0, 0) or b"").decode()
        assert spec.read(server_text) == spec.text(example)
        result = oracle.conn.exec_params(echo, [payload(codec, example)], [codec.oid], [codec.format], codec.format)
        data = result.get_value(0, 0) or b""
        expected = spec.back(example)
        if isinstance(expected, (datetime, time)):
            expected = expected.replace(fold=0)  # the server knows no fold
        assert same(value(codec, data), expected)

    check()


@pytest.mark.parametrize(
    "literal",
    ["9" * 131072 + "." + "9" * 16383, "-0." + "0" * 16382 + "1", "1" + "0" * 131071, "-1." + "0" * 16383],
    ids=["most digits", "smallest", "largest power", "zeros"],
)
def test_numerics_at_their_limits(literal: str, oracle: Oracle) -> None:
    codec = SENTINELS["numeric"]
    got = value(codec, oracle.binary("numeric", literal) or b"")
    assert format(got, "f") == literal
    assert oracle.text("numeric", payload(codec, got)) == literal


@pytest.mark.parametrize(
    ("type_name", "literal", "what"),
    [
        ("date", "4713-02-29 BC", "before year 1"),
        ("date", "0001-12-31 BC", "before year 1"),
        ("date", "10000-01-01", "after year 9999"),
        ("timestamp", "4713-01-01 BC", "before year 1"),
        ("timestamp", "294276-12-31 23:59:59.999999", "after year 9999"),
        ("timestamptz", "294276-12-31 23:59:59.999999+00", "after year 9999"),
        ("timestamptz", "0001-01-01 00:00:00+01", "before year 1"),
        ("time", "24:00:00", "24:00:00"),
        ("timetz", "24:00:00+00", "24:00:00"),
    ],
)
def test_what_the_server_has_and_python_has_not(type_name: str, literal: str, what: str, oracle: Oracle) -> None:
    data = oracle.binary(type_name, literal) or b""
    with pytest.raises(DecodeError, match=what):
        value(SENTINELS[type_name], data)
