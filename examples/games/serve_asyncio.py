"""The games application on Starlette: asyncio, `await db.run(...)`, no Tornado.

The middleware gives each change a transaction, which is committed before the answer is sent; reads need none.
"""

from __future__ import annotations

import asyncio
from socket import socket

import command
import replies
import service
import uvicorn
from models import Game
from replies import Reply
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import stretto
from stretto.web import TransactionMiddleware, retryable


def response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers))


def refuse(request: Request, error: Exception) -> Response:
    """Answer to what was raised, by Starlette itself where a URL or a method is not served."""
    ours = isinstance(error, HTTPException) and error.status_code in (404, 405)
    return response(replies.of_error(request.url.path, None if ours else error))


class Endpoint(HTTPEndpoint):
    @property
    def db(self) -> stretto.AsyncDatabase:
        db: stretto.AsyncDatabase = self.scope["app"].state.db
        return db


async def sent(request: Request) -> tuple[str | None, bytes]:
    """The type of what was sent, and it."""
    return request.headers.get("Content-Type"), await request.body()


def key_in(request: Request) -> int:
    return replies.key(request.path_params["key"])


class Shelf(Endpoint):
    async def get(self, request: Request) -> Response:
        return response(replies.shelf(await self.db.run(service.games, replies.after(request.url.query))))


class New(Endpoint):
    async def get(self, request: Request) -> Response:
        return response(replies.new())

    @retryable
    async def post(self, request: Request) -> Response:
        entry = replies.form(*await sent(request))
        try:
            return response(replies.saved(await self.db.run(service.add, entry)))
        except service.Refusal as refusal:
            return response(replies.refused(entry, refusal))


class Edit(Endpoint):
    async def get(self, request: Request) -> Response:
        return response(replies.edit(await self.db.run(service.game, key_in(request))))

    @retryable
    async def post(self, request: Request) -> Response:
        entry = replies.form(*await sent(request))
        key, version = key_in(request), replies.version(entry)
        try:
            game = await self.db.run(service.change, key, version, entry)
            return response(replies.saved(game))
        except service.Refusal as refusal:
            return response(replies.refused(entry, refusal))


class Games(Endpoint):
    async def get(self, request: Request) -> Response:
        return response(replies.games_json(await self.db.run(service.games, replies.after(request.url.query))))

    @retryable
    async def post(self, request: Request) -> Response:
        entry = replies.json_object(*await sent(request))
        return response(replies.added_json(await self.db.run(service.add, entry)))


class One(Endpoint):
    async def get(self, request: Request) -> Response:
        return response(replies.game_json(await self.db.run(service.game, key_in(request))))

    @retryable
    async def put(self, request: Request) -> Response:
        entry = replies.json_object(*await sent(request))
        key, version = key_in(request), replies.version(entry)
        game = await self.db.run(service.change, key, version, entry)
        return response(replies.game_json(game))


class Style(Endpoint):
    async def get(self, request: Request) -> Response:
        return response(replies.style())


def application(db: stretto.AsyncDatabase) -> Starlette:
    app = Starlette(
        routes=[
            Route("/", Shelf),
            Route("/new", New),
            Route("/games/{key}", Edit),
            Route("/api/games", Games),
            Route("/api/games/{key}", One),
            Route("/style.css", Style),
        ],
        middleware=[Middleware(TransactionMiddleware, db, safe="outside")],
        exception_handlers=dict.fromkeys((HTTPException, service.Refusal, stretto.Error, Exception), refuse),
    )
    app.router.redirect_slashes = False  # /new/ is nothing, as on the other three
    app.state.db = db
    return app


async def serve(url: str, listening: socket) -> None:
    async with stretto.AsyncDatabase(url, acquire_timeout=command.PATIENCE) as db:
        await db.create_tables(Game)
        server = uvicorn.Server(uvicorn.Config(application(db), log_level="warning"))
        await server.serve(sockets=[listening])


if __name__ == "__main__":
    with command.started("Starlette on asyncio") as (url, listening):
        asyncio.run(serve(url, listening))
