"""Values, payloads and the way between them, for the tests of the codecs."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any
from uuid import UUID

from stretto.codecs.base import Codec, decode_value
from stretto.codecs.scalars import scalar_codecs
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
from stretto.wire.buffer import ReadBuffer, WriteBuffer

CODECS: dict[str, Codec] = {codec.name: codec for codec in scalar_codecs()}
SENTINELS: dict[str, Codec] = {codec.name: codec for codec in scalar_codecs(infinity="sentinel")}
REG = [name for name in CODECS if name.startswith("reg")]


def payload(codec: Codec, value: Any) -> bytes:
    """What a codec writes."""
    buf = WriteBuffer(1)
    codec.encode(buf, value)
    return buf.getvalue()


def value(codec: Codec, data: bytes, tail: bytes = b"") -> Any:
    """What a codec reads, from a buffer with the length before and ``tail`` behind the value."""
    return decode_value(codec, ReadBuffer(len(data).to_bytes(4, "big") + data + tail))


# (type, value, payload in hexadecimal): both directions
GOLDEN: list[tuple[str, Any, str]] = [
    ("bool", True, "01"),
    ("bool", False, "00"),
    ("int2", -0x8000, "8000"),
    ("int2", 0x7FFF, "7fff"),
    ("int4", 1, "00000001"),
    ("int4", -1, "ffffffff"),
    ("int4", -0x80000000, "80000000"),
    ("int4", 0x7FFFFFFF, "7fffffff"),
    ("int8", 0x100000000, "0000000100000000"),
    ("int8", -0x8000000000000000, "8000000000000000"),
    ("int8", 0x7FFFFFFFFFFFFFFF, "7fffffffffffffff"),
    ("money", -123, "ffffffffffffff85"),
    ("float4", 1.5, "3fc00000"),
    ("float4", float("-inf"), "ff800000"),
    ("float8", 1.5, "3ff8000000000000"),
    ("float8", 5e-324, "0000000000000001"),
    ("float8", float("inf"), "7ff0000000000000"),
    ("numeric", Decimal("0"), "0000000000000000"),
    ("numeric", Decimal("0.00"), "0000000000000002"),
    ("numeric", Decimal("1"), "00010000000000000001"),
    ("numeric", Decimal("1.10"), "0002000000000002000103e8"),
    ("numeric", Decimal("1.1"), "0002000000000001000103e8"),
    ("numeric", Decimal("-12345.67"), "0003000140000002000109291a2c"),
    ("numeric", Decimal("0.0001"), "0001ffff000000040001"),
    ("numeric", Decimal("0.00001"), "0001fffe0000000503e8"),
    ("numeric", Decimal("10000"), "00010001000000000001"),
    ("numeric", Decimal("9999999999999999"), "0004000300000000" + "270f" * 4),
    ("numeric", Decimal("123456789012345678901234567890.5"), "0009000700000001000c0d801ed204d2162e23340d801ed21388"),
    ("numeric", Decimal("Infinity"), "00000000d0000000"),
    ("numeric", Decimal("-Infinity"), "00000000f0000000"),
    ("text", "", ""),
    ("text", "größe 🐘", "6772c3b6c39f6520f09f9098"),
    ("varchar", "a", "61"),
    ("bpchar", "a  ", "612020"),
    ("name", "pg_class", "70675f636c617373"),
    ("xml", "<a/>", "3c612f3e"),
    ("unknown", "x", "78"),
    ("cstring", "x", "78"),
    ("refcursor", "c", "63"),
    ("char", "r", "72"),
    ("char", "", "00"),
    ("char", "\\377", "ff"),
    ("char", "\\200", "80"),
    ("bytea", bytes(range(256)), bytes(range(256)).hex()),
    ("bytea", b"", ""),
    ("jsonpath", '$."a"', "01242e226122"),
    ("uuid", UUID("12345678-9abc-def0-8123-456789abcdef"), "123456789abcdef08123456789abcdef"),
    ("uuid", UUID(int=2**128 - 1), "ff" * 16),
    ("json", {"a": [1, None, "ö"]}, "7b2261223a5b312c6e756c6c2c22c3b6225d7d"),
    ("jsonb", {"a": [1, None, "ö"]}, "017b2261223a5b312c6e756c6c2c22c3b6225d7d"),
    ("jsonb", "plain", "0122706c61696e22"),
    ("jsonb", 10**30, "01" + b"1000000000000000000000000000000".hex()),
    ("date", date(2000, 1, 1), "00000000"),
    ("date", date(1999, 12, 31), "ffffffff"),
    ("date", date.min, "fff4dbf9"),
    ("date", date.max, "002c95d3"),
    ("time", time(0), "0000000000000000"),
    ("time", time.max, "000000141dd75fff"),
    ("timetz", time(1, 2, 3, tzinfo=timezone(timedelta(hours=15, minutes=59, seconds=59))), "00000000dde878c0ffff1f01"),
    ("timetz", time(0, tzinfo=UTC), "000000000000000000000000"),
    ("timestamp", datetime(2000, 1, 1), "0000000000000000"),
    ("timestamp", datetime(1999, 12, 31, 23, 59, 59, 999999), "ffffffffffffffff"),
    ("timestamp", datetime.min, "ff1fe2ffc59c6000"),
    ("timestamp", datetime.max, "0380e70b913b7fff"),
    ("timestamptz", datetime(2000, 1, 1, 0, 0, 1, tzinfo=UTC), "00000000000f4240"),
    ("timestamptz", datetime.max.replace(tzinfo=UTC), "0380e70b913b7fff"),
    ("interval", timedelta(days=3, seconds=4, microseconds=5), "00000000003d09050000000300000000"),
    ("interval", timedelta(hours=-1), "ffffffff296c5c000000000000000000"),
    ("interval", Interval(14, -3, 5), "0000000000000005fffffffd0000000e"),
    ("bit", BitString("1010101011"), "0000000aaac0"),
    ("varbit", BitString(""), "00000000"),
    ("inet", IPv4Address("1.2.3.4"), "0220000401020304"),
    ("inet", IPv4Interface("1.2.3.4/24"), "0218000401020304"),
    ("inet", IPv6Address("::1"), "03800010" + "00" * 15 + "01"),
    ("inet", IPv6Interface("fe80::1/64"), "03400010fe80" + "00" * 13 + "01"),
    ("cidr", IPv4Network("10.0.0.0/8"), "020801040a000000"),
    ("cidr", IPv6Network("::/0"), "03000110" + "00" * 16),
    ("macaddr", "08:00:2b:01:02:03", "08002b010203"),
    ("macaddr8", "08:00:2b:01:02:03:04:05", "08002b0102030405"),
    ("point", Point(1.0, 2.0), "3ff00000000000004000000000000000"),
    ("line", Line(1.0, 2.0, -1.0), "3ff00000000000004000000000000000bff0000000000000"),
    (
        "lseg",
        LineSegment(Point(1.0, 2.0), Point(2.0, 1.0)),
        "3ff0000000000000" + "4000000000000000" * 2 + "3ff0000000000000",
    ),
    ("box", Box(Point(2.0, 2.0), Point(1.0, 1.0)), "4000000000000000" * 2 + "3ff0000000000000" * 2),
    ("circle", Circle(Point(1.0, 2.0), 2.0), "3ff0000000000000" + "4000000000000000" * 2),
    ("path", Path((1.0, 2.0)), "00000000013ff00000000000004000000000000000"),
    ("path", Path((1.0, 2.0), is_closed=True), "01000000013ff00000000000004000000000000000"),
    ("polygon", Polygon((1.0, 2.0)), "000000013ff00000000000004000000000000000"),
    ("oid", 0xFFFFFFFF, "ffffffff"),
    ("regclass", 1259, "000004eb"),
    ("xid", 0x80000000, "80000000"),
    ("cid", 7, "00000007"),
    ("xid8", 0xFFFFFFFFFFFFFFFF, "ffffffffffffffff"),
    ("xid8", 0x100000000, "0000000100000000"),
    ("tid", (0xFFFFFFFF, 0xFFFF), "ffffffffffff"),
    ("pg_lsn", "16/B374D848", "00000016b374d848"),
    ("pg_lsn", "FFFFFFFF/FFFFFFFF", "ffffffffffffffff"),
    (
        "pg_snapshot",
        Snapshot(10, 20, (10, 14)),
        "00000002" + "000000000000000a" + "0000000000000014" + "000000000000000a" + "000000000000000e",
    ),
    ("txid_snapshot", Snapshot(10, 10, ()), "00000000" + "000000000000000a" * 2),
    ("tsvector", "'a':1A 'b'", "2761273a314120276227"),
]

INFINITE: list[tuple[str, Any, str]] = [
    ("date", INFINITY, "7fffffff"),
    ("date", -INFINITY, "80000000"),
    ("timestamp", INFINITY, "7fffffffffffffff"),
    ("timestamp", -INFINITY, "8000000000000000"),
    ("timestamptz", INFINITY, "7fffffffffffffff"),
    ("timestamptz", -INFINITY, "8000000000000000"),
    ("interval", INFINITY, "7fffffffffffffff7fffffff7fffffff"),
    ("interval", -INFINITY, "80000000000000008000000080000000"),
]
