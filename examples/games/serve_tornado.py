"""The games application on Tornado, with coroutines: beside `serve_blocking.py`, the difference is `await db.run(...)`.

While a statement runs, everybody else is served. The service is the same, and knows nothing of it.
"""

from __future__ import annotations

import asyncio
from socket import socket

import command
import replies
import service
import tornado.httpserver
import tornado.web
from models import Game
from on_tornado import Nothing, Replying, Style

import stretto


class Handler(Replying):
    def initialize(self, db: stretto.AsyncDatabase) -> None:
        self.db = db


class Shelf(Handler):
    async def get(self) -> None:
        self.reply(replies.shelf(await self.db.run(service.games, replies.after(self.request.query))))

    head = get


class New(Handler):
    async def get(self) -> None:
        self.reply(replies.new())

    head = get

    async def post(self) -> None:
        entry = replies.form(*self.sent)
        try:
            self.reply(replies.saved(await self.db.transact(lambda: self.db.run(service.add, entry))))
        except service.Refusal as refusal:
            self.reply(replies.refused(entry, refusal))


class Edit(Handler):
    async def get(self, key: str) -> None:
        self.reply(replies.edit(await self.db.run(service.game, replies.key(key))))

    head = get

    async def post(self, key: str) -> None:
        entry = replies.form(*self.sent)
        number, version = replies.key(key), replies.version(entry)
        try:
            game = await self.db.transact(lambda: self.db.run(service.change, number, version, entry))
            self.reply(replies.saved(game))
        except service.Refusal as refusal:
            self.reply(replies.refused(entry, refusal))


class Games(Handler):
    async def get(self) -> None:
        self.reply(replies.games_json(await self.db.run(service.games, replies.after(self.request.query))))

    head = get

    async def post(self) -> None:
        entry = replies.json_object(*self.sent)
        self.reply(replies.added_json(await self.db.transact(lambda: self.db.run(service.add, entry))))


class One(Handler):
    async def get(self, key: str) -> None:
        self.reply(replies.game_json(await self.db.run(service.game, replies.key(key))))

    head = get

    async def put(self, key: str) -> None:
        entry = replies.json_object(*self.sent)
        number, version = replies.key(key), replies.version(entry)
        game = await self.db.transact(lambda: self.db.run(service.change, number, version, entry))
        self.reply(replies.game_json(game))


async def serve(url: str, listening: socket) -> None:
    async with stretto.AsyncDatabase(url, acquire_timeout=command.PATIENCE) as db:
        await db.create_tables(Game)
        with_db = {"db": db}
        application = tornado.web.Application(
            [
                ("/", Shelf, with_db),
                ("/new", New, with_db),
                ("/games/([^/]+)", Edit, with_db),
                ("/api/games", Games, with_db),
                ("/api/games/([^/]+)", One, with_db),
                (r"/style\.css", Style),
            ],
            default_handler_class=Nothing,
        )
        server = tornado.httpserver.HTTPServer(application)
        server.add_socket(listening)
        try:
            await asyncio.Event().wait()
        finally:
            server.stop()


if __name__ == "__main__":
    with command.started("Tornado, coroutines") as (url, listening):
        asyncio.run(serve(url, listening))
