"""The application on Starlette and uvicorn, one process; JSON by Starlette's own response, the page by Jinja."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

import jinja2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from benchmarks.web import Queries, application

PAGE = """<!DOCTYPE html>
<html><head><title>Fortunes</title></head><body><table>
<tr><th>id</th><th>message</th></tr>
{% for id, message in fortunes -%}
<tr><td>{{ id }}</td><td>{{ message }}</td></tr>
{% endfor -%}
</table></body></html>
"""
PARSER = "httptools" if find_spec("httptools") else "h11"


def make(queries: Queries) -> Starlette:
    page = jinja2.Environment(autoescape=True).from_string(PAGE)

    async def single(request: Request) -> Response:
        return JSONResponse(await application.single(queries))

    async def many(request: Request) -> Response:
        return JSONResponse(await application.many(queries, _wanted(request)))

    async def fortunes(request: Request) -> Response:
        return HTMLResponse(page.render(fortunes=await application.fortunes(queries)))

    async def updates(request: Request) -> Response:
        return JSONResponse(await application.updates(queries, _wanted(request)))

    paths: dict[str, Any] = {"/db": single, "/queries": many, "/fortunes": fortunes, "/updates": updates}
    return Starlette(routes=[Route(path, function) for path, function in paths.items()])


def _wanted(request: Request) -> int:
    return application.wanted(request.query_params.get("queries"))


@asynccontextmanager
async def serving(queries: Queries, listening: socket.socket) -> AsyncIterator[None]:
    """Serve as long as the block runs."""
    config = uvicorn.Config(make(queries), http=PARSER, lifespan="off", access_log=False, log_level="warning")
    server = uvicorn.Server(config)
    running = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await running
