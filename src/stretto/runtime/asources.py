"""Where COPY's data comes from and goes to on asyncio: as ``runtime.sources``, and async iterables and functions.

A file is read and written in a thread, so that a slow disk stops nobody.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import IO, Any

from stretto.flows.copy import CHUNK_BYTES, CHUNK_ROWS
from stretto.runtime.sources import Portions, items_of, sink_of, there


async def aitems_of(source: Any, format: str | None) -> AsyncGenerator[Any]:
    """As items_of, and async iterables and files with an async ``read`` too."""
    if isinstance(source, AsyncIterable):
        if format is not None:
            async for item in source:
                yield there(item, "an item")
            return
        batch = []
        async for row in source:
            batch.append(row)
            if len(batch) >= CHUNK_ROWS:
                yield batch
                batch = []
        if batch:
            yield batch
    elif format is not None and isinstance(source, (str, os.PathLike)):
        file = await asyncio.to_thread(open, source, "rb")
        try:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk
        finally:
            file.close()
    elif format is not None and hasattr(source, "read") and inspect.iscoroutinefunction(source.read):
        while chunk := there(await source.read(CHUNK_BYTES), "read()"):
            yield chunk
    else:
        for item in items_of(source, format):
            yield item


async def acut(items: AsyncGenerator[Any], size: int) -> AsyncGenerator[Any]:
    """These lists, cut where there have been so many rows."""
    portions = Portions(size)
    try:
        async for rows in items:
            for part in portions.of(rows):
                yield part
    finally:
        await items.aclose()


async def aeach(items: Iterable[Any]) -> AsyncGenerator[Any]:
    """These items, one after the other."""
    for item in items:
        yield item


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
