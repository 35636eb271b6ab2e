"""The server's own types: oid, the reg* types, xid, cid, xid8, tid, pg_lsn, pg_snapshot, void.

Numbers are ints; the reg* types too: they are OIDs on the wire, and their names are a cast away (``x::text``,
``$1::text::regclass``). A tid is a tuple ``(block, offset)``, a pg_lsn a str as the server writes it (``16/B374D848``;
an int is taken too), a pg_snapshot a ``values.Snapshot``, void is None.
"""

from __future__ import annotations

from typing import Any

from stretto.codecs.base import Codec, wrong_type
from stretto.codecs.checks import bounded, malformed, unsigned64
from stretto.codecs.values import Snapshot
from stretto.errors import EncodeError
from stretto.wire.buffer import ReadBuffer, WriteBuffer


class UInt4(Codec):
    """oid, xid, cid and an int from 0 to 4294967295."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        buf.write_uint32(bounded(self, value, 0, 0xFFFFFFFF))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_uint32()


class Reg(UInt4):
    """regclass and its kin, and the OID."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if isinstance(value, str):
            raise EncodeError(f"{self.name} takes an int, an OID: to give the name, write $1::text::{self.name}")
        buf.write_uint32(bounded(self, value, 0, 0xFFFFFFFF))


class UInt8(Codec):
    """xid8 and an int from 0 to 2**64 - 1."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        write_uint64(buf, unsigned64(self, value))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return read_uint64(buf)


class Tid(Codec):
    """tid and a tuple: the block and the row's place in it."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if not isinstance(value, tuple) or len(value) != 2:
            raise wrong_type(self, "a tuple (block, offset)", value)
        block = bounded(self, value[0], 0, 0xFFFFFFFF)
        offset = bounded(self, value[1], 0, 0xFFFF)
        buf.write_uint32(block)
        buf.write_uint16(offset)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        block = buf.read_uint32()
        return block, buf.read_uint16()


class Lsn(Codec):
    """pg_lsn and its text."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        write_uint64(buf, lsn_of(self, value) if isinstance(value, str) else unsigned64(self, value))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        high = buf.read_uint32()
        return f"{high:X}/{buf.read_uint32():X}"


class SnapshotCodec(Codec):
    """pg_snapshot (and txid_snapshot) and a Snapshot or another tuple ``(xmin, xmax, active)``."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if not isinstance(value, tuple) or len(value) != 3:
            raise wrong_type(self, "a Snapshot", value)
        xmin, xmax, active = value
        active = tuple(active)
        buf.write_int32(len(active))
        for xid in (xmin, xmax, *active):
            buf.write_int64(bounded(self, xid, 0, 0x7FFFFFFFFFFFFFFF))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        size = buf.read_int32()
        if size < 0 or count != 20 + 8 * size:
            raise malformed(self, f"{size} transactions in {count} bytes")
        xmin = buf.read_int64()
        xmax = buf.read_int64()
        return Snapshot(xmin, xmax, tuple([buf.read_int64() for _ in range(size)]))


class Void(Codec):
    """void, the result of functions that have none, and None."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        raise EncodeError("void takes no value")

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        buf.skip(count)


def lsn_of(codec: Codec, text: str) -> int:
    """Read the two hexadecimal halves of a pg_lsn."""
    high, _, low = text.partition("/")
    for half in (high, low):
        if not 1 <= len(half) <= 8 or half.strip("0123456789abcdefABCDEF"):
            raise EncodeError(f"{codec.name} takes a str like '16/B374D848', or an int")
    return int(high, 16) << 32 | int(low, 16)


def read_uint64(buf: ReadBuffer) -> Any:
    high = buf.read_uint32()
    low = buf.read_uint32()
    return high << 32 | low


def write_uint64(buf: WriteBuffer, value: Any) -> None:
    buf.write_uint32(value >> 32)
    buf.write_uint32(value & 0xFFFFFFFF)
