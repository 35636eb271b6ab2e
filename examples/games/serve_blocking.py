"""The games application on Tornado, with handlers that block: one request after the other.

The oldest way, and the plainest. While a statement runs, nobody else is served.
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
    def initialize(self, db: stretto.Database) -> None:
        self.db = db


class Shelf(Handler):
    def get(self) -> None:
        self.reply(replies.shelf(service.games(self.db, replies.after(self.request.query))))

    head = get


class New(Handler):
    def get(self) -> None:
        self.reply(replies.new())

    head = get

    def post(self) -> None:
        entry = replies.form(*self.sent)
        try:
            self.reply(replies.saved(self.db.transact(lambda: service.add(self.db, entry))))
        except service.Refusal as refusal:
            self.reply(replies.refused(entry, refusal))


class Edit(Handler):
    def get(self, key: str) -> None:
        self.reply(replies.edit(service.game(self.db, replies.key(key))))

    head = get

    def post(self, key: str) -> None:
        entry = replies.form(*self.sent)
        number, version = replies.key(key), replies.version(entry)
        try:
            game = self.db.transact(lambda: service.change(self.db, number, version, entry))
            self.reply(replies.saved(game))
        except service.Refusal as refusal:
            self.reply(replies.refused(entry, refusal))


class Games(Handler):
    def get(self) -> None:
        self.reply(replies.games_json(service.games(self.db, replies.after(self.request.query))))

    head = get

    def post(self) -> None:
        entry = replies.json_object(*self.sent)
        self.reply(replies.added_json(self.db.transact(lambda: service.add(self.db, entry))))


class One(Handler):
    def get(self, key: str) -> None:
        self.reply(replies.game_json(service.game(self.db, replies.key(key))))

    head = get

    def put(self, key: str) -> None:
        entry = replies.json_object(*self.sent)
        number, version = replies.key(key), replies.version(entry)
        game = self.db.transact(lambda: service.change(self.db, number, version, entry))
        self.reply(replies.game_json(game))


async def serve(url: str, listening: socket) -> None:
    with stretto.Database(url, acquire_timeout=command.PATIENCE) as db:
        db.create_tables(Game)
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
    with command.started("Tornado, blocking handlers") as (url, listening):
        asyncio.run(serve(url, listening))
