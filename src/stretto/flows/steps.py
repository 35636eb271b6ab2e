"""What a flow may yield: the steps that only a runtime can take.

A flow is a generator. It yields one of these (or a ``Request``, see ``protocol.request``), the runtime does it, and
sends back what the step's docstring says; what goes wrong is thrown into the flow at its ``yield``. A flow returns its
result. Flows have no socket, no clock and no thread, so that a test drives one with a list of canned answers.

Steps on a raw socket, before the protocol machine has it (connecting, cancelling). They all speak about the one socket
that the flow opened last; when a flow raises or is closed, the runtime closes that socket.

``connect_timeout`` counts for each place by itself, as in libpq: the runtime starts it afresh at a Resolve and at an
Open whose ``attempt`` is another than the one before, and throws TimeoutError into the flow at whatever step it
expires. The flow then goes on with the next place.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Resolve(NamedTuple):
    """Look a host name up. Sent back: a list of ``(family, address)``; raises OSError."""

    host: str
    port: int


class Open(NamedTuple):
    """Connect a socket to an address that Resolve gave, or (AF_UNIX) a path. Sent back: None; raises OSError.

    ``options`` are ``(level, name, value)`` for setsockopt. A socket that was open before is closed first. ``attempt``
    numbers the places tried: opening the same place again (without TLS, say) is the same attempt.
    """

    family: int
    address: Any
    options: tuple[tuple[int, int, int], ...] = ()
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Write:
    """Write all of ``data``. Sent back: None; raises OSError."""

    data: bytes = field(repr=False)  # it may be a password


class Read(NamedTuple):
    """Read what is there, waiting for at least one byte. Sent back: bytes, ``b""`` at the end of the stream."""

    limit: int = 65536


class StartTLS(NamedTuple):
    """Do a TLS handshake as client. Sent back: the ``ssl.SSLSocket`` or ``ssl.SSLObject``; raises OSError, ValueError.

    ssl.SSLError is an OSError; a name that is none (too long a label) is a ValueError.
    """

    context: ssl.SSLContext
    server_hostname: str | None


class Compute(NamedTuple):
    """Call a function that takes long (key derivation) without stopping anybody else. Sent back: its result.

    It may read files or talk over the network. An awaitable result is awaited where there is an event loop.
    What the function raises is thrown into the flow.
    """

    function: Callable[[], Any]


class Sleep(NamedTuple):
    """Wait. Sent back: None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class PeerUser:
    """Ask who runs the process at the other end of a Unix socket. Sent back: its numeric user id; raises OSError."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket if one is open. Sent back: None."""


Step = Resolve | Open | Write | Read | StartTLS | Compute | Sleep | PeerUser | Close
