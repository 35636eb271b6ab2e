"""The messages that a client sends, one function each: each appends itself to the WriteBuffer it is given.

Formats: PostgreSQL manual, "Message Formats". The start-up and authentication messages are in ``wire.startup``;
Bind is ``begin_bind`` and ``end_bind`` around the values that the caller encodes.
"""

from __future__ import annotations

from stretto.wire.buffer import WriteBuffer

SYNC = b"S\x00\x00\x00\x04"
FLUSH = b"H\x00\x00\x00\x04"
TERMINATE = b"X\x00\x00\x00\x04"
COPY_DONE = b"c\x00\x00\x00\x04"
EXECUTE_ALL = b"E\x00\x00\x00\x09\x00\x00\x00\x00\x00"  # the unnamed portal, no limit of rows
EXECUTE_ALL_SYNC = EXECUTE_ALL + SYNC

# PostgreSQL 18 reads at most 30,000 bytes of a CopyFail (PQ_SMALL_MESSAGE_LIMIT 10,000 before); longer ones hang it.
COPY_FAIL_LIMIT = 8000


def parse(buf: WriteBuffer, name: bytes, sql: bytes, oids: tuple[int, ...] = ()) -> None:
    """Parse: prepare ``sql`` under ``name``; an OID of 0, or none, leaves the type to the server."""
    place = _begin(buf, 0x50)
    buf.write_cstring(name)
    buf.write_cstring(sql)
    buf.write_uint16(len(oids))
    for oid in oids:
        buf.write_uint32(oid)
    buf.end_message(place)


def describe_statement(buf: WriteBuffer, name: bytes) -> None:
    """Describe, of a statement: answered by ParameterDescription and RowDescription or NoData."""
    place = _begin(buf, 0x44)
    buf.write_bytes(b"S")
    buf.write_cstring(name)
    buf.end_message(place)


def begin_bind(buf: WriteBuffer, head: bytes) -> int:
    """Bind, up to its values. ``head`` is what ``bind_head`` made; returns the place for ``end_bind``."""
    place = _begin(buf, 0x42)
    buf.write_bytes(head)
    return place


def end_bind(buf: WriteBuffer, place: int, tail: bytes) -> None:
    """End a Bind behind its values; ``tail`` is what ``format_block`` made of the result's formats."""
    buf.write_bytes(tail)
    buf.end_message(place)


def bind_head(portal: bytes, statement: bytes, formats: list[int]) -> bytes:
    """Make the part of a Bind that is the same for each execution: the names, the parameters' formats, their number."""
    buf = WriteBuffer()
    buf.write_cstring(portal)
    buf.write_cstring(statement)
    buf.write_bytes(format_block(formats))
    buf.write_uint16(len(formats))
    return buf.getvalue()


def format_block(formats: list[int]) -> bytes:
    """Make a counted list of format codes, in its shorter form where all are one."""
    buf = WriteBuffer()
    short = formats[:1] if len(set(formats)) == 1 else formats
    buf.write_uint16(len(short))
    for code in short:
        buf.write_uint16(code)
    return buf.getvalue()


def execute(buf: WriteBuffer, portal: bytes, limit: int) -> None:
    """Execute: run a portal up to ``limit`` rows; 0 is no limit."""
    place = _begin(buf, 0x45)
    buf.write_cstring(portal)
    buf.write_int32(limit)
    buf.end_message(place)


def close_statement(buf: WriteBuffer, name: bytes) -> None:
    """Close, of a statement: answered by CloseComplete, whether it was there or not."""
    place = _begin(buf, 0x43)
    buf.write_bytes(b"S")
    buf.write_cstring(name)
    buf.end_message(place)


def close_portal(buf: WriteBuffer, name: bytes) -> None:
    """Close, of a portal."""
    place = _begin(buf, 0x43)
    buf.write_bytes(b"P")
    buf.write_cstring(name)
    buf.end_message(place)


def query(buf: WriteBuffer, sql: bytes) -> None:
    """Query: the simple protocol; several statements may stand in ``sql``. It needs no Sync."""
    place = _begin(buf, 0x51)
    buf.write_cstring(sql)
    buf.end_message(place)


def begin_copy_data(buf: WriteBuffer) -> int:
    """CopyData, up to its contents; its length is filled in by ``buf.end_message``."""
    return _begin(buf, 0x64)


def copy_data(buf: WriteBuffer, data: bytes) -> None:
    """CopyData."""
    place = _begin(buf, 0x64)
    buf.write_bytes(data)
    buf.end_message(place)


def copy_fail(buf: WriteBuffer, reason: str) -> None:
    """CopyFail; a long reason is cut, for the server does not read it."""
    place = _begin(buf, 0x66)
    buf.write_cstring(reason.replace("\0", "?").encode("utf-8", "replace")[:COPY_FAIL_LIMIT])
    buf.end_message(place)


def _begin(buf: WriteBuffer, tag: int) -> int:
    buf.write_uint8(tag)
    return buf.begin_length()
