"""The messages as bytes: what the client says exactly, and what is read from the server's, malformed ones included."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from stretto.errors import EncodeError, ProtocolError
from stretto.wire import backend, frontend
from stretto.wire.backend import ColumnDescription
from stretto.wire.buffer import WriteBuffer

Say = Callable[[WriteBuffer], Any]


def bind(buf: WriteBuffer) -> None:
    place = frontend.begin_bind(buf, frontend.bind_head(b"p", b"s", [1, 1]))
    buf.write_int32(-1)
    value = buf.begin_length()
    buf.write_bytes(b"ab")
    buf.end_length(value)
    frontend.end_bind(buf, place, frontend.format_block([1, 1, 1]))


def copied(buf: WriteBuffer) -> None:
    place = frontend.begin_copy_data(buf)
    buf.write_bytes(b"row")
    buf.end_message(place)


SAID: dict[str, tuple[Say, str]] = {
    "Parse": (lambda buf: frontend.parse(buf, b"s", b"q"), "50 0000000a 7300 7100 0000"),
    "Parse, types": (
        lambda buf: frontend.parse(buf, b"", b"", (23, 0, 0xFFFFFFFF)),
        "50 00000014 00 00 0003 00000017 00000000 ffffffff",
    ),
    "Describe": (lambda buf: frontend.describe_statement(buf, b"s"), "44 00000007 53 7300"),
    "Bind": (bind, "42 0000001c 7000 7300 0001 0001 0002 ffffffff 00000002 6162 0001 0001"),
    "Execute": (lambda buf: frontend.execute(buf, b"p", 7), "45 0000000a 7000 00000007"),
    "Close, statement": (lambda buf: frontend.close_statement(buf, b"s"), "43 00000007 53 7300"),
    "Close, portal": (lambda buf: frontend.close_portal(buf, b"p"), "43 00000007 50 7000"),
    "Query": (lambda buf: frontend.query(buf, "é".encode()), "51 00000007 c3a900"),
    "CopyData": (lambda buf: frontend.copy_data(buf, b"row"), "64 00000007 726f77"),
    "CopyData, in parts": (copied, "64 00000007 726f77"),
    "CopyData, empty": (lambda buf: frontend.copy_data(buf, b""), "64 00000004"),
    "CopyFail": (lambda buf: frontend.copy_fail(buf, "no"), "66 00000007 6e6f00"),
    "CopyFail, NUL and surrogate": (lambda buf: frontend.copy_fail(buf, "a\0\ud800"), "66 00000008 613f3f00"),
    "Sync": (lambda buf: buf.write_bytes(frontend.SYNC), "53 00000004"),
    "Flush": (lambda buf: buf.write_bytes(frontend.FLUSH), "48 00000004"),
    "Terminate": (lambda buf: buf.write_bytes(frontend.TERMINATE), "58 00000004"),
    "CopyDone": (lambda buf: buf.write_bytes(frontend.COPY_DONE), "63 00000004"),
    "Execute of all": (lambda buf: buf.write_bytes(frontend.EXECUTE_ALL_SYNC), "45 00000009 00 00000000 53 00000004"),
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_said(case: str) -> None:
    say, data = SAID[case]
    buf = WriteBuffer(1)
    say(buf)
    assert buf.getvalue() == bytes.fromhex(data)


FORMATS = {
    "none": ([], "0000"),
    "one": ([1], "0001 0001"),
    "all text": ([0, 0], "0001 0000"),
    "all binary": ([1, 1, 1], "0001 0001"),
    "mixed": ([1, 0, 1], "0003 0001 0000 0001"),
}


@pytest.mark.parametrize("case", FORMATS)
def test_formats_are_said_shortly_where_they_are_one(case: str) -> None:
    formats, data = FORMATS[case]
    assert frontend.format_block(formats) == bytes.fromhex(data)


def test_a_long_reason_for_a_failed_copy_is_cut() -> None:
    buf = WriteBuffer()
    frontend.copy_fail(buf, "x" * 20_000)
    assert len(buf.getvalue()) == 1 + 4 + frontend.COPY_FAIL_LIMIT + 1


NUL = {
    "Parse, name": lambda buf: frontend.parse(buf, b"a\0", b""),
    "Parse, SQL": lambda buf: frontend.parse(buf, b"", b"a\0b"),
    "Query": lambda buf: frontend.query(buf, b"a\0b"),
    "Execute": lambda buf: frontend.execute(buf, b"a\0b", 0),
    "Close": lambda buf: frontend.close_statement(buf, b"a\0b"),
}


@pytest.mark.parametrize("case", NUL)
def test_nothing_is_smuggled_behind_a_nul(case: str) -> None:
    with pytest.raises(EncodeError, match="NUL"):
        NUL[case](WriteBuffer())


COLUMN = b"n\0" + struct.pack("!IhIhih", 0xFFFFFFFF, -1, 23, 4, -1, 1)
READ: dict[str, tuple[Callable[[bytes], Any], bytes, Any]] = {
    "RowDescription, none": (backend.row_description, b"\0\0", ()),
    "RowDescription": (
        backend.row_description,
        b"\0\2" + COLUMN + b"\xff\0" + COLUMN[2:],
        (
            ColumnDescription("n", 0xFFFFFFFF, -1, 23, 4, -1, 1),
            ColumnDescription("\ufffd", 0xFFFFFFFF, -1, 23, 4, -1, 1),
        ),
    ),
    "ParameterDescription": (backend.parameter_description, b"\0\2\0\0\0\x17\xff\xff\xff\xff", (23, 0xFFFFFFFF)),
    "ParameterDescription, none": (backend.parameter_description, b"\0\0", ()),
    "fields": (backend.fields, b"SERROR\0Mno\0\0", {"S": "ERROR", "M": "no"}),
    "fields, empty": (backend.fields, b"", {}),
    "fields, twice": (backend.fields, b"Ma\0Mb\0\0", {"M": "b"}),
    "fields, not UTF-8": (backend.fields, b"M\xff\0\0", {"M": "\ufffd"}),
    "fields without an end": (backend.fields, b"Mno\0", {"M": "no"}),
    "ParameterStatus": (backend.parameter_status, b"a\0b\0", ("a", "b")),
    "Notification": (backend.notification, b"\xff\xff\xff\xffc\0p\0", (-1, "c", "p")),
    "CopyResponse": (backend.copy_response, b"\1\0\2\0\1\0\0", (1, [1, 0])),
    "CommandComplete": (backend.command_tag, b"INSERT 0 1\0", "INSERT 0 1"),
}

MALFORMED: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "RowDescription, empty": (backend.row_description, b""),
    "RowDescription, fewer columns": (backend.row_description, b"\0\2" + COLUMN),
    "RowDescription, more columns": (backend.row_description, b"\0\1" + COLUMN * 2),
    "RowDescription, 65535 columns": (backend.row_description, b"\xff\xff" + COLUMN),
    "RowDescription, name without end": (backend.row_description, b"\0\1nnnn"),
    "ParameterDescription, empty": (backend.parameter_description, b""),
    "ParameterDescription, fewer": (backend.parameter_description, b"\0\2\0\0\0\x17"),
    "ParameterDescription, more": (backend.parameter_description, b"\0\0\0"),
    "fields, value without end": (backend.fields, b"Mno"),
    "ParameterStatus, no value": (backend.parameter_status, b"a\0"),
    "ParameterStatus, more": (backend.parameter_status, b"a\0b\0c"),
    "Notification, short": (backend.notification, b"\0\0\0"),
    "Notification, no payload": (backend.notification, b"\0\0\0\1c\0"),
    "Notification, more": (backend.notification, b"\0\0\0\1c\0p\0x"),
    "CopyResponse, empty": (backend.copy_response, b""),
    "CopyResponse, fewer": (backend.copy_response, b"\0\0\2\0\0"),
    "CopyResponse, more": (backend.copy_response, b"\0\0\0\0"),
    "CommandComplete, empty": (backend.command_tag, b""),
    "CommandComplete, without end": (backend.command_tag, b"SELECT"),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_read(case: str) -> None:
    read, body, value = READ[case]
    assert read(body) == value


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_bodies_are_refused(case: str) -> None:
    read, body = MALFORMED[case]
    with pytest.raises(ProtocolError):
        read(body)
