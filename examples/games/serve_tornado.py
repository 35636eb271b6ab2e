"""The games application on Tornado, with coroutines: beside `serve_blocking.py`, the difference is `await db.run(...)`.

While a statement runs, everybody else is served. The service is the same, and knows nothing of it.
"""

from __future__ import annotations

import asyncio
from socket import socket

import command
import replies
import service
from models import Game
from on_tornado import Nothing, Replying, Style

import stretto
from stretto.web.tornado import ApplicationMixin, HandlerMixin, transactional

ATTEMPTS = 5  # of a change, where the server says that it conflicts with another one


class Handler(HandlerMixin, Replying):
    """`self.db` is the application's. A `@transactional` method is answered when its transaction is committed."""


class Shelf(Handler):
    async def get(self) -> None:
        self.reply(replies.shelf(await self.db.run(service.games, replies.after(self.request.query))))

    head = get


class New(Handler):
    async def get(self) -> None:
        self.reply(replies.new())

    head = get

    @transactional(attempts=ATTEMPTS)
    async def post(self) -> None:
        entry = replies.form(*self.sent)
        try:
            self.reply(replies.saved(await self.db.run(service.add, entry)))
        except service.Refusal as refusal:
            self.reply(replies.refused(entry, refusal))


class Edit(Handler):
    async def get(self, key: str) -> None:
        self.reply(replies.edit(await self.db.run(service.game, replies.key(key))))

    head = get

    @transactional(attempts=ATTEMPTS)
    async def post(self, key: str) -> None:
        entry = replies.form(*self.sent)
        number, version = replies.key(key), replies.version(entry)
        try:
            game = await self.db.run(service.change, number, version, entry)
            self.reply(replies.saved(game))
        except service.Refusal as refusal:
            self.reply(replies.refused(entry, refusal))


class Games(Handler):
    async def get(self) -> None:
        self.reply(replies.games_json(await self.db.run(service.games, replies.after(self.request.query))))

    head = get

    @transactional(attempts=ATTEMPTS)
    async def post(self) -> None:
        entry = replies.json_object(*self.sent)
        self.reply(replies.added_json(await self.db.run(service.add, entry)))


class One(Handler):
    async def get(self, key: str) -> None:
        self.reply(replies.game_json(await self.db.run(service.game, replies.key(key))))

    head = get

    @transactional(attempts=ATTEMPTS)
    async def put(self, key: str) -> None:
        entry = replies.json_object(*self.sent)
        number, version = replies.key(key), replies.version(entry)
        game = await self.db.run(service.change, number, version, entry)
        self.reply(replies.game_json(game))


async def serve(url: str, listening: socket) -> None:
    async with stretto.AsyncDatabase(url, acquire_timeout=command.PATIENCE) as db:
        await db.create_tables(Game)
        application = ApplicationMixin(
            [
                ("/", Shelf),
                ("/new", New),
                ("/games/([^/]+)", Edit),
                ("/api/games", Games),
                ("/api/games/([^/]+)", One),
                (r"/style\.css", Style),
            ],
            db=db,
            default_handler_class=Nothing,
        )
        async with application.serving(listening):
            await asyncio.Event().wait()


if __name__ == "__main__":
    with command.started("Tornado, coroutines") as (url, listening):
        asyncio.run(serve(url, listening))
