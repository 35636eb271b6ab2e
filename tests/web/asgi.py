"""A client for ASGI applications: what a server calls them with, and what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Client:
    """One request after the other to one application, with its server's error page for what it raises."""

    def __init__(self, app: Any, at_start: Callable[[], Any] | None = None, spec_version: str = "2.3") -> None:
        self.app = app
        self.at_start = at_start
        self.spec_version = spec_version
        self.seen: Any = None  # what at_start gave when the response started
        self.error: Exception | None = None

    def scope(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        asgi = {"version": "3.0", "spec_version": self.spec_version}
        return {
            "type": "http", "asgi": asgi, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80), "headers": [(b"host", b"here")],
        } | more  # fmt: skip

    async def request(
        self,
        path: str,
        method: str = "POST",
        body: tuple[bytes, ...] = (b"",),
        gone: asyncio.Event | None = None,
        **more: Any,
    ) -> tuple[int, bytes]:
        """The status and body. ``gone``: set when the client goes away."""
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in body]
        messages[-1]["more_body"] = False
        sent: list[dict[str, Any]] = []
        self.error = self.seen = None

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            await (gone or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and self.at_start is not None:
                self.seen = self.at_start()
            sent.append(message)

        try:
            await self.app(self.scope(method, path, **more), receive, send)
        except Exception as error:
            self.error = error
            if not sent or sent[0]["status"] == 500:
                return 500, b""  # Starlette's own error page, where the middleware is around it
        body_sent = b"".join(message.get("body", b"") for message in sent[1:])
        return (sent[0]["status"] if sent else 0), body_sent
