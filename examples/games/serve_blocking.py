"""The games application on Tornado, with handlers that block: one request after the other.

The oldest way, and the plainest. While a statement runs, nobody else is served.
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
    def get(self) -> None:
        self.reply(replies.shelf(service.games(self.db, replies.after(self.request.query))))

    head = get


class New(Handler):
    def get(self) -> None:
        self.reply(replies.new())

    head = get

    @transactional(attempts=ATTEMPTS)
    def post(self) -> None:
        entry = replies.form(*self.sent)
        try:
            self.reply(replies.saved(service.add(self.db, entry)))
        except service.Refusal as refusal:
            self.reply(replies.refused(entry, refusal))


class Edit(Handler):
    def get(self, key: str) -> None:
        self.reply(replies.edit(service.game(self.db, replies.key(key))))

    head = get

    @transactional(attempts=ATTEMPTS)
    def post(self, key: str) -> None:
        entry = replies.form(*self.sent)
        number, version = replies.key(key), replies.version(entry)
        try:
            game = service.change(self.db, number, version, entry)
            self.reply(replies.saved(game))
        except service.Refusal as refusal:
            self.reply(replies.refused(entry, refusal))


class Games(Handler):
    def get(self) -> None:
        self.reply(replies.games_json(service.games(self.db, replies.after(self.request.query))))

    head = get

    @transactional(attempts=ATTEMPTS)
    def post(self) -> None:
        entry = replies.json_object(*self.sent)
        self.reply(replies.added_json(service.add(self.db, entry)))


class One(Handler):
    def get(self, key: str) -> None:
        self.reply(replies.game_json(service.game(self.db, replies.key(key))))

    head = get

    @transactional(attempts=ATTEMPTS)
    def put(self, key: str) -> None:
        entry = replies.json_object(*self.sent)
        number, version = replies.key(key), replies.version(entry)
        game = service.change(self.db, number, version, entry)
        self.reply(replies.game_json(game))


async def serve(url: str, listening: socket) -> None:
    with stretto.Database(url, acquire_timeout=command.PATIENCE) as db:
        db.create_tables(Game)
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
    with command.started("Tornado, blocking handlers") as (url, listening):
        asyncio.run(serve(url, listening))
