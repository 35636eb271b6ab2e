"""What is set on a TCP socket, so that a peer that has gone without a word is found out in half a minute.

The system's own settings (Linux) look at an idle connection after two hours, and wait a quarter of an hour for what was
sent to be acknowledged. A connection that somebody uses for himself, or whose answer he awaits, would hang as long.
"""

from __future__ import annotations

import socket

from stretto.config import Config

KEEPALIVES_IDLE = 15  # seconds of silence before the peer is asked whether it is there,
KEEPALIVES_INTERVAL = 5  # and between the questions
KEEPALIVES_COUNT = 3  # questions without an answer: then it is gone
USER_TIMEOUT = 30_000  # milliseconds for what was sent to be taken by the peer


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
