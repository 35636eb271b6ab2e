"""Conversation: one new connection until its session is ready, as whole messages. No I/O of its own: it yields steps.

For ``flows.connect``, ``authenticate``, ``tls`` and ``cancel``. It knows where it is (host, address, TLS) and how far
it has come, which is what the decisions about fallbacks and passwords need.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Literal

from stretto.config import Host
from stretto.errors import AuthenticationError, ConnectError, Notice, ProtocolError
from stretto.flows.steps import Read, Step
from stretto.sqlstate import error_from_fields
from stretto.wire import startup
from stretto.wire.buffer import ReadBuffer

MAX_UNAUTHENTICATED = 64 * 1024  # bytes of one message before the server has accepted us
MAX_AUTHENTICATED = 1024 * 1024  # after that and before the session is ready: a notice of a login trigger, say
MAX_NOTICES = 100
_HEADER = 5  # bytes: the type and the length

Message = tuple[int, ReadBuffer]
TLS = ssl.SSLObject | ssl.SSLSocket


@dataclass(frozen=True, slots=True)
class Site:
    """One place to connect to. ``attempt`` numbers them, see ``steps``."""

    host: Host
    family: int
    address: Any
    attempt: int = 0

    def is_unix(self) -> bool:
        return self.family == socket.AF_UNIX

    def is_loopback(self) -> bool:
        """Tell whether what is sent stays on this machine's loopback interface."""
        if self.is_unix():
            return False
        try:
            address = ipaddress.ip_address(str(self.address[0]).partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return address.is_loopback or (mapped is not None and mapped.is_loopback)

    def __str__(self) -> str:
        if self.is_unix():
            path = str(self.address)
            return f"socket {'@' + path[1:] if path.startswith(chr(0)) else path}"
        name, address = name_of(self.host), str(self.address[0])
        return f"{name if name == address else f'{name} ({address})'} port {self.address[1]}"


def name_of(host: Host) -> str:
    """Return the name to show for a host, and to check certificates against."""
    return host.host or host.address


@dataclass(slots=True, eq=False)
class Conversation:
    """A raw connection to ``site``. ``tls`` is set by a handshake, ``verified`` when that checked the certificate."""

    site: Site
    tls: TLS | None = None
    verified: bool = False
    stage: Literal["opened", "handshake", "startup", "authentication", "session"] = "opened"
    closed: bool = False
    notices: list[Notice] = field(default_factory=list)
    _inbox: ReadBuffer = field(default_factory=lambda: ReadBuffer(b""), repr=False)

    def receive(self) -> Generator[Step, Any, Message]:
        """Return the next message: its type and body. NoticeResponse is kept aside, ErrorResponse is raised."""
        while True:
            message = self._take()
            if message is None:
                yield from self._read()
                continue
            kind, body = message
            if kind == startup.ERROR_RESPONSE:
                raise refusal(startup.read_fields(body))
            if kind != startup.NOTICE_RESPONSE:
                return message
            if len(self.notices) < MAX_NOTICES:
                self.notices.append(Notice.from_fields(startup.read_fields(body)))

    def leftover(self) -> bytes:
        """Return the bytes received and not read."""
        return self._inbox.read_bytes(self._inbox.remaining())

    def _read(self) -> Generator[Step, Any, None]:
        data: bytes = yield Read()
        if not data:
            self.closed = True
            raise ConnectError("the server closed the connection unexpectedly")
        self._inbox = ReadBuffer(self.leftover() + data)

    def _take(self) -> Message | None:
        inbox = self._inbox
        if inbox.remaining() < _HEADER:
            return None
        start = inbox.pos
        kind, length = inbox.read_uint8(), inbox.read_int32() - 4
        limit = MAX_AUTHENTICATED if self.stage == "session" else MAX_UNAUTHENTICATED
        if not 0 <= length <= limit:
            raise ProtocolError(
                f"the server sent a message of type {shown(kind)} and {length} bytes while connecting, "
                f"where at most {limit} are taken: is it PostgreSQL?"
            )
        if inbox.remaining() < length:
            inbox.pos = start
            return None
        return kind, ReadBuffer(inbox.read_bytes(length))


def refusal(fields: dict[str, str]) -> ConnectError:
    """Make the error for an ErrorResponse while connecting; its cause is the error of the SQLSTATE's own class."""
    kind = AuthenticationError if fields.get("C", "").startswith("28") else ConnectError
    message = f"{fields.get('M', 'the server gave no reason')} ({fields.get('C', 'no SQLSTATE')})"
    error = kind(message, fields={code: text for code, text in fields.items() if code != "M"})
    error.__cause__ = error_from_fields(fields)
    return error


def unexpected(kind: int, where: str) -> ProtocolError:
    """Make the error for a message that has no place here."""
    return ProtocolError(f"the server sent a message of type {shown(kind)} {where}")


def shown(kind: int) -> str:
    return repr(chr(kind)) if 0x20 < kind < 0x7F else f"{kind:#04x}"
