"""Where COPY's data comes from and goes to: rows, bytes, files, functions. ``runtime.asources`` has it for asyncio."""

from __future__ import annotations

import io
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
        while chunk := there(source.read(CHUNK_BYTES), "read()"):
            yield chunk
    elif isinstance(source, (bytes, bytearray, memoryview)):
        view = memoryview(source).cast("B")
        yield from (bytes(view[i : i + CHUNK_BYTES]) for i in range(0, len(view), CHUNK_BYTES))
    elif isinstance(source, Iterable):
        yield from (there(item, "an item") for item in source)
    else:
        raise UsageError(f"copy_in() takes a path, a file, bytes or an iterable of bytes, not {type(source).__name__}")


def there(data: Any, what: str) -> Any:
    """These bytes. None is no end: a file that does not block has nothing just now, or a generator has forgotten."""
    if data is None:
        raise UsageError(
            f"{what} of copy_in()'s source gave None, not bytes: data may be missing, so nothing more is read"
        )
    return data


class Portions:
    """Lists of rows, one after the other, cut where there have been so many rows."""

    def __init__(self, size: int) -> None:
        self._size = self._room = size

    def of(self, rows: list[Any]) -> Iterator[list[Any]]:
        """The next list, in one part or several."""
        while rows:
            part, rows = rows[: self._room], rows[self._room :]
            self._room = self._room - len(part) or self._size
            yield part


def cut(items: Generator[Any], size: int) -> Generator[Any]:
    """These lists, cut where there have been so many rows."""
    portions = Portions(size)
    try:
        for rows in items:
            yield from portions.of(rows)
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
    elif isinstance(sink, io.RawIOBase):
        yield lambda data: _write_all(sink, data)
    elif hasattr(sink, "write"):
        yield sink.write
    elif callable(sink):
        yield sink
    else:
        raise UsageError(f"copy_out() takes a path, a file or a function, not {type(sink).__name__}")


def _write_all(sink: io.RawIOBase, data: bytes) -> None:
    """Write to a file without a buffer, which may take a part only."""
    rest = memoryview(data)
    while rest:
        taken = sink.write(rest)
        if taken is None:
            raise BlockingIOError("copy_out()'s file does not block and takes nothing just now: give one that waits")
        rest = rest[taken:]
