"""The messages that a server sends, one reader each: from a message's body to plain values.

The machine frames messages and reads only what it must; these readers are called by whoever asked for the contents.
Every count and length is checked by ReadBuffer. Formats: PostgreSQL manual, "Message Formats".
"""

from __future__ import annotations

from typing import NamedTuple

from stretto.errors import ProtocolError
from stretto.wire.buffer import ReadBuffer

NAMES = {
    "R": "Authentication",
    "K": "BackendKeyData",
    "2": "BindComplete",
    "3": "CloseComplete",
    "C": "CommandComplete",
    "d": "CopyData",
    "c": "CopyDone",
    "W": "CopyBothResponse",
    "G": "CopyInResponse",
    "H": "CopyOutResponse",
    "D": "DataRow",
    "I": "EmptyQueryResponse",
    "E": "ErrorResponse",
    "v": "NegotiateProtocolVersion",
    "n": "NoData",
    "N": "NoticeResponse",
    "A": "NotificationResponse",
    "t": "ParameterDescription",
    "S": "ParameterStatus",
    "1": "ParseComplete",
    "s": "PortalSuspended",
    "Z": "ReadyForQuery",
    "T": "RowDescription",
}


class ColumnDescription(NamedTuple):
    """One column of a RowDescription."""

    name: str
    table_oid: int
    attribute_number: int
    type_oid: int
    type_size: int
    type_modifier: int
    format: int


def row_description(body: bytes) -> tuple[ColumnDescription, ...]:
    """Read RowDescription ('T')."""
    buf = ReadBuffer(body)
    columns = []
    for _ in range(buf.read_uint16()):
        name = text(buf.read_cstring())
        table_oid = buf.read_uint32()
        attribute_number = buf.read_int16()
        type_oid = buf.read_uint32()
        type_size = buf.read_int16()
        type_modifier = buf.read_int32()
        columns.append(
            ColumnDescription(name, table_oid, attribute_number, type_oid, type_size, type_modifier, buf.read_int16())
        )
    _finished(buf, "RowDescription")
    return tuple(columns)


def columns_of(body: bytes | None) -> tuple[ColumnDescription, ...]:
    """Read RowDescription, or None for NoData."""
    return row_description(body) if body is not None else ()


def parameter_description(body: bytes) -> tuple[int, ...]:
    """Read ParameterDescription ('t'): the parameters' type OIDs."""
    buf = ReadBuffer(body)
    oids = tuple([buf.read_uint32() for _ in range(buf.read_uint16())])
    _finished(buf, "ParameterDescription")
    return oids


def fields(body: bytes) -> dict[str, str]:
    """Read ErrorResponse or NoticeResponse: the fields by their one-letter codes; what is not UTF-8 is replaced."""
    buf = ReadBuffer(body)
    found: dict[str, str] = {}
    while buf.remaining():
        code = buf.read_uint8()
        if code == 0:
            break
        found[chr(code)] = text(buf.read_cstring())
    return found


def says_goodbye(body: bytes) -> bool:
    """Tell whether a NoticeResponse says that the server goes as a whole, on an immediate stop or after a crash.

    Each session ends with it (``quickdie`` in PostgreSQL's postgres.c); a function may raise the same code by itself.
    """
    if b"quickdie" not in body:
        return False
    found = fields(body)
    return found.get("R") == "quickdie" and found.get("V") == "WARNING" and found.get("C") in ("57P01", "57P02")


def parameter_status(body: bytes) -> tuple[str, str]:
    """Read ParameterStatus ('S'): name and value."""
    buf = ReadBuffer(body)
    name = text(buf.read_cstring())
    value = text(buf.read_cstring())
    _finished(buf, "ParameterStatus")
    return name, value


def notification(body: bytes) -> tuple[int, str, str]:
    """Read NotificationResponse ('A'): the sender's process id, the channel, the payload."""
    buf = ReadBuffer(body)
    pid = buf.read_int32()
    channel = text(buf.read_cstring())
    payload = text(buf.read_cstring())
    _finished(buf, "NotificationResponse")
    return pid, channel, payload


def copy_response(body: bytes) -> tuple[int, list[int]]:
    """Read CopyInResponse or CopyOutResponse: the overall format (0 text, 1 binary) and the columns' formats."""
    buf = ReadBuffer(body)
    overall = buf.read_uint8()
    formats = [buf.read_int16() for _ in range(buf.read_uint16())]
    _finished(buf, "CopyResponse")
    return overall, formats


def command_tag(body: bytes) -> str:
    """Read CommandComplete ('C'): its tag, as ``INSERT 0 1``."""
    return text(ReadBuffer(body).read_cstring())


def text(raw: bytes) -> str:
    """Decode a string of the protocol; what is not UTF-8 is replaced, for it is only shown."""
    return raw.decode("utf-8", "replace")


def _finished(buf: ReadBuffer, name: str) -> None:
    if buf.remaining():
        raise ProtocolError(f"{buf.remaining()} bytes too many in a {name}")
