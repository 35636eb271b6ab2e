"""COPY data from one connection to another: the bytes are joined and passed on, and never decoded."""

from __future__ import annotations

from typing import Any

from stretto.wire.buffer import WriteBuffer


def join_slices(slices: list[Any], size: int) -> bytes:
    """Join the bodies of CopyData messages (``data, start, stop`` and again), ``size`` bytes in all."""
    buf = WriteBuffer(size)
    i = 0
    end = len(slices)
    while i < end:
        buf.write_slice(slices[i], slices[i + 1], slices[i + 2])
        i += 3
    return buf.getvalue()
