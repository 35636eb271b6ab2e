"""A web application's requests in the sandbox: their transactions are savepoints of the test's."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.web.asgi import Client

import stretto
from stretto.testing import sandbox
from stretto.web import TransactionMiddleware


async def test_requests_are_in_it(db: stretto.AsyncDatabase, seen: Any) -> None:
    async def endpoint(request: Request) -> Response:
        number = int(request.url.path[1:])
        await db.execute("insert into t values ($1)", number)
        later = BackgroundTask(db.execute, "insert into t values ($1)", number + 10)
        return PlainTextResponse("", 200 if number < 3 else 409, background=later)

    app = Starlette(routes=[Route("/{number}", endpoint, methods=["POST"])])
    client = Client(TransactionMiddleware(app, db, isolation="serializable"))
    async with sandbox(db):
        assert [(await client.request(f"/{number}"))[0] for number in (1, 2, 2, 3)] == [200, 200, 500, 409]
        assert await db.fetchval("select array_agg(i order by i) from t") == [1, 2, 11, 12, 13]
        assert seen() is None
    assert seen() is None
