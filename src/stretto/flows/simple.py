"""The simple protocol: SQL without arguments, perhaps several statements, as one Query message."""

from __future__ import annotations

from functools import lru_cache

from stretto.protocol.request import Request
from stretto.protocol.statement import encode_sql
from stretto.wire import frontend
from stretto.wire.buffer import WriteBuffer

_SHORT = 32  # characters: COMMIT and its like are said again and again


def simple(sql: str) -> Request:
    """Make the request of the simple protocol; its rows are thrown away."""
    request = Request(_said(sql) if len(sql) < _SHORT else _message(sql), b"Q")
    request.text = sql
    request.abandoned = True
    return request


def _message(sql: str) -> bytes:
    buf = WriteBuffer()
    frontend.query(buf, encode_sql(sql))
    return buf.getvalue()


_said = lru_cache(maxsize=256)(_message)
