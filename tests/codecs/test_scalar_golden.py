"""The bytes of each scalar type, in both directions."""

from __future__ import annotations

import enum
import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from tests.codecs.support import CODECS, GOLDEN, INFINITE, REG, SENTINELS, payload, value

from stretto.codecs.base import BINARY_FORMAT, TEXT_FORMAT, encode_value
from stretto.codecs.jsonb import Json, Jsonb
from stretto.codecs.scalars import extension_codecs, scalar_codecs
from stretto.codecs.temporal import IntervalCodec
from stretto.codecs.values import BitString, Interval, Path, Point, Polygon
from stretto.errors import DecodeError, ProtocolError
from stretto.wire.buffer import WriteBuffer


@pytest.mark.parametrize(("name", "example", "data"), GOLDEN, ids=[f"{n}-{d[:16]}" for n, _, d in GOLDEN])
def test_a_value_and_its_bytes(name: str, example: Any, data: str) -> None:
    codec = CODECS[name]
    assert payload(codec, example).hex() == data
    got = value(codec, bytes.fromhex(data), tail=b"\xff\xff\xff\xff")
    assert (got, type(got)) == (example, type(example))
    assert str(got) == str(example)  # the scale of a Decimal, the sign of a zero


@pytest.mark.parametrize(("name", "example", "data"), INFINITE)
def test_infinity_is_a_sentinel_where_it_was_asked_for_and_an_error_elsewhere(
    name: str, example: Any, data: str
) -> None:
    assert payload(CODECS[name], example).hex() == data
    assert value(SENTINELS[name], bytes.fromhex(data)) == example
    with pytest.raises(DecodeError, match=f"{name} -?infinity has no place.*::text"):
        value(CODECS[name], bytes.fromhex(data))


@pytest.mark.parametrize("name", ["float4", "float8", "numeric"])
def test_not_a_number(name: str) -> None:
    codec = CODECS[name]
    assert math.isnan(value(codec, payload(codec, float("nan"))))
    assert math.isnan(value(codec, payload(codec, Decimal("NaN"))))


def test_the_sign_of_a_float_zero_is_kept() -> None:
    assert math.copysign(1, value(CODECS["float8"], payload(CODECS["float8"], -0.0))) == -1
    assert math.copysign(1, value(CODECS["float4"], payload(CODECS["float4"], -0.0))) == -1


def test_every_type_of_the_table_has_one_codec_and_its_own_oid() -> None:
    oids = [codec.oid for codec in scalar_codecs()]
    assert len(set(oids)) == len(oids)
    assert all(oids)
    assert CODECS["tsvector"].format == TEXT_FORMAT
    assert CODECS["numeric"].format == BINARY_FORMAT
    assert {codec.name for codec in extension_codecs()} == {"citext", "ltree", "lquery", "ltxtquery"}


class Colour(enum.IntEnum):
    RED = 7


class Word(enum.StrEnum):
    ONE = "one"


class Text(str):
    __slots__ = ()


class Indexed:
    """As numpy's integers."""

    def __index__(self) -> int:
        return 7


NumpyBool = type("bool_", (), {"__module__": "numpy", "__bool__": lambda self: True})


class Moment(datetime):
    """As pendulum's datetime."""


# (type, what else it takes, as what)
TAKEN = [
    ("bool", NumpyBool(), True),
    ("int2", Colour.RED, 7),
    ("int4", Colour.RED, 7),
    ("int4", Indexed(), 7),
    ("int8", Indexed(), 7),
    ("oid", Indexed(), 7),
    ("xid8", Indexed(), 7),
    ("numeric", Indexed(), Decimal(7)),
    ("numeric", 12, Decimal(12)),
    ("numeric", -(10**40), Decimal(-(10**40))),
    ("numeric", 0.1, Decimal("0.1")),
    ("numeric", 1e-7, Decimal("0.0000001")),
    ("numeric", 1e22, Decimal(10**22)),
    ("numeric", Decimal("1E+5"), Decimal(100000)),
    ("numeric", Decimal("1.5E+5"), Decimal(150000)),
    ("numeric", Decimal("-0.0"), Decimal("0.0")),
    ("numeric", Decimal("0E+3"), Decimal(0)),
    ("numeric", Decimal("sNaN"), None),
    ("float8", 3, 3.0),
    ("float8", Decimal("0.5"), 0.5),
    ("float8", Fraction(1, 4), 0.25),
    ("float4", 0.1, 0.10000000149011612),
    ("text", Word.ONE, "one"),
    ("text", Text("two"), "two"),
    ("char", Word.ONE.value[0], "o"),
    ("bytea", bytearray(b"ab"), b"ab"),
    ("bytea", memoryview(b"abcd")[::2], b"ac"),
    ("uuid", "{12345678-9abc-def0-8123-456789abcdef}", UUID("123456789abcdef08123456789abcdef")),
    ("json", None, None),
    ("timestamp", date(2024, 2, 29), datetime(2024, 2, 29)),
    ("timestamp", Moment(2024, 2, 29, 1), datetime(2024, 2, 29, 1)),
    ("timestamptz", Moment(2024, 2, 29, 1, tzinfo=UTC), datetime(2024, 2, 29, 1, tzinfo=UTC)),
    (
        "timestamptz",
        datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2024, 7, 1, 10, tzinfo=UTC),
    ),
    (
        "timestamptz",
        datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        datetime(2024, 10, 27, 1, 30, tzinfo=UTC),
    ),
    (
        "timestamptz",
        datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=timezone(-timedelta(hours=3, seconds=1))),
        datetime(2024, 1, 1, 3, 0, 1, 1, tzinfo=UTC),
    ),
    ("inet", "1.2.3.4/24", ip_interface("1.2.3.4/24")),
    ("inet", "1.2.3.4/32", ip_address("1.2.3.4")),
    ("inet", ip_interface("::1/128"), ip_address("::1")),
    ("cidr", "10.0.0.0/8", IPv4Network("10.0.0.0/8")),
    ("cidr", "::", IPv6Network("::/128")),
    ("macaddr", "08002B010203", "08:00:2b:01:02:03"),
    ("macaddr", "0800.2b01.0203", "08:00:2b:01:02:03"),
    ("macaddr", "08002b-010203", "08:00:2b:01:02:03"),
    ("bit", "101", BitString("101")),
    ("point", (1, 2), Point(1.0, 2.0)),
    ("path", [(1, 2)], Path((1.0, 2.0))),
    ("polygon", [(1, 2)], Polygon((1.0, 2.0))),
    ("pg_lsn", 0x16B374D848, "16/B374D848"),
    ("pg_lsn", "16/b374d848", "16/B374D848"),
]


@pytest.mark.parametrize(("name", "given", "expected"), TAKEN)
def test_what_else_is_taken(name: str, given: Any, expected: Any) -> None:
    codec = CODECS[name]
    got = value(codec, payload(codec, given))
    if isinstance(given, Decimal) and given.is_snan():
        assert got.is_nan()
    else:
        assert (got, type(got), str(got)) == (expected, type(expected), str(expected))


@pytest.mark.parametrize("name", REG)
def test_the_reg_types_are_their_oids(name: str) -> None:
    assert value(CODECS[name], payload(CODECS[name], 4294967295)) == 4294967295


def test_none_is_null_and_not_the_json_null() -> None:
    buf = WriteBuffer()
    encode_value(CODECS["jsonb"], buf, None)
    assert buf.getvalue() == b"\xff\xff\xff\xff"


def test_void_is_none() -> None:
    assert value(CODECS["void"], b"") is None


def test_a_uuid_is_whole() -> None:
    got = value(CODECS["uuid"], bytes(range(16)))
    assert type(got) is UUID
    assert (hash(got), got.is_safe, got.fields) == (
        hash(UUID(bytes=bytes(range(16)))),
        UUID(int=0).is_safe,
        UUID(bytes=bytes(range(16))).fields,
    )


def test_a_moment_on_the_edge_of_the_calendar_is_taken_with_its_offset() -> None:
    codec = CODECS["timestamptz"]
    before = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    assert payload(codec, before).hex() == f"{0xFF1FE2FFC59C6000 - 3_600_000_000:016x}"
    with pytest.raises(DecodeError, match="before year 1"):
        value(codec, payload(codec, before))


@pytest.mark.parametrize(
    ("value_", "wire"),
    [
        (timedelta(hours=-25), (-3_600_000_000, -1, 0)),
        (timedelta(days=-1), (0, -1, 0)),
        (timedelta(microseconds=-1), (-1, 0, 0)),
        (timedelta(days=-1, microseconds=1), (-86_399_999_999, 0, 0)),
        (timedelta.max, (86_399_999_999, 999_999_999, 0)),
        (timedelta.min, (0, -999_999_999, 0)),
    ],
)
def test_the_parts_of_a_negative_timedelta_have_one_sign(value_: timedelta, wire: tuple[int, int, int]) -> None:
    codec = CODECS["interval"]
    micros, days, months = wire
    data = b"".join(n.to_bytes(size, "big", signed=True) for n, size in ((micros, 8), (days, 4), (months, 4)))
    assert payload(codec, value_) == data
    assert value(codec, data) == value_


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ((2**63 - 1, 0, 0), timedelta(microseconds=2**63 - 1)),
        ((-(2**63), 0, 0), timedelta(microseconds=-(2**63))),
        ((-(2**63), 2**31 - 1, -(2**31)), Interval(-(2**31), 2**31 - 1, -(2**63))),
        ((0, 2**31 - 1, 0), Interval(0, 2**31 - 1, 0)),
        ((-1, -999_999_999, 0), Interval(0, -999_999_999, -1)),
        ((2**63 - 1, 2**31 - 1, 0), Interval(0, 2**31 - 1, 2**63 - 1)),
    ],
)
def test_an_interval_that_no_timedelta_holds_is_an_interval(wire: tuple[int, int, int], expected: Any) -> None:
    codec = CODECS["interval"]
    data = b"".join(n.to_bytes(size, "big", signed=True) for n, size in zip(wire, (8, 4, 4), strict=True))
    assert value(codec, data) == expected
    if isinstance(expected, Interval):
        assert payload(codec, expected) == data


def test_every_interval_is_an_interval_where_that_was_asked_for() -> None:
    codec = IntervalCodec("interval", 1186, intervals="interval")
    assert value(codec, payload(codec, timedelta(days=1, seconds=1))) == Interval(0, 1, 1_000_000)


def test_options_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="infinity"):
        scalar_codecs(infinity="max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="intervals"):
        scalar_codecs(intervals="days")  # type: ignore[arg-type]


# (type, payload, what Python has no place for)
UNHOLDABLE = [
    ("date", "fff4dbf8", "before year 1"),
    ("date", "002c95d4", "after year 9999"),
    ("date", "80000001", "before year 1"),
    ("timestamp", "ff1fe2ffc59c5fff", "before year 1"),
    ("timestamp", "0380e70b913b8000", "after year 9999"),
    ("timestamptz", "7ffffffffffffffe", "after year 9999"),
    ("timestamptz", "8000000000000001", "before year 1"),
    ("time", "000000141dd76000", "24:00:00"),
    ("timetz", "000000141dd7600000000000", "24:00:00"),
    ("cidr", "020800040a000001", "no network"),
    ("json", b"1e400".hex(), "beyond the range of float"),
    ("jsonb", "01" + b"[-1e400]".hex(), "beyond the range of float"),
    ("json", b"{".hex(), "Expecting property name"),
    ("json", b"".hex(), "Expecting value"),
    ("json", (b"[" * 100_000).hex(), "nested too deeply"),
]


@pytest.mark.parametrize(("name", "data", "what"), UNHOLDABLE, ids=[f"{n}-{w}" for n, _, w in UNHOLDABLE])
def test_what_python_has_no_place_for_says_so(name: str, data: str, what: str) -> None:
    with pytest.raises(DecodeError, match=what):
        value(CODECS[name], bytes.fromhex(data))


# (type, payload that no server sends)
MALFORMED = [
    ("int4", "0000000000"),
    ("int4", "000000"),
    ("bool", ""),
    ("numeric", "ffff000000000000"),  # -1 digits
    ("numeric", "0001000000000000"),  # a digit is missing
    ("numeric", "00010000000000002710"),  # a digit of 10000
    ("numeric", "0005000000000000" + "ffff" * 5),
    ("numeric", "00010000100000000001"),  # no such sign
    ("numeric", "00010000000040000001"),  # a scale of 16384
    ("numeric", "00010000000000000001ff"),
    ("numeric", "0002000000000001" + "00010001"),  # digits beyond its scale
    ("numeric", "0001800000000000" + "0001"),
    ("numeric", "0005000000000001" + "0001" * 5),
    ("uuid", "00" * 15),
    ("jsonb", ""),
    ("jsonb", "0231"),
    ("jsonpath", "02"),
    ("text", "ff"),
    ("date", "0000"),
    ("time", "ffffffffffffffff"),
    ("time", "000000141dd76001"),
    ("timetz", "0000000000000000" + "00015180"),
    ("interval", "00" * 15),
    ("bit", "ffffffff"),
    ("bit", "00000009ff"),
    ("bit", "7fffffffff"),
    ("inet", "0421000401020304"),
    ("inet", "0221000401020304"),
    ("inet", "0220001001020304"),
    ("inet", "03200004" + "00" * 16),
    ("macaddr", "0000"),
    ("path", "01ffffffff"),
    ("path", "017fffffff"),
    ("polygon", "0fffffff"),
    ("polygon", "10000000"),
    ("pg_snapshot", "ffffffff" + "00" * 16),
    ("pg_snapshot", "7fffffff" + "00" * 16),
    ("tid", "00000000"),
]


@pytest.mark.parametrize(("name", "data"), MALFORMED)
@pytest.mark.parametrize("tail", [b"", b"\x01" * 64], ids=["at the end", "with bytes behind"])
def test_what_no_server_sends_is_a_protocol_error(name: str, data: str, tail: bytes) -> None:
    with pytest.raises(ProtocolError):
        value(CODECS[name], bytes.fromhex(data), tail)


def test_json_is_read_and_written_by_what_was_given() -> None:
    codec = Jsonb(
        "jsonb", 3802, dumps=lambda v: json.dumps(v).encode(), loads=lambda text: json.loads(text, parse_float=Decimal)
    )
    assert value(codec, payload(codec, [1.5])) == [Decimal("1.5")]
    raw = Json("json", 114, dumps=str, loads=str)
    assert value(raw, payload(raw, '{"a":1}')) == '{"a":1}'


def test_json_with_spaces_around_and_twice_the_same_key() -> None:
    assert value(CODECS["json"], b' \n{"a": 1, "a": 2} ') == {"a": 2}
    with pytest.raises(DecodeError, match="Extra data"):
        value(CODECS["json"], b"1 2")


def test_a_json_number_of_4301_digits_is_more_than_python_reads() -> None:
    with pytest.raises(DecodeError, match="limit"):
        value(CODECS["json"], b"1" * 5000)


@pytest.mark.parametrize("digits", [1, 15, 16, 17, 18, 19, 20, 131072])
@pytest.mark.parametrize("scale", [0, 1, 2, 3, 4, 5, 15, 16, 17, 18, 19, 20, 16383])
def test_numerics_of_every_size(digits: int, scale: int) -> None:
    codec = CODECS["numeric"]
    for digit in "19":
        number = Decimal(f"-{digit * (digits + scale)}E-{scale}")
        got = value(codec, payload(codec, number))
        assert got == number
        assert got.as_tuple().exponent == -scale
    small = Decimal(f"0{'7' * min(digits, scale)}E-{scale}")
    assert value(codec, payload(codec, small)) == small


def test_time_zones_with_seconds() -> None:
    codec = CODECS["timetz"]
    for seconds in (-57599, -1, 1, 57599):
        example = time(12, 0, 0, 1, tzinfo=timezone(timedelta(seconds=seconds)))
        got = value(codec, payload(codec, example))
        assert (got, got.utcoffset()) == (example, example.utcoffset())


def test_every_day_of_the_calendar() -> None:
    codec = CODECS["date"]
    for ordinal in range(1, date.max.toordinal() + 1, 97):
        day = date.fromordinal(ordinal)
        data = (ordinal - 730120).to_bytes(4, "big", signed=True)
        assert payload(codec, day) == data
        assert value(codec, data) == day
    for year in range(1, 10000):
        for day in (date(year, 1, 1), date(year, 2, 28), date(year, 3, 1), date(year, 12, 31)):
            assert value(codec, payload(codec, day)) == day
