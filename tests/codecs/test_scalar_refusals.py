"""What does not fit is refused before a byte is sent, without showing it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.codecs.support import CODECS, payload

from stretto.codecs.values import INFINITY, Interval, Path
from stretto.errors import EncodeError

RANGES = [
    ("int2", -0x8000, 0x7FFF),
    ("int4", -0x80000000, 0x7FFFFFFF),
    ("int8", -0x8000000000000000, 0x7FFFFFFFFFFFFFFF),
    ("money", -0x8000000000000000, 0x7FFFFFFFFFFFFFFF),
    ("oid", 0, 0xFFFFFFFF),
    ("regtype", 0, 0xFFFFFFFF),
    ("xid", 0, 0xFFFFFFFF),
    ("cid", 0, 0xFFFFFFFF),
    ("xid8", 0, 0xFFFFFFFFFFFFFFFF),
    ("pg_lsn", 0, 0xFFFFFFFFFFFFFFFF),
]


@pytest.mark.parametrize(("name", "low", "high"), RANGES)
def test_integers_end_where_their_type_ends(name: str, low: int, high: int) -> None:
    codec = CODECS[name]
    assert payload(codec, low)
    assert payload(codec, high)
    for beyond in (low - 1, high + 1, 2**64, -(2**64), 10**30, -(10**30)):
        if not low <= beyond <= high:
            with pytest.raises(EncodeError, match=f"out of range for {name}"):
                payload(codec, beyond)


LONG = Decimal("1" * 131073)
TOO_FAR = [
    ("float4", 3.5e38),
    ("float4", -(10**39)),
    ("float8", 10**400),
    ("float8", Decimal("1e400")),
    ("float8", Decimal("-1e400")),
    ("float8", Decimal("1e-400")),
    ("float8", Fraction(1, 10**400)),
    ("float4", Decimal("1e400")),
    ("float4", Decimal("1e-400")),
    ("float4", 1e-60),
    ("float4", -1e-60),
    ("float4", 2.0**-150),
    ("point", (Decimal("1e400"), 0)),
    ("circle", ((0, 0), Decimal("1e-400"))),
    ("numeric", LONG),
    ("numeric", Decimal("1E+131072")),
    ("numeric", Decimal("1E+999999")),
    ("numeric", Decimal("1E-16384")),
    ("numeric", Decimal("0E-16384")),
    ("numeric", 10**131072),
    ("numeric", 10**140000),
    ("tid", (0x100000000, 0)),
    ("tid", (0, 0x10000)),
    ("tid", (0, -1)),
    ("interval", Interval(0, 2**31, 0)),
    ("interval", Interval(2**31, 0, 0)),
    ("interval", Interval(0, 0, 2**63)),
    ("pg_snapshot", (-1, 0, ())),
]


@pytest.mark.parametrize(("name", "value"), TOO_FAR, ids=[name for name, _ in TOO_FAR])
def test_values_beyond_their_type(name: str, value: Any) -> None:
    with pytest.raises(EncodeError, match="out of range"):
        payload(CODECS[name], value)


# (type, a value of a class that it does not take, what the error says)
REFUSED = [
    ("bool", 1, "a bool, not int"),
    ("bool", "true", "a bool, not str"),
    ("int4", True, "an int, not bool"),
    ("int4", 1.0, "an int, not float"),
    ("int4", Decimal(1), "an int, not Decimal"),
    ("int4", "1", "an int, not str"),
    ("int8", None, "an int, not NoneType"),
    ("oid", True, "an int, not bool"),
    ("xid8", True, "an int, not bool"),
    ("xid8", "1", "an int, not str"),
    ("regclass", "pg_class", r"\$1::text::regclass"),
    ("money", Decimal("1.00"), "an int, not Decimal"),
    ("float8", True, "a float, not bool"),
    ("float8", "1.0", "a float, not str"),
    ("float4", 1j, "a float, not complex"),
    ("numeric", True, "a Decimal, an int or a float, not bool"),
    ("numeric", "1.0", "a Decimal, an int or a float, not str"),
    ("text", 1, "a str, not int"),
    ("text", b"x", "a str, not bytes"),
    ("text", "a\0b", "no NUL"),
    ("text", "\ud800", "no lone surrogate"),
    ("name", "a\0", "no NUL"),
    ("jsonpath", "\udfff", "no lone surrogate"),
    ("tsquery", "a\0", "no NUL"),
    ("char", "ab", "one ASCII character"),
    ("char", "é", "one ASCII character"),
    ("char", "\\477", "one ASCII character"),
    ("char", "\\3777", "one ASCII character"),
    ("char", "\0", "no NUL"),
    ("bytea", "x", "bytes, a bytearray or a memoryview, not str"),
    ("bytea", 5, "bytes, a bytearray or a memoryview, not int"),
    ("bytea", [1, 2], "bytes, a bytearray or a memoryview, not list"),
    ("uuid", 5, "a UUID or a str, not int"),
    ("uuid", "not one", "32 hexadecimal digits"),
    ("json", {1, 2}, "not JSON serializable"),
    ("json", Decimal(1), "not JSON serializable"),
    ("json", float("nan"), "not JSON compliant"),
    ("jsonb", float("-inf"), "not JSON compliant"),
    ("jsonb", ["a\0b"], "no NUL"),
    ("jsonb", {"\0": 1}, "no NUL"),
    ("jsonb", "\\\0", "no NUL"),
    ("json", "\ud800", "no lone surrogate"),
    ("jsonb", ["\udc00"], "no lone surrogate"),
    ("date", datetime(2024, 1, 1), "a date, not datetime"),
    ("date", "2024-01-01", "a date, not str"),
    ("time", datetime(2024, 1, 1), "a time, not datetime"),
    ("time", time(1, tzinfo=UTC), "without a time zone"),
    ("timetz", time(1), "a time with a time zone"),
    ("timetz", time(1, tzinfo=ZoneInfo("Europe/Berlin")), "a time with a time zone"),
    ("timetz", time(1, tzinfo=timezone(timedelta(microseconds=1))), "whole seconds"),
    ("timetz", 1, "a time with a time zone"),
    ("timestamp", datetime(2024, 1, 1, tzinfo=UTC), "a naive datetime"),
    ("timestamp", 5, "a datetime, not int"),
    ("timestamptz", datetime(2024, 1, 1), "a datetime with a time zone"),
    ("timestamptz", date(2024, 1, 1), "a datetime with a time zone"),
    ("timestamptz", "now", "a datetime, not str"),
    ("time", INFINITY, "a time, not Infinity"),
    ("interval", 5, "a timedelta or an Interval, not int"),
    ("interval", Interval(2**31 - 1, 2**31 - 1, 2**63 - 1), "use INFINITY"),
    ("interval", Interval(True, 0, 0), "an int, not bool"),
    ("bit", 5, "a BitString, or a str of 0 and 1, not int"),
    ("bit", "012", "a str of 0 and 1"),
    ("inet", "300.0.0.1", "this str is none"),
    ("inet", 5, "an ipaddress address or interface, or a str, not int"),
    ("inet", ip_network("10.0.0.0/8"), "not IPv4Network"),
    ("inet", ip_address("fe80::1%eth0"), "no scope"),
    ("inet", "fe80::1%eth0", "no scope"),
    ("inet", "fe80::1%eth0/64", "no scope"),
    ("inet", ip_interface("fe80::1%eth0/64"), "no scope"),
    ("cidr", "fe80::%eth0/64", "no scope"),
    ("cidr", ip_network("fe80::%eth0/64"), "no scope"),
    ("cidr", "10.0.0.1/8", "this str is none"),
    ("cidr", ip_interface("10.0.0.1/8"), "not IPv4Interface"),
    ("macaddr", "08:00:2b:01:02", "12 hexadecimal digits"),
    ("macaddr", "08:00:2b:01:02:03:04:05", "12 hexadecimal digits"),
    ("macaddr8", "08:00:2b:01:02:03", "16 hexadecimal digits"),
    ("macaddr", "08:00:2b:01:02:0 ", "12 hexadecimal digits"),
    ("macaddr", "0:80:02b:01:02:03", "12 hexadecimal digits"),
    ("macaddr", "08-00:2b:01:02:03", "12 hexadecimal digits"),
    ("macaddr", "", "12 hexadecimal digits"),
    ("macaddr", 5, "a str, not int"),
    ("point", (1.0,), "a tuple of 2 parts"),
    ("point", ("1", 2.0), "a float, not str"),
    ("point", 5, "a tuple of 2 parts"),
    ("line", (1, 2), "a tuple of 3 parts"),
    ("circle", ((1, 2), True), "a float, not bool"),
    ("path", 5, "a Path, not int"),
    ("polygon", Path((1, 2)), "a Polygon, not Path"),
    ("polygon", [(1, 2, 3)], "a tuple of 2 parts"),
    ("tid", [1, 2], "a tuple"),
    ("tid", (1, 2, 3), "a tuple"),
    ("pg_lsn", "16/B374D8480", "a str like"),
    ("pg_lsn", "16", "a str like"),
    ("pg_lsn", "+1/ 1", "a str like"),
    ("pg_snapshot", "10:20:", "a Snapshot, not str"),
    ("void", 1, "takes no value"),
]


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_values_of_another_kind(name: str, value: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        payload(CODECS[name], value)


def test_json_may_hold_an_escaped_backslash_before_u0000() -> None:
    assert payload(CODECS["jsonb"], "\\u0000") == b'\x01"\\\\u0000"'
    assert payload(CODECS["json"], "\0") == b'"\\u0000"'


def test_deep_json_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(EncodeError, match="nested too deeply"):
        payload(CODECS["json"], deep)


SECRET = "canary-4711"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("int4", SECRET),
        ("text", SECRET + "\0"),
        ("text", SECRET + "\ud800"),
        ("uuid", SECRET),
        ("inet", SECRET),
        ("cidr", SECRET),
        ("macaddr", SECRET),
        ("bit", SECRET),
        ("pg_lsn", SECRET),
        ("char", SECRET),
        ("json", {SECRET: SECRET + "\ud800"}),
        ("jsonb", [SECRET, "\0"]),
        ("int8", 4711 * 10**30),
        ("float4", 4711e50),
    ],
)
def test_an_error_does_not_show_the_value(name: str, value: Any) -> None:
    with pytest.raises(EncodeError) as caught:
        payload(CODECS[name], value)
    assert "4711" not in str(caught.value)
    assert caught.value.__cause__ is None
