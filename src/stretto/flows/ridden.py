"""Commands that ride in front of a statement, in its request and under its Sync: BEGIN, SAVEPOINT and their like."""

from __future__ import annotations

from functools import lru_cache

from stretto.wire import frontend
from stretto.wire.buffer import WriteBuffer

_NO_VALUES = frontend.bind_head(b"", b"", [])
_NO_COLUMNS = frontend.format_block([])


@lru_cache(maxsize=64)
def ridden(*commands: str) -> tuple[bytes, bytes]:
    """Parse, Bind and Execute of commands without parameters, on the unnamed statement and portal; their script."""
    buf = WriteBuffer()
    for command in commands:
        frontend.parse(buf, b"", command.encode())
        frontend.end_bind(buf, frontend.begin_bind(buf, _NO_VALUES), _NO_COLUMNS)
        buf.write_bytes(frontend.EXECUTE_ALL)
    return buf.getvalue(), b"PBE" * len(commands)
