"""The messages that make a connection: what the client says before the session is there, and the server's answers.

For ``flows.connect``, ``authenticate`` and ``cancel``. The writers return whole messages, the readers take the body of
one message and consume all of it. Text from a server that has not proved who it is may be anything, so it is decoded
with replacement. Source: PostgreSQL manual, "Message Formats". Not compiled: a connection is made rarely.
"""

from __future__ import annotations

from collections.abc import Mapping

from stretto.errors import EncodeError, ProtocolError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

# The types of the server's messages that may come before the first ReadyForQuery, or answer a simple query.
AUTHENTICATION = 0x52  # R
BACKEND_KEY_DATA = 0x4B  # K
COMMAND_COMPLETE = 0x43  # C
DATA_ROW = 0x44  # D
ERROR_RESPONSE = 0x45  # E
NEGOTIATE_PROTOCOL_VERSION = 0x76  # v
NOTICE_RESPONSE = 0x4E  # N
PARAMETER_STATUS = 0x53  # S
READY_FOR_QUERY = 0x5A  # Z
ROW_DESCRIPTION = 0x54  # T

# What an Authentication message asks for.
AUTH_OK = 0
AUTH_KERBEROS_V5 = 2
AUTH_CLEARTEXT = 3
AUTH_MD5 = 5
AUTH_SCM = 6
AUTH_GSS = 7
AUTH_GSS_CONTINUE = 8
AUTH_SSPI = 9
AUTH_SASL = 10
AUTH_SASL_CONTINUE = 11
AUTH_SASL_FINAL = 12

SSL_ACCEPTED = 0x53  # S, alone and without a length
SSL_REFUSED = 0x4E  # N

_SSL_REQUEST = 80877103
_CANCEL_REQUEST = 80877102
_PASSWORD = 0x70  # p, for passwords and SASL
_QUERY = 0x51  # Q
_TERMINATE = 0x58  # X

MAX_STARTUP = 10_000  # the server takes no longer start-up packet (MAX_STARTUP_PACKET_LENGTH)
MIN_SECRET, MAX_SECRET = 4, 256  # bytes of a cancel key; 4 always in protocol 3.0


def ssl_request() -> bytes:
    """Make an SSLRequest; it is answered by one byte, SSL_ACCEPTED or SSL_REFUSED."""
    buf = WriteBuffer()
    buf.write_int32(8)
    buf.write_int32(_SSL_REQUEST)
    return buf.getvalue()


def startup_message(version: int, parameters: Mapping[str, str]) -> bytes:
    """Make a StartupMessage for a protocol version as on the wire; raises EncodeError for what can't be sent."""
    buf = WriteBuffer()
    place = buf.begin_length()
    buf.write_int32(version)
    for name, value in parameters.items():
        if not name:
            raise EncodeError("a start-up parameter has no name")
        buf.write_cstring(encode_text(name, "the name of a start-up parameter"))
        buf.write_cstring(encode_text(value, f"the start-up parameter {name!r}"))
    buf.write_uint8(0)
    buf.end_message(place)
    if buf.pos > MAX_STARTUP:
        raise EncodeError(f"the start-up parameters take {buf.pos} bytes, and the server takes {MAX_STARTUP}")
    return buf.getvalue()


def password_message(password: bytes) -> bytes:
    """Make a PasswordMessage: a password in clear text, or its md5 digest."""
    buf = WriteBuffer()
    buf.write_uint8(_PASSWORD)
    place = buf.begin_length()
    buf.write_cstring(password)
    buf.end_message(place)
    return buf.getvalue()


def sasl_initial_response(mechanism: str, response: bytes) -> bytes:
    """Make a SASLInitialResponse: the mechanism chosen and the client's first message in it."""
    buf = WriteBuffer()
    buf.write_uint8(_PASSWORD)
    place = buf.begin_length()
    buf.write_cstring(mechanism.encode("ascii"))
    length = buf.begin_length()
    buf.write_bytes(response)
    buf.end_length(length)
    buf.end_message(place)
    return buf.getvalue()


def sasl_response(response: bytes) -> bytes:
    """Make a SASLResponse."""
    buf = WriteBuffer()
    buf.write_uint8(_PASSWORD)
    place = buf.begin_length()
    buf.write_bytes(response)
    buf.end_message(place)
    return buf.getvalue()


def cancel_request(pid: int, secret: bytes) -> bytes:
    """Make a CancelRequest for the session that BackendKeyData named so."""
    buf = WriteBuffer()
    place = buf.begin_length()
    buf.write_int32(_CANCEL_REQUEST)
    buf.write_int32(pid)
    buf.write_bytes(secret)
    buf.end_message(place)
    return buf.getvalue()


def simple_query(sql: str) -> bytes:
    """Make a Query."""
    buf = WriteBuffer()
    buf.write_uint8(_QUERY)
    place = buf.begin_length()
    buf.write_cstring(sql.encode("utf-8"))
    buf.end_message(place)
    return buf.getvalue()


def terminate() -> bytes:
    """Make a Terminate."""
    buf = WriteBuffer()
    buf.write_uint8(_TERMINATE)
    buf.write_int32(4)
    return buf.getvalue()


def encode_text(value: str, what: str) -> bytes:
    """Encode text as UTF-8; raises EncodeError naming ``what``, never the text: it may be secret."""
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        raise EncodeError(f"{what} contains a lone surrogate, which is not valid text") from None


def read_string(body: ReadBuffer) -> str:
    """Read a zero-terminated string; what is not UTF-8 is replaced."""
    return body.read_cstring().decode("utf-8", "replace")


def read_fields(body: ReadBuffer) -> dict[str, str]:
    """Read an ErrorResponse or NoticeResponse: its fields by their one-letter codes. An empty one has none."""
    fields: dict[str, str] = {}
    while body.remaining():
        code = body.read_uint8()
        if code == 0:
            break
        fields[chr(code)] = read_string(body)
    end_of(body, "ErrorResponse or NoticeResponse")
    return fields


def read_parameter_status(body: ReadBuffer) -> tuple[str, str]:
    """Read a ParameterStatus: name and value."""
    name, value = read_string(body), read_string(body)
    end_of(body, "ParameterStatus")
    return name, value


def read_backend_key_data(body: ReadBuffer) -> tuple[int, bytes]:
    """Read a BackendKeyData: the process and its cancel key, whose length the server chooses."""
    pid = body.read_int32()
    secret = body.read_bytes(body.remaining())
    if not MIN_SECRET <= len(secret) <= MAX_SECRET:
        raise ProtocolError(f"the server sent a cancel key of {len(secret)} bytes, not {MIN_SECRET} to {MAX_SECRET}")
    return pid, secret


def read_negotiate_protocol_version(body: ReadBuffer) -> tuple[int, list[str]]:
    """Read a NegotiateProtocolVersion: the newest version that the server speaks and the options it does not know.

    The manual calls the number a minor version, and the server sends major and minor: both forms are taken.
    """
    version = body.read_int32()
    count = body.read_int32()
    if count < 0 or count > body.remaining():
        raise ProtocolError(f"the server sent a count of {count} protocol options")
    options = [read_string(body) for _ in range(count)]
    end_of(body, "NegotiateProtocolVersion")
    return (version if version > 0xFFFF else version | 3 << 16), options


def read_mechanisms(body: ReadBuffer) -> list[str]:
    """Read the names of the mechanisms in an AuthenticationSASL."""
    names: list[str] = []
    while name := read_string(body):
        names.append(name)
    end_of(body, "AuthenticationSASL")
    return names


def read_value(body: ReadBuffer) -> str:
    """Read a DataRow of one column in text format that is not NULL."""
    count, length = body.read_int16(), body.read_int32()
    if count != 1 or length < 0:
        raise ProtocolError("the server did not answer with one row of one value")
    value = body.read_bytes(length).decode("utf-8", "replace")
    end_of(body, "DataRow")
    return value


def end_of(body: ReadBuffer, name: str) -> None:
    """Raise ProtocolError unless the whole message was read."""
    if body.remaining():
        raise ProtocolError(f"the server's {name} message has {body.remaining()} bytes too many")
