"""What is set on a TCP socket, so that a peer that has gone without a word is found out in half a minute.

The system's own settings (Linux) look at an idle connection after two hours, and wait a quarter of an hour for what was
sent to be acknowledged. A connection that somebody uses for himself, or whose answer he awaits, would hang as long.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from stretto.config import Config

KEEPALIVES_IDLE = 15  # seconds of silence before the peer is asked whether it is there,
KEEPALIVES_INTERVAL = 5  # and between the questions
KEEPALIVES_COUNT = 3  # questions without an answer: then it is gone
USER_TIMEOUT = 30_000  # milliseconds for what was sent to be taken by the peer
LARGE = 1 << 15  # bytes that any peer takes at once, into its buffers
_OPTION = getattr(socket, "TCP_USER_TIMEOUT", None)
_TCP = (socket.AF_INET, socket.AF_INET6)


def tcp_options(config: Config) -> tuple[tuple[int, int, int], ...]:
    """Return a socket's options (level, name, value): no delay, and what is set, else ours; 0 is the system's own."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    wanted = [("TCP_USER_TIMEOUT", config.tcp_user_timeout, USER_TIMEOUT)]
    if config.keepalives:
        options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
        idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
        wanted += [
            (idle, config.keepalives_idle, KEEPALIVES_IDLE),
            ("TCP_KEEPINTVL", config.keepalives_interval, KEEPALIVES_INTERVAL),
            ("TCP_KEEPCNT", config.keepalives_count, KEEPALIVES_COUNT),
        ]
    for name, given, ours in wanted:
        value = ours if given is None else given
        if value and hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return tuple(options)


class Patience:
    """Lifts our ``TCP_USER_TIMEOUT`` while a live server may take nothing: it has much, and waits for a lock.

    To the kernel a peer whose buffers are full is as one that is gone. So the limit holds for what is small, and is
    lifted from more than ``LARGE`` bytes on until something is heard.
    """

    __slots__ = ("_lifted", "_said", "_sock")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._said = 0
        self._lifted = False

    @classmethod
    def of(cls, sock: socket.socket, config: Config) -> Patience | None:
        """One for a socket that has the limit as our default, else None."""
        ours = _OPTION is not None and sock.family in _TCP and config.tcp_user_timeout is None
        return cls(sock) if ours else None

    def said(self, size: int) -> None:
        """So many bytes were said."""
        self._said += size
        if self._said > LARGE and not self._lifted:
            self._set(True)

    def heard(self) -> None:
        """The server has said something: it has taken what was said before."""
        self._said = 0
        if self._lifted:
            self._set(False)

    def _set(self, lifted: bool) -> None:
        self._lifted = lifted
        if _OPTION is not None:
            with suppress(OSError):  # it is gone already
                self._sock.setsockopt(socket.IPPROTO_TCP, _OPTION, 0 if lifted else USER_TIMEOUT)
