"""The application on Tornado, one process; JSON and the page by its own encoder and templates."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tornado.escape import json_encode
from tornado.httpserver import HTTPServer
from tornado.template import Template
from tornado.web import Application, RequestHandler

from benchmarks.web import Queries, application

PAGE = """<!DOCTYPE html>
<html><head><title>Fortunes</title></head><body><table>
<tr><th>id</th><th>message</th></tr>
{% for id, message in fortunes %}<tr><td>{{ id }}</td><td>{{ message }}</td></tr>
{% end %}</table></body></html>
"""


class _Handler(RequestHandler):
    def initialize(self, queries: Queries) -> None:
        self.queries = queries

    def compute_etag(self) -> None:
        """None: no other framework makes one by itself."""

    @property
    def wanted(self) -> int:
        return application.wanted(self.get_argument("queries", None))

    def write_json(self, found: Any) -> None:
        self.set_header("Content-Type", "application/json")
        self.write(json_encode(found))


class _Single(_Handler):
    async def get(self) -> None:
        self.write_json(await application.single(self.queries))


class _Many(_Handler):
    async def get(self) -> None:
        self.write_json(await application.many(self.queries, self.wanted))


class _Fortunes(_Handler):
    page = Template(PAGE)

    async def get(self) -> None:
        self.write(self.page.generate(fortunes=await application.fortunes(self.queries)))


class _Updates(_Handler):
    async def get(self) -> None:
        self.write_json(await application.updates(self.queries, self.wanted))


HANDLERS: dict[str, type[_Handler]] = {
    "/db": _Single,
    "/queries": _Many,
    "/fortunes": _Fortunes,
    "/updates": _Updates,
}


@asynccontextmanager
async def serving(queries: Queries, listening: socket.socket) -> AsyncIterator[None]:
    """Serve as long as the block runs."""
    given = {"queries": queries}
    server = HTTPServer(Application([(path, handler, given) for path, handler in HANDLERS.items()]))
    server.add_socket(listening)
    try:
        yield
    finally:
        server.stop()
        await server.close_all_connections()
