"""Two ways to drive a flow: ``run`` on real sockets, ``play`` against a server that is a list of replies."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from scramp import ScramMechanism

from stretto.config import Config, Host
from stretto.flows import steps
from stretto.wire import startup


def run(flow: Generator[Any, Any, Any], timeout: float = 10.0) -> Any:
    """Drive a flow on a blocking socket, close what it leaves open, and return its result."""
    result, sock = _Runner(timeout).run(flow)
    if sock is not None:
        sock.close()
    return result


def run_and_keep(flow: Generator[Any, Any, Any], timeout: float = 10.0) -> tuple[Any, socket.socket]:
    """Drive a flow and return its result and its open socket."""
    return _Runner(timeout).run(flow)


class _Runner:
    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.sock: Any = None

    def run(self, flow: Generator[Any, Any, Any]) -> tuple[Any, Any]:
        answer: Any = None
        error: BaseException | None = None
        try:
            while True:
                step = flow.send(answer) if error is None else flow.throw(error)
                answer, error = None, None
                try:
                    answer = self.take(step)
                except Exception as raised:
                    error = raised
        except StopIteration as stop:
            return stop.value, self.sock
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def take(self, step: steps.Step) -> Any:
        match step:
            case steps.Resolve(host, port):
                return [(f, a) for f, _, _, _, a in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
            case steps.Open(family, address, options):
                self.close()
                self.sock = socket.socket(family, socket.SOCK_STREAM)
                self.sock.settimeout(self.timeout)
                for option in options:
                    self.sock.setsockopt(*option)
                self.sock.connect(address)
            case steps.Write(data):
                self.sock.sendall(data)
            case steps.Read(limit):
                return self.sock.recv(limit)
            case steps.StartTLS(context, name):
                self.sock = context.wrap_socket(self.sock, server_hostname=name)
                return self.sock
            case steps.PeerUser():
                return struct.unpack("3i", self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
            case steps.Compute(function):
                return function()
            case steps.Close():
                self.close()
            case _:
                raise AssertionError(step)
        return None


Reply = bytes | Exception | Callable[[bytes], bytes]


@dataclass
class FakeTLS:
    """What StartTLS answers in ``play``."""

    certificate: bytes = b""
    alpn: str | None = "postgresql"

    def getpeercert(self, binary: bool = False) -> Any:
        return self.certificate if binary else {"subject": ((("commonName", "db.example.com"),),)}

    def selected_alpn_protocol(self) -> str | None:
        return self.alpn


@dataclass
class Stage:
    """A scripted world: each connection is a list of replies, one for each Write; then the stream ends.

    ``chunk`` is how many bytes a Read gives at most. ``taken`` has every step that was yielded.
    """

    connections: list[list[Reply] | Exception]
    chunk: int = 1 << 20
    tls: FakeTLS | Exception = field(default_factory=FakeTLS)
    addresses: dict[str, Any] = field(default_factory=dict)
    peer: int = 0
    taken: list[Any] = field(default_factory=list)
    _replies: list[Reply] = field(default_factory=list)
    _pending: bytes = b""

    def play(self, flow: Generator[Any, Any, Any]) -> Any:
        answer: Any = None
        error: Exception | None = None
        try:
            while True:
                step = flow.send(answer) if error is None else flow.throw(error)
                self.taken.append(step)
                answer, error = None, None
                try:
                    answer = self.take(step)
                except Exception as raised:
                    error = raised
        except StopIteration as stop:
            return stop.value

    def take(self, step: Any) -> Any:
        match step:
            case steps.Resolve(host, port):
                found = self.addresses.get(host, ["127.0.0.1"])
                if isinstance(found, Exception):
                    raise found
                return [(socket.AF_INET, (address, port)) for address in found]
            case steps.Open():
                scripted = self.connections.pop(0)
                if isinstance(scripted, Exception):
                    raise scripted
                self._replies, self._pending = list(scripted), b""
            case steps.Write(data):
                reply = self._replies.pop(0) if self._replies else b""
                if isinstance(reply, Exception):
                    self._replies.insert(0, reply)
                else:
                    self._pending += reply(data) if callable(reply) else reply
            case steps.Read(limit):
                if not self._pending and self._replies and isinstance(self._replies[0], Exception):
                    raise self._replies[0]
                count = min(limit, self.chunk)
                data, self._pending = self._pending[:count], self._pending[count:]
                return data
            case steps.StartTLS():
                if isinstance(self.tls, Exception):
                    raise self.tls
                return self.tls
            case steps.Compute(function):
                return function()
            case steps.PeerUser():
                return self.peer
        return None

    def sent(self) -> list[bytes]:
        """Return what was written, in order."""
        return [step.data for step in self.taken if isinstance(step, steps.Write)]

    def opened(self) -> list[Any]:
        """Return the addresses that were opened, in order."""
        return [step.address for step in self.taken if isinstance(step, steps.Open)]


def config(host: str = "127.0.0.1", port: int = 5432, *, hosts: Iterable[Host] = (), **settings: Any) -> Config:
    """Make settings for one host or for ``hosts``, with nothing from the environment and no TLS unless said."""
    settings = {"user": "ann", "sslmode": "disable", "max_protocol_version": "3.2"} | settings
    made = Config.parse(host=host, port=port, environ={"HOME": "/nonexistent"}, **settings)
    return replace(made, hosts=tuple(hosts)) if hosts else made


# The server's messages.


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def auth(code: int, body: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!i", code) + body)


def sasl(*mechanisms: str) -> bytes:
    return auth(startup.AUTH_SASL, b"".join(name.encode() + b"\0" for name in mechanisms) + b"\0")


def error(sqlstate: str = "28P01", text: bytes = b"no") -> bytes:
    return message(b"E", b"SFATAL\0VFATAL\0C" + sqlstate.encode() + b"\0M" + text + b"\0\0")


def notice(text: bytes = b"hello") -> bytes:
    return message(b"N", b"SNOTICE\0C00000\0M" + text + b"\0\0")


def parameter(name: str, value: str) -> bytes:
    return message(b"S", name.encode() + b"\0" + value.encode() + b"\0")


def key(secret: bytes = b"\1\2\3\4", pid: int = 42) -> bytes:
    return message(b"K", struct.pack("!i", pid) + secret)


def row(value: bytes) -> bytes:
    return message(b"D", struct.pack("!hi", 1, len(value)) + value)


def negotiate(version: int, *options: bytes) -> bytes:
    return message(b"v", struct.pack("!ii", version, len(options)) + b"".join(o + b"\0" for o in options))


OK = auth(startup.AUTH_OK)
READY = message(b"Z", b"I")
WELCOME = OK + parameter("server_version", "18.6") + key() + READY


class ScramServer:
    """The server's side of SCRAM, by the library scramp; ``replies`` answer the start-up, first and final message."""

    def __init__(
        self, password: str, offered: Iterable[str] = ("SCRAM-SHA-256",), binding: bytes | None = None, bend: Any = None
    ) -> None:
        self.offered = tuple(offered)
        self.bend = bend or (lambda text: text)
        channel = ("tls-server-end-point", binding) if binding is not None else None
        self.mechanism = ScramMechanism("SCRAM-SHA-256")
        known = self.mechanism.make_auth_info(password)
        name = "SCRAM-SHA-256-PLUS" if binding is not None and "SCRAM-SHA-256-PLUS" in self.offered else "SCRAM-SHA-256"
        self.server = ScramMechanism(name).make_server(lambda user: known, channel_binding=channel)
        self.client_first = ""

    def replies(self, *after: bytes) -> list[Reply]:
        welcome = b"".join(after) or WELCOME
        return [sasl(*self.offered), self._first, lambda data: self._final(data) + welcome]

    def _first(self, data: bytes) -> bytes:
        _, _, rest = data[5:].partition(b"\0")
        self.client_first = rest[4:].decode()
        self.server.set_client_first(self.client_first)
        return auth(startup.AUTH_SASL_CONTINUE, self.bend(self.server.get_server_first()).encode())

    def _final(self, data: bytes) -> bytes:
        self.server.set_client_final(data[5:].decode())
        return auth(startup.AUTH_SASL_FINAL, self.bend(self.server.get_server_final()).encode())
