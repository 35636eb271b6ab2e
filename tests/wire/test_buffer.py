"""The buffers: every primitive at the ends of its range, and past the end of the bytes."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.errors import EncodeError, ProtocolError
from stretto.wire.buffer import MAX_MESSAGE, ReadBuffer, WriteBuffer

FLOAT4_MAX = 3.4028234663852886e38

# A primitive, its bytes, the value.
VALUES: list[tuple[str, str, Any]] = [
    ("uint8", "00", 0),
    ("uint8", "ff", 255),
    ("int16", "0000", 0),
    ("int16", "7fff", 32767),
    ("int16", "8000", -32768),
    ("int16", "ffff", -1),
    ("uint16", "0000", 0),
    ("uint16", "8000", 32768),
    ("uint16", "ffff", 65535),
    ("int32", "00000001", 1),
    ("int32", "7fffffff", 2**31 - 1),
    ("int32", "80000000", -(2**31)),
    ("int32", "ffffffff", -1),
    ("int32", "01020304", 0x01020304),
    ("uint32", "00000000", 0),
    ("uint32", "80000000", 2**31),
    ("uint32", "ffffffff", 2**32 - 1),
    ("int64", "0000000000000000", 0),
    ("int64", "7fffffffffffffff", 2**63 - 1),
    ("int64", "8000000000000000", -(2**63)),
    ("int64", "ffffffffffffffff", -1),
    ("int64", "00000000ffffffff", 2**32 - 1),
    ("int64", "ffffffff00000000", -(2**32)),
    ("int64", "0102030405060708", 0x0102030405060708),
    ("float4", "3fc00000", 1.5),
    ("float4", "80000000", -0.0),
    ("float4", "7f7fffff", FLOAT4_MAX),
    ("float4", "ff7fffff", -FLOAT4_MAX),
    ("float4", "00000001", 2.0**-149),
    ("float4", "7f800000", math.inf),
    ("float4", "ff800000", -math.inf),
    ("float8", "3ff8000000000000", 1.5),
    ("float8", "8000000000000000", -0.0),
    ("float8", "7fefffffffffffff", 1.7976931348623157e308),
    ("float8", "0000000000000001", 5e-324),
    ("float8", "7ff0000000000000", math.inf),
    ("float8", "fff0000000000000", -math.inf),
]

REFUSED: list[tuple[str, Any]] = [
    ("uint8", -1),
    ("uint8", 256),
    ("int16", -32769),
    ("int16", 32768),
    ("uint16", -1),
    ("uint16", 65536),
    ("int32", -(2**31) - 1),
    ("int32", 2**31),
    ("uint32", -1),
    ("uint32", 2**32),
    ("float4", 3.4028235677973366e38),
    ("float4", -3.4028235677973366e38),
    ("float4", 1e39),
    ("float4", 1e-60),
    ("float4", -(2.0**-150)),
]


def same(a: Any, b: Any) -> bool:
    return bool(a == b) and math.copysign(1, a) == math.copysign(1, b)


@pytest.mark.parametrize(("primitive", "data", "value"), VALUES)
def test_a_primitive_is_read(primitive: str, data: str, value: Any) -> None:
    buf = ReadBuffer(b"x" + bytes.fromhex(data) + b"x", 1)
    assert same(getattr(buf, f"read_{primitive}")(), value)
    assert buf.remaining() == 1


@pytest.mark.parametrize(("primitive", "data", "value"), VALUES)
def test_a_primitive_is_written(primitive: str, data: str, value: Any) -> None:
    buf = WriteBuffer(1)
    buf.write_bytes(b"x")
    getattr(buf, f"write_{primitive}")(value)
    assert buf.getvalue() == b"x" + bytes.fromhex(data)


@pytest.mark.parametrize(("primitive", "data"), sorted({(p, d) for p, d, _ in VALUES}))
def test_a_primitive_is_not_read_past_the_end(primitive: str, data: str) -> None:
    whole = bytes.fromhex(data)
    for count in range(len(whole)):
        buf = ReadBuffer(whole, 0, count)  # the bytes are there, but they belong to the next message
        with pytest.raises(ProtocolError, match="too early"):
            getattr(buf, f"read_{primitive}")()
        assert buf.pos in (0, 4)  # eight bytes are read as two fours


@pytest.mark.parametrize(("primitive", "value"), REFUSED)
def test_what_is_out_of_range_is_refused_and_nothing_written(primitive: str, value: Any) -> None:
    buf = WriteBuffer()
    with pytest.raises(EncodeError, match="out of range"):
        getattr(buf, f"write_{primitive}")(value)
    assert buf.getvalue() == b""


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**64])
def test_no_integer_wraps(value: int) -> None:
    buf = WriteBuffer()
    with pytest.raises((EncodeError, OverflowError)):
        buf.write_int64(value)
    assert buf.getvalue() == b""


@pytest.mark.parametrize("primitive", ["float4", "float8"])
def test_nan_stays_nan(primitive: str) -> None:
    buf = WriteBuffer()
    getattr(buf, f"write_{primitive}")(math.nan)
    assert math.isnan(getattr(ReadBuffer(buf.getvalue()), f"read_{primitive}")())


def test_a_float4_is_rounded_to_its_nearest() -> None:
    buf = WriteBuffer()
    buf.write_float4(0.1)
    assert buf.getvalue() == struct.pack("!f", 0.1)


COUNTS = [-1, -(2**31), 4, 0x7FFFFFFF, 0xFFFFFFFF]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("reader", ["require", "read_bytes", "read_text", "skip"])
def test_a_count_that_is_not_there_is_refused(reader: str, count: int) -> None:
    buf = ReadBuffer(b"abc")
    with pytest.raises(ProtocolError):
        getattr(buf, reader)(count)
    assert buf.pos == 0


RANGES = [(-1, 2), (3, 2), (0, 5), (5, 5), (-2, -1)]


@pytest.mark.parametrize(("start", "stop"), RANGES)
def test_a_range_that_is_not_there_is_refused(start: int, stop: int) -> None:
    buf = ReadBuffer(b"")
    with pytest.raises(ProtocolError, match="no such range"):
        buf.attach(b"abcd", start, stop)


def test_strings_are_read() -> None:
    buf = ReadBuffer("zoë\0\0rest".encode())
    assert (buf.read_cstring(), buf.read_cstring(), buf.read_text(4), buf.remaining()) == (
        "zoë".encode(),
        b"",
        "rest",
        0,
    )


def test_a_string_without_its_end_is_refused() -> None:
    buf = ReadBuffer(b"abc\0", 0, 3)  # the zero byte is another message's
    with pytest.raises(ProtocolError, match="terminating"):
        buf.read_cstring()


@pytest.mark.parametrize("data", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\x80"])
def test_text_that_is_not_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="UTF-8"):
        ReadBuffer(data).read_text(len(data))


def test_a_string_with_a_nul_is_not_written() -> None:
    with pytest.raises(EncodeError, match="NUL"):
        WriteBuffer().write_cstring(b"a\0b")


@pytest.mark.parametrize("count", [0, 1, 47, 48, 49, 255, 256, 257, 100_000])
def test_bytes_of_any_length_are_written(count: int) -> None:
    data = bytes(range(256)) * (count // 256 + 1)
    buf = WriteBuffer(8)
    buf.write_uint8(7)
    buf.write_bytes(data[:count])
    buf.write_uint8(8)
    assert buf.getvalue() == b"\x07" + data[:count] + b"\x08"


def test_lengths_are_filled_in() -> None:
    buf = WriteBuffer(1)
    message = buf.begin_length()
    value = buf.begin_length()
    buf.write_bytes(b"abc")
    buf.end_length(value)
    buf.end_message(message)
    assert buf.getvalue() == b"\0\0\0\x0b\0\0\0\3abc"


def test_what_was_written_can_be_forgotten() -> None:
    buf = WriteBuffer()
    buf.write_bytes(b"abcdef")
    buf.truncate(2)
    buf.write_bytes(b"x")
    assert buf.getvalue() == b"abx"
    for place in (-1, 4):
        with pytest.raises(ValueError, match="no such position"):
            buf.truncate(place)


def test_a_length_in_front_of_where_it_began_is_refused() -> None:
    buf = WriteBuffer()
    place = buf.begin_length()
    buf.truncate(0)
    with pytest.raises(EncodeError):
        buf.end_length(place)


def test_the_limit_of_a_message_is_the_servers() -> None:
    assert MAX_MESSAGE == 2**30 - 1


@given(st.lists(st.tuples(st.sampled_from(["int16", "int32", "int64"]), st.integers(-(2**15), 2**15 - 1))))
def test_what_is_written_is_read_back(values: list[tuple[str, int]]) -> None:
    buf = WriteBuffer(1)
    for primitive, value in values:
        getattr(buf, f"write_{primitive}")(value)
    back = ReadBuffer(buf.getvalue())
    assert [getattr(back, f"read_{primitive}")() for primitive, _ in values] == [value for _, value in values]
    assert back.remaining() == 0
