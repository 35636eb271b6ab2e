"""The start-up messages: their bytes, and what malformed ones are."""

from __future__ import annotations

from typing import Any

import pytest

from stretto.errors import EncodeError, ProtocolError
from stretto.wire import startup
from stretto.wire.buffer import ReadBuffer

MESSAGES = {
    "SSLRequest": (startup.ssl_request(), "00000008 04d2162f"),
    "CancelRequest": (startup.cancel_request(7, b"\1\2\3\4"), "00000010 04d2162e 00000007 01020304"),
    "CancelRequest, long key": (startup.cancel_request(-1, b"k" * 32), "0000002c 04d2162e ffffffff" + "6b" * 32),
    "StartupMessage 3.0": (startup.startup_message(0x30000, {"user": "ü"}), "00000011 00030000 7573657200 c3bc00 00"),
    "StartupMessage 3.2": (
        startup.startup_message(0x30002, {"a": "", "b": "c"}),
        "00000010 00030002 610000 62006300 00",
    ),
    "PasswordMessage": (startup.password_message(b"pw"), "70 00000007 707700"),
    "SASLInitialResponse": (startup.sasl_initial_response("M", b"xy"), "70 0000000c 4d00 00000002 7879"),
    "SASLResponse": (startup.sasl_response(b"xy"), "70 00000006 7879"),
    "Query": (startup.simple_query("x"), "51 00000006 7800"),
    "Terminate": (startup.terminate(), "58 00000004"),
}

REFUSED = {
    "NUL in a value": {"user": "zoe\0database\0other"},
    "NUL in a name": {"us\0er": "zoe"},
    "no name": {"": "ann"},
    "surrogate": {"user": "\ud800"},
    "too long": {"user": "x" * 10_000},
}

READ: dict[str, tuple[Any, bytes, Any]] = {
    "fields": (startup.read_fields, b"SFATAL\0C28P01\0Mno\0\0", {"S": "FATAL", "C": "28P01", "M": "no"}),
    "fields, none": (startup.read_fields, b"", {}),
    "fields, not UTF-8": (startup.read_fields, b"M\xff\0\0", {"M": "�"}),
    "parameter": (startup.read_parameter_status, b"TimeZone\0UTC\0", ("TimeZone", "UTC")),
    "key": (startup.read_backend_key_data, b"\0\0\0\7abcd", (7, b"abcd")),
    "longest key": (startup.read_backend_key_data, b"\0\0\0\7" + b"k" * 256, (7, b"k" * 256)),
    "version": (startup.read_negotiate_protocol_version, b"\0\3\0\0\0\0\0\0", (0x30000, [])),
    "version, the minor alone": (startup.read_negotiate_protocol_version, b"\0\0\0\2\0\0\0\0", (0x30002, [])),
    "version, options": (startup.read_negotiate_protocol_version, b"\0\3\0\0\0\0\0\1_pq_.x\0", (0x30000, ["_pq_.x"])),
    "mechanisms": (startup.read_mechanisms, b"A\0B\0\0", ["A", "B"]),
    "value": (startup.read_value, b"\0\1\0\0\0\2on", "on"),
}

MALFORMED: dict[str, tuple[Any, bytes]] = {
    "fields without an end": (startup.read_fields, b"Mno"),
    "fields and more": (startup.read_fields, b"Mno\0\0rest"),
    "parameter without a value": (startup.read_parameter_status, b"TimeZone\0"),
    "parameter and more": (startup.read_parameter_status, b"TimeZone\0UTC\0x"),
    "key of 3 bytes": (startup.read_backend_key_data, b"\0\0\0\7abc"),
    "key of 257 bytes": (startup.read_backend_key_data, b"\0\0\0\7" + b"k" * 257),
    "key without a process": (startup.read_backend_key_data, b"\0\0"),
    "version, negative count": (startup.read_negotiate_protocol_version, b"\0\3\0\0\xff\xff\xff\xff"),
    "version, huge count": (startup.read_negotiate_protocol_version, b"\0\3\0\0\x7f\xff\xff\xff"),
    "version, cut": (startup.read_negotiate_protocol_version, b"\0\3"),
    "mechanisms without an end": (startup.read_mechanisms, b"A\0"),
    "mechanisms and more": (startup.read_mechanisms, b"A\0\0B\0"),
    "NULL for a value": (startup.read_value, b"\0\1\xff\xff\xff\xff"),
    "two values": (startup.read_value, b"\0\2\0\0\0\1t\0\0\0\1t"),
    "value shorter than it says": (startup.read_value, b"\0\1\0\0\0\5on"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_has_its_bytes(name: str) -> None:
    actual, expected = MESSAGES[name]
    assert actual == bytes.fromhex(expected)


@pytest.mark.parametrize("name", REFUSED)
def test_a_startup_parameter_that_cannot_be_sent_is_refused_without_showing_it(name: str) -> None:
    with pytest.raises(EncodeError) as caught:
        startup.startup_message(0x30000, REFUSED[name])
    assert "zoe" not in str(caught.value)


@pytest.mark.parametrize("name", READ)
def test_a_message_is_read(name: str) -> None:
    read, body, expected = READ[name]
    buf = ReadBuffer(body)
    assert read(buf) == expected
    assert buf.remaining() == 0


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_is_a_protocol_error(name: str) -> None:
    read, body = MALFORMED[name]
    with pytest.raises(ProtocolError):
        read(ReadBuffer(body))
