"""The ASGI middleware behind a real server: what goes over the wire, and clients that go away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.live.support import until

from stretto import AsyncDatabase
from stretto.web import TransactionMiddleware

INSERT = "insert into t values ($1)"


@asynccontextmanager
async def served(
    endpoint: Callable[[Request], Any], db: AsyncDatabase, **options: Any
) -> AsyncIterator[Callable[[str], Any]]:
    """Serve an endpoint; gives a function that connects and sends a POST."""
    app = TransactionMiddleware(Starlette(routes=[Route("/{number}", endpoint, methods=["POST"])]), db, **options)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="critical"))
        running = asyncio.ensure_future(server.serve(sockets=[listening]))

        async def post(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            head = f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            return reader, writer

        yield post
        server.should_exit = True
        await running


@pytest.mark.parametrize(("number", "status", "stored"), [(1, b"200", 1), (2000, b"500", 0)])
async def test_the_answer_is_sent_when_the_commit_has_been_done(
    db: AsyncDatabase, outside: psycopg.Connection[Any], number: int, status: bytes, stored: int
) -> None:
    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, int(request.path_params["number"]))
        return PlainTextResponse("done")

    async with served(endpoint, db) as post:
        reader, writer = await post(f"/{number}")
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        await writer.wait_closed()
    assert answer.split()[1] == status
    assert answer.endswith(b"done") == bool(stored)
    assert outside.execute("select count(*) from t").fetchone() == (stored,)


async def test_a_client_that_goes_away_rolls_back(db: AsyncDatabase, outside: psycopg.Connection[Any], t: str) -> None:
    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, 1)
        running.set()
        try:
            await db.execute("select pg_sleep(60)")
        finally:
            ended.set()
        raise AssertionError

    running, ended = asyncio.Event(), asyncio.Event()
    async with served(endpoint, db, cancel_on_disconnect=True) as post:
        _, writer = await post("/1")
        await asyncio.wait_for(running.wait(), 30)
        writer.close()
        await writer.wait_closed()
        await asyncio.wait_for(ended.wait(), 30)
        assert await db.fetchval("select count(*) from t") == 0
    sleeping = (
        "select count(*) from pg_stat_activity where query like %s and state = 'active' and application_name = %s"
    )
    until(outside, sleeping, "select pg_sleep%", t, wanted=0)
    assert outside.execute("select count(*) from t").fetchone() == (0,)
