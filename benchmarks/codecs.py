"""Nanoseconds a value takes in each direction, without the socket: STRETTO_CORE=py or c says which build.

PYTHONPATH=src python benchmarks/codecs.py
"""

from __future__ import annotations

import os
import sys
import timeit
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from stretto.codecs.base import decode_value, encode_value
from stretto.codecs.scalars import scalar_codecs
from stretto.wire.buffer import ReadBuffer, WriteBuffer

CASES: dict[str, Any] = {
    "bool": True,
    "int4": 12345,
    "int8": 2**40,
    "float8": 1.25,
    "numeric": Decimal("12345.67"),
    "text": "ten chars.",
    "bytea": b"ten bytes.",
    "date": date(2024, 5, 17),
    "timestamptz": datetime(2024, 5, 17, 12, 34, 56, 789012, UTC),
    "timestamp": datetime(2024, 5, 17, 12, 34, 56, 789012),
    "interval": timedelta(days=3, seconds=4),
    "uuid": UUID("12345678-1234-5678-1234-567812345678"),
    "jsonb": {"name": "stretto", "tags": [1, 2, 3], "ok": True},
}
REPEATS = 50  # values in one buffer, so that the loop around them weighs little


def nanoseconds(action: Callable[[], None]) -> float:
    """Take the best of five runs."""
    timer = timeit.Timer(action)
    number = 20_000 // REPEATS
    return min(timer.repeat(5, number)) / number / REPEATS * 1e9


def measure(codec: Any, value: Any) -> tuple[float, float]:
    """Return what one decode and one encode takes."""
    written = WriteBuffer()
    for _ in range(REPEATS):
        encode_value(codec, written, value)
    data = written.getvalue()
    reader, writer = ReadBuffer(data), WriteBuffer(len(data))
    every = [None] * REPEATS

    def decode() -> None:
        reader.attach(data, 0, len(data))
        for _ in every:
            decode_value(codec, reader)

    def encode() -> None:
        writer.truncate(0)
        for _ in every:
            encode_value(codec, writer, value)

    return nanoseconds(decode), nanoseconds(encode)


def main() -> None:
    codecs = {codec.name: codec for codec in scalar_codecs()}
    print(f"ns a value, STRETTO_CORE={os.environ.get('STRETTO_CORE', '')}, Python {sys.version.split()[0]}")
    print(f"{'type':12} {'decode':>8} {'encode':>8}")
    for name, value in CASES.items():
        decode, encode = measure(codecs[name], value)
        print(f"{name:12} {decode:8.0f} {encode:8.0f}")


if __name__ == "__main__":
    main()
