"""Where COPY's data comes from and goes to on asyncio: as ``runtime.sources``, and async iterables and functions.

A file is read and written in a thread, so that a slow disk stops nobody.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import IO, Any

from stretto.flows.copy import CHUNK_BYTES, CHUNK_ROWS, RowEncoder
from stretto.runtime.sources import chunks_of, message_of, rows_of, sink_of
from stretto.wire import frontend


async def achunks_of(source: Any) -> AsyncIterator[bytes]:
    """As chunks_of, and async iterables and files with an async ``read`` too."""
    if isinstance(source, AsyncIterable):
        async for chunk in source:
            yield message_of(chunk)
        yield frontend.COPY_DONE
    elif isinstance(source, (str, os.PathLike)):
        file = await asyncio.to_thread(open, source, "rb")
        try:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield message_of(chunk)
        finally:
            file.close()
        yield frontend.COPY_DONE
    elif hasattr(source, "read") and inspect.iscoroutinefunction(source.read):
        while chunk := await source.read(CHUNK_BYTES):
            yield message_of(chunk)
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
