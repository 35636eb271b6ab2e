"""Where COPY's data comes from and goes to: rows, bytes, files, functions. ``runtime.asources`` has it for asyncio."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from stretto.errors import UsageError
from stretto.flows.copy import CHUNK_BYTES, CHUNK_ROWS, batched


def items_of(source: Any, format: str | None) -> Generator[Any]:
    """What a source gives, some at a time: lists of rows, or bytes where it has a format. Raises UsageError."""
    if format is None:
        if isinstance(source, (str, bytes, bytearray, memoryview)) or not isinstance(source, Iterable):
            raise UsageError(f"copy_in() takes an iterable of rows, not {type(source).__name__}; bytes need format=")
        yield from batched(source, CHUNK_ROWS)
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield from iter(lambda: file.read(CHUNK_BYTES), b"")
    elif hasattr(source, "read"):
        yield from iter(lambda: source.read(CHUNK_BYTES) or b"", b"")
    elif isinstance(source, (bytes, bytearray, memoryview)):
        view = memoryview(source).cast("B")
        yield from (bytes(view[i : i + CHUNK_BYTES]) for i in range(0, len(view), CHUNK_BYTES))
    elif isinstance(source, Iterable):
        yield from source
    else:
        raise UsageError(f"copy_in() takes a path, a file, bytes or an iterable of bytes, not {type(source).__name__}")


def cut(items: Generator[Any], size: int) -> Generator[Any]:
    """These lists, cut where there have been so many rows."""
    room = size
    try:
        for rows in items:
            rest = rows
            while rest:
                part, rest = rest[:room], rest[room:]
                room = room - len(part) or size
                yield part
    finally:
        items.close()


def each(items: Iterable[Any]) -> Generator[Any]:
    """These items, one after the other."""
    yield from items


@contextmanager
def sink_of(sink: Any) -> Iterator[Callable[[bytes], Any]]:
    """The function that writes to a path, a file or a function."""
    if isinstance(sink, (str, os.PathLike)):
        with open(sink, "wb") as file:
            yield file.write
    elif hasattr(sink, "write"):
        yield sink.write
    elif callable(sink):
        yield sink
    else:
        raise UsageError(f"copy_out() takes a path, a file or a function, not {type(sink).__name__}")
