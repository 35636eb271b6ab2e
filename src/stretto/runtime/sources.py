"""Where COPY's data comes from and goes to: rows, bytes, files, functions. ``runtime.asources`` has it for asyncio."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from stretto.errors import UsageError
from stretto.flows.copy import CHUNK_BYTES, CHUNK_ROWS, RowEncoder, batched, data_message
from stretto.wire import frontend


def chunks_of(source: Any) -> Iterator[bytes]:
    """CopyData messages, and CopyDone, of bytes in COPY's own format: a path, a file, bytes or an iterable of them."""
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield from _messages(iter(lambda: file.read(CHUNK_BYTES), b""))
    elif hasattr(source, "read"):
        yield from _messages(iter(lambda: source.read(CHUNK_BYTES), b""))
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield from _messages(_cut(bytes(source)))
    elif isinstance(source, Iterable):
        yield from _messages(source)
    else:
        raise UsageError(f"copy_in() takes a path, a file, bytes or an iterable of bytes, not {type(source).__name__}")
    yield frontend.COPY_DONE


def _messages(chunks: Iterable[Any]) -> Iterator[bytes]:
    for chunk in chunks:
        yield message_of(chunk)


def message_of(chunk: Any) -> bytes:
    """The CopyData message of a chunk; raises UsageError for what is not bytes."""
    if not isinstance(chunk, (bytes, bytearray, memoryview)):
        raise UsageError(f"COPY's source must give bytes, not {type(chunk).__name__}: open the file in binary mode")
    return data_message(bytes(chunk))


def _cut(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    return (bytes(view[i : i + CHUNK_BYTES]) for i in range(0, len(data), CHUNK_BYTES))


def rows_of(source: Any, encoder: RowEncoder) -> Iterator[bytes]:
    """CopyData messages, and CopyDone, of an iterable of rows."""
    if isinstance(source, (str, bytes)) or not isinstance(source, Iterable):
        raise UsageError(f"copy_in() takes an iterable of rows, not {type(source).__name__}; bytes need format=")
    for batch in batched(source, CHUNK_ROWS):
        yield encoder.encode(batch)
    yield encoder.end()


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
