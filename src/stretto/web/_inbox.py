"""What a client sends by ASGI: kept for a second attempt, and watched for its going away."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]


class Inbox:
    """The messages of one request. ``complete``: all that was received so far is kept, so it can be received again."""

    def __init__(self, receive: Callable[[], Awaitable[Message]], limit: int) -> None:
        self.complete = True
        self._receive = receive
        self._limit = limit
        self._kept: list[Message] = []
        self._next = 0

    async def receive(self) -> Message:
        """The next message, for the application."""
        if self._next < len(self._kept):
            self._next += 1
            return self._kept[self._next - 1]
        message = await self._incoming()
        self._keep(message)
        return message

    def rewind(self) -> None:
        """Give all messages again."""
        self._next = 0

    async def disconnected(self) -> None:
        """Wait until the client goes away: for ever, where nobody watches."""
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """The request is over."""

    async def _incoming(self) -> Message:
        return await self._receive()

    def _keep(self, message: Message) -> None:
        if not self.complete:
            return
        self._limit -= len(message.get("body", b""))
        if message["type"] != "http.request" or self._limit < 0:
            self.complete = False
            self._kept.clear()
            self._next = 0
        else:
            self._kept.append(message)
            self._next += 1


class Watched(Inbox):
    """The same, watched: one message is received ahead, and that behind the body says that the client has gone."""

    def __init__(self, receive: Callable[[], Awaitable[Message]], limit: int) -> None:
        super().__init__(receive, limit)
        self._unread: deque[Message] = deque()
        self._fetching: asyncio.Future[None] | None = None
        self._whole = asyncio.Event()  # the body has arrived
        self._gone: Message | None = None

    async def disconnected(self) -> None:
        """Wait until the client goes away. What of the body follows its first part is left to the application."""
        await self._fetch()
        await self._whole.wait()
        while self._gone is None:
            await self._fetch()

    async def close(self) -> None:
        """Nothing more is received."""
        if self._fetching is not None and not self._fetching.done():
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def _incoming(self) -> Message:
        while not self._unread:
            if self._gone is not None:
                return self._gone
            await self._fetch()
        return self._unread.popleft()

    async def _fetch(self) -> None:
        """Wait for a message together with all who do, so that a cancellation of one takes none from the others."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.ensure_future(self._fetched())
        await asyncio.shield(self._fetching)

    async def _fetched(self) -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = message
        else:
            self._unread.append(message)
        if self._gone is not None or not message.get("more_body", False):
            self._whole.set()
