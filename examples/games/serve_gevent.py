"""The games application on gevent: WSGI, a greenlet for each request, plain calls of the service.

gevent makes what blocks let other greenlets run, and stretto's Database blocks by Python's own sockets. The middleware
gives each change a transaction, which is committed before the answer is sent; reads need none.
"""

from gevent import monkey

monkey.patch_all()

import logging  # noqa: E402  # gevent wants to be first
import re  # noqa: E402
from collections.abc import Callable, Iterable  # noqa: E402
from http import HTTPStatus  # noqa: E402
from socket import socket  # noqa: E402
from typing import Any  # noqa: E402

import command  # noqa: E402
import replies  # noqa: E402
import service  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402
from models import Game  # noqa: E402
from replies import Reply  # noqa: E402

import stretto  # noqa: E402
from stretto.web import WSGITransactionMiddleware, retryable  # noqa: E402

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def sent(environ: Environ) -> tuple[str | None, bytes]:
    """The type of what was sent, and it."""
    return environ.get("CONTENT_TYPE"), environ["wsgi.input"].read()


def shelf(db: stretto.Database, environ: Environ) -> Reply:
    return replies.shelf(service.games(db, replies.after(environ["QUERY_STRING"])))


def new(db: stretto.Database, environ: Environ) -> Reply:
    return replies.new()


@retryable
def add(db: stretto.Database, environ: Environ) -> Reply:
    entry = replies.form(*sent(environ))
    try:
        return replies.saved(service.add(db, entry))
    except service.Refusal as refusal:
        return replies.refused(entry, refusal)


def edit(db: stretto.Database, environ: Environ, key: str) -> Reply:
    return replies.edit(service.game(db, replies.key(key)))


@retryable
def change(db: stretto.Database, environ: Environ, key: str) -> Reply:
    entry = replies.form(*sent(environ))
    version = replies.version(entry)
    try:
        return replies.saved(service.change(db, replies.key(key), version, entry))
    except service.Refusal as refusal:
        return replies.refused(entry, refusal)


def games_json(db: stretto.Database, environ: Environ) -> Reply:
    return replies.games_json(service.games(db, replies.after(environ["QUERY_STRING"])))


@retryable
def add_json(db: stretto.Database, environ: Environ) -> Reply:
    entry = replies.json_object(*sent(environ))
    return replies.added_json(service.add(db, entry))


def game_json(db: stretto.Database, environ: Environ, key: str) -> Reply:
    return replies.game_json(service.game(db, replies.key(key)))


@retryable
def change_json(db: stretto.Database, environ: Environ, key: str) -> Reply:
    entry = replies.json_object(*sent(environ))
    version = replies.version(entry)
    return replies.game_json(service.change(db, replies.key(key), version, entry))


def style(db: stretto.Database, environ: Environ) -> Reply:
    return replies.style()


ROUTES: list[tuple[str, dict[str, Callable[..., Reply]]]] = [
    ("/", {"GET": shelf}),
    ("/new", {"GET": new, "POST": add}),
    ("/games/([^/]+)", {"GET": edit, "POST": change}),
    ("/api/games", {"GET": games_json, "POST": add_json}),
    ("/api/games/([^/]+)", {"GET": game_json, "PUT": change_json}),
    (r"/style\.css", {"GET": style}),
]


def answer(db: stretto.Database, environ: Environ) -> Reply:
    """Find the function for a URL and method, and call it."""
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    for pattern, functions in ROUTES:
        match = re.fullmatch(pattern, path)
        function = functions.get("GET" if method == "HEAD" else method)
        if match and function:
            return function(db, environ, *match.groups())
    return replies.of_error(path, None)


def application(db: stretto.Database) -> Application:
    """The WSGI application."""

    def respond(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        return send(answer(db, environ), environ, start_response)

    return with_pages(WSGITransactionMiddleware(respond, db, safe="outside"))


def with_pages(application: Application) -> Application:
    """Answer to what is raised inside, by the COMMIT too. The transaction is over by then."""

    def respond(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return application(environ, start_response)
        except Exception as error:
            reply = replies.of_error(environ["PATH_INFO"], error)
            if reply.status >= 500:
                logging.exception("%s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            return send(reply, environ, start_response)

    return respond


def send(reply: Reply, environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", reply.headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]


def serve(url: str, listening: socket) -> None:
    with stretto.Database(url, acquire_timeout=command.PATIENCE) as db:
        db.create_tables(Game)
        WSGIServer(listening, application(db), log=None).serve_forever()


if __name__ == "__main__":
    with command.started("gevent") as (url, listening):
        serve(url, listening)
