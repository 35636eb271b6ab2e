"""The simple protocol: SQL without arguments, perhaps several statements, as one Query message."""

from __future__ import annotations

from stretto.protocol.request import Request
from stretto.protocol.statement import encode_sql
from stretto.wire import frontend
from stretto.wire.buffer import WriteBuffer


def simple(sql: str) -> Request:
    """Make the request of the simple protocol; its rows are thrown away."""
    buf = WriteBuffer()
    frontend.query(buf, encode_sql(sql))
    request = Request(buf.getvalue(), b"Q")
    request.text = sql
    request.abandoned = True
    return request
