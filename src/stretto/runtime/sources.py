"""Where COPY's data comes from and goes to: rows, bytes, files, functions; each once blocking and once for asyncio.

On asyncio a file is read and written in a thread, so that a slow disk stops nobody.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import IO, Any

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
        yield _message(chunk)


def _message(chunk: Any) -> bytes:
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


async def achunks_of(source: Any) -> AsyncIterator[bytes]:
    """As chunks_of, and async iterables and files with an async ``read`` too."""
    if isinstance(source, AsyncIterable):
        async for chunk in source:
            yield _message(chunk)
        yield frontend.COPY_DONE
    elif isinstance(source, (str, os.PathLike)):
        file = await asyncio.to_thread(open, source, "rb")
        try:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield _message(chunk)
        finally:
            file.close()
        yield frontend.COPY_DONE
    elif hasattr(source, "read") and inspect.iscoroutinefunction(source.read):
        while chunk := await source.read(CHUNK_BYTES):
            yield _message(chunk)
        yield frontend.COPY_DONE
    else:
        for message in chunks_of(source):
            yield message


async def arows_of(source: Any, encoder: RowEncoder) -> AsyncIterator[bytes]:
    """As rows_of, and async iterables too."""
    if isinstance(source, AsyncIterable):
        batch = []
        async for row in source:
            batch.append(row)
            if len(batch) >= CHUNK_ROWS:
                yield encoder.encode(batch)
                batch = []
        if batch:
            yield encoder.encode(batch)
        yield encoder.end()
    else:
        for message in rows_of(source, encoder):
            yield message


@asynccontextmanager
async def asink_of(sink: Any) -> AsyncIterator[Callable[[bytes], Awaitable[Any]]]:
    """As sink_of, as an async function."""
    if isinstance(sink, (str, os.PathLike)):
        file: IO[bytes] = await asyncio.to_thread(open, sink, "wb")
        try:
            yield lambda data: asyncio.to_thread(file.write, data)
        finally:
            file.close()
    else:
        with sink_of(sink) as write:

            async def call(data: bytes) -> None:
                result = write(data)
                if inspect.isawaitable(result):
                    await result

            yield call
