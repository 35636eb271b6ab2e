"""Tornado's handlers behind a real server: over before anything is sent, in async and plain methods."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from tests.live.support import until
from tornado import gen
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httputil import HTTPHeaders
from tornado.web import Finish, HTTPError, authenticated
from tornado.websocket import WebSocketHandler, websocket_connect

from stretto import AsyncDatabase, Database, errors
from stretto.errors import UsageError
from stretto.web.tornado import ApplicationMixin, HandlerMixin, transactional

SEEN = "select array_agg(i order by i) from t"
INSERT = "insert into t values ($1)"
CONFLICT = "do $$ begin raise sqlstate '40001'; end $$"


class Broken(Exception):
    """What a handler raises."""


@pytest.fixture
def seen(outside: psycopg.Connection[Any], t: str) -> Callable[[], list[int] | None]:
    """What another connection sees in the table."""

    def look() -> list[int] | None:
        row = outside.execute(SEEN).fetchone()
        return None if row is None else row[0]

    return look


@pytest.fixture
def blocking(server_url: str, t: str) -> Any:
    """A blocking database with the table."""
    with Database(server_url, server_settings={"search_path": t}) as found:
        yield found


@pytest.fixture(autouse=True)
def logs() -> Any:
    """What Tornado says of failed requests is expected."""
    loggers = [logging.getLogger(f"tornado.{name}") for name in ("access", "application", "general")]
    for logger in loggers:
        logger.disabled = True
    yield
    for logger in loggers:
        logger.disabled = False


class Handler(HandlerMixin):
    """Tells what was seen when its response was sent."""

    look: Any = None
    told: list[Any]

    def prepare(self) -> None:
        self.set_header("X-Prepared", "yes")
        self.set_cookie("prepared", "yes")

    def on_finish(self) -> None:
        self.told.append(self.look())

    def flush(self, include_footers: bool = False) -> Any:
        self.told.append(self.look())
        return super().flush(include_footers)

    def compute_etag(self) -> None:
        return None


def handler_of(method: Any, look: Any) -> type[Handler]:
    return type("Made", (Handler,), {"post": method, "look": staticmethod(look), "told": []})


async def ask(db: Any, handler: Any, requests: int = 1) -> Any:
    """Serve a handler, and return what it answers, as one response or several."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = ApplicationMixin([("/(.*)", handler)], db=db)
    async with app.serving(port, "127.0.0.1"):
        url = f"http://127.0.0.1:{port}/x"
        client = AsyncHTTPClient(force_instance=True)
        calls = (
            client.fetch(url, method="POST", body=b"", raise_error=False, follow_redirects=False)
            for _ in range(requests)
        )
        found: list[HTTPResponse] = await asyncio.gather(*calls)
        client.close()
    return found[0] if requests == 1 else found


def cookies(headers: HTTPHeaders) -> list[str]:
    return [each.partition(";")[0] for each in headers.get_list("Set-Cookie")]


ENDINGS: list[tuple[Callable[[Any], Any], int, bytes]] = [
    (lambda self: self.write("done"), 200, b"done"),
    (lambda self: self.finish("done"), 200, b"done"),
    (lambda self: self.finish({"a": 1}), 200, b'{"a": 1}'),
    (lambda self: self.redirect("/elsewhere"), 302, b""),
    (lambda self: self.set_status(204), 204, b""),
]


@pytest.mark.parametrize("ending", ENDINGS, ids=["write", "finish", "json", "redirect", "empty"])
async def test_it_is_committed_before_anything_is_sent(db: AsyncDatabase, seen: Any, ending: Any) -> None:
    end, status, body = ending

    @transactional
    async def post(self: Any, path: str) -> None:
        await asyncio.gather(self.db.execute(INSERT, 1), self.db.execute(INSERT, 2))
        end(self)
        assert self.told == []
        assert seen() is None

    handler = handler_of(post, seen)
    answer = await ask(db, handler)
    assert (answer.code, answer.body) == (status, body)
    assert answer.headers["X-Prepared"] == "yes"
    assert handler.told
    assert all(rows == [1, 2] for rows in handler.told)


@pytest.mark.parametrize("ending", ENDINGS, ids=["write", "finish", "json", "redirect", "empty"])
async def test_a_plain_method_with_a_blocking_database(blocking: Database, seen: Any, ending: Any) -> None:
    end, status, body = ending

    @transactional()
    def post(self: Any, path: str) -> None:
        self.db.execute(INSERT, 1)
        end(self)
        assert seen() is None

    handler = handler_of(post, seen)
    answer = await ask(blocking, handler)
    assert (answer.code, answer.body) == (status, body)
    assert all(rows == [1] for rows in handler.told)


@pytest.mark.parametrize("ending", ENDINGS, ids=["write", "finish", "json", "redirect", "empty"])
@pytest.mark.parametrize("plain", [False, True])
async def test_a_failed_commit_is_a_500(
    db: AsyncDatabase, blocking: Database, seen: Any, ending: Any, plain: bool
) -> None:
    @transactional(blocking)
    def post_plainly(self: Any, path: str) -> None:
        blocking.execute(INSERT, 2000)
        ending[0](self)

    @transactional(db)
    async def post(self: Any, path: str) -> None:
        await db.execute(INSERT, 2000)
        ending[0](self)

    answer = await ask(db, handler_of(post_plainly if plain else post, seen))
    assert (answer.code, b"done" in answer.body) == (500, False)
    assert seen() is None


def refuse(self: Any) -> None:
    self.set_status(409)
    self.finish("no")


def fail(self: Any) -> None:
    raise HTTPError(409)


def stop(self: Any) -> None:
    self.set_status(409)
    raise Finish("no")


def crash(self: Any) -> None:
    raise Broken


def end_early(self: Any) -> None:
    self.set_status(201)
    raise Finish("done")


def finish_twice(self: Any) -> None:
    self.finish("once")
    self.finish("twice")


@pytest.mark.parametrize(
    ("end", "status", "kept"),
    [
        (refuse, 409, False),
        (fail, 409, False),
        (stop, 409, False),
        (lambda self: self.send_error(404), 404, False),
        (crash, 500, False),
        (finish_twice, 500, False),
        (lambda self: self.flush(), 500, False),
        (end_early, 201, True),
    ],
)
@pytest.mark.parametrize("plain", [False, True])
async def test_what_rolls_back(
    db: AsyncDatabase, blocking: Database, seen: Any, end: Any, status: int, kept: bool, plain: bool
) -> None:
    @transactional(blocking)
    def post_plainly(self: Any, path: str) -> None:
        blocking.execute(INSERT, 1)
        end(self)

    @transactional(db)
    async def post(self: Any, path: str) -> None:
        await db.execute(INSERT, 1)
        end(self)

    assert (await ask(db, handler_of(post_plainly if plain else post, seen))).code == status
    assert seen() == ([1] if kept else None)


async def test_a_refusal_is_told_whatever_the_transaction_says(db: AsyncDatabase, seen: Any) -> None:
    @transactional
    async def post(self: Any, path: str) -> None:
        with pytest.raises(errors.DataError):
            await self.db.execute("select 1 / 0")
        self.set_status(422)
        self.write("not by zero")

    answer = await ask(db, handler_of(post, seen))
    assert (answer.code, answer.body) == (422, b"not by zero")


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("attempts", "calls"), [(1, 1), (2, 2), (5, 3)])
async def test_a_conflict_is_tried_again_where_it_is_allowed(
    db: AsyncDatabase, blocking: Database, seen: Any, plain: bool, attempts: int, calls: int
) -> None:
    def answer(self: Any) -> None:
        self.set_header(f"X-{len(called)}", "here")
        self.set_cookie(f"c{len(called)}", "here")
        self.set_status(200 + len(called))
        self.finish(f"call {len(called)}")

    @transactional(blocking, attempts=attempts)
    def post_plainly(self: Any, path: str) -> None:
        called.append(path)
        answer(self)
        blocking.execute(INSERT, 1)
        if len(called) < 3:
            blocking.execute(CONFLICT)

    @transactional(attempts=attempts)
    async def post(self: Any, path: str) -> None:
        called.append(path)
        answer(self)
        await db.execute(INSERT, 1)
        if len(called) < 3:
            await db.execute(CONFLICT)

    called: list[str] = []
    found = await ask(db, handler_of(post_plainly if plain else post, seen))
    assert called == ["x"] * calls
    if calls < 3:
        assert (found.code, seen()) == (500, None)
    else:
        assert (found.code, found.body, seen()) == (203, b"call 3", [1])
        assert [name for name in found.headers if name in ("X-1", "X-2", "X-3")] == ["X-3"]
        assert sorted(cookies(found.headers)) == ["c3=here", "prepared=yes"]


async def test_two_requests_that_conflict(db: AsyncDatabase, seen: Any) -> None:
    @transactional(isolation="serializable", attempts=5)
    async def post(self: Any, path: str) -> None:
        count = await db.fetchval("select count(*)::int from t")
        called.append(count)
        if len(called) == 2:
            both.set()
        await both.wait()
        await db.execute(INSERT, count)
        self.write(str(count))

    called, both = list[int](), asyncio.Event()
    answers = await ask(db, handler_of(post, seen), requests=2)
    assert sorted(answer.body for answer in answers) == [b"0", b"1"]
    assert (called, seen()) == ([0, 0, 1], [0, 1])


async def test_a_client_that_goes_away_rolls_back(db: AsyncDatabase, outside: Any, seen: Any, t: str) -> None:
    @transactional
    async def post(self: Any, path: str) -> None:
        await db.execute(INSERT, 1)
        running.set()
        try:
            await db.execute("select pg_sleep(60)")
        except asyncio.CancelledError:
            ended.set()
            raise

    def on_connection_close(self: Any) -> None:
        told.append(1)

    running, ended, told = asyncio.Event(), asyncio.Event(), list[int]()
    handler = handler_of(post, seen)
    handler.on_connection_close = on_connection_close  # type: ignore[method-assign]  # a class of its own
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with ApplicationMixin([("/(.*)", handler)], db=db).serving(port, "127.0.0.1"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /x HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n")
        await asyncio.wait_for(running.wait(), 30)
        writer.close()
        await writer.wait_closed()
        await asyncio.wait_for(ended.wait(), 30)
        assert await db.fetchval("select count(*) from t") == 0
    until(outside, "select count(*) from pg_stat_activity where application_name = %s", t, wanted=0)
    assert (seen(), told) == (None, [1])


async def test_an_async_method_needs_an_async_database(blocking: Database) -> None:
    @transactional(blocking)
    async def post(self: Any) -> None:
        raise AssertionError

    with pytest.raises(UsageError, match="needs an AsyncDatabase"):
        post(None)
    with pytest.raises(UsageError, match="not NoneType"):
        transactional(lambda self: None)(None)


async def with_an_await(self: Any, path: str) -> None:
    self.db.execute(INSERT, 1)
    await asyncio.sleep(0)
    self.db.execute(INSERT, 2)
    self.write("done")


def with_a_yield(self: Any, path: str) -> Any:
    self.db.execute(INSERT, 1)
    yield gen.sleep(0)
    self.db.execute(INSERT, 2)
    self.write("done")


def in_a_task(self: Any, path: str) -> Any:
    self.db.execute(INSERT, 1)
    return asyncio.ensure_future(with_an_await(self, path))


@pytest.mark.parametrize(
    "method", [authenticated(with_an_await), gen.coroutine(with_a_yield), in_a_task], ids=["coroutine", "yield", "task"]
)
async def test_a_method_that_another_decorator_makes_async_needs_an_async_database(
    blocking: Database, seen: Any, method: Any
) -> None:
    handler = handler_of(transactional(method), seen)
    handler.get_current_user = lambda self: "somebody"  # type: ignore[method-assign]  # a class of its own
    handler.log_exception = lambda self, *error: told.append(error[1])  # type: ignore[method-assign]  # the same
    told: list[Any] = []
    answer = await ask(blocking, handler)
    assert (answer.code, b"done" in answer.body) == (500, False)
    assert isinstance(told[0], UsageError)
    assert "needs an AsyncDatabase" in str(told[0])
    for _ in range(3):  # what still runs of it
        await asyncio.sleep(0)
    assert seen() is None


async def test_a_method_that_another_decorator_makes_async_with_an_async_database(db: AsyncDatabase, seen: Any) -> None:
    def post(self: Any, path: str) -> Any:
        for number in (1, 2):
            yield self.db.execute(INSERT, number)
        self.write("done")

    answer = await ask(db, handler_of(transactional(gen.coroutine(post)), seen))
    assert (answer.code, answer.body, seen()) == (200, b"done", [1, 2])


async def test_messages_of_a_websocket(db: AsyncDatabase, seen: Any) -> None:
    class Socket(HandlerMixin, WebSocketHandler):
        @transactional
        async def on_message(self, message: str | bytes) -> None:
            await self.db.execute(INSERT, int(message))
            await self.write_message("done")

        def log_exception(self, *error: Any) -> None:
            told.append(error)

        async def _execute(self, *args: Any, **keywords: Any) -> None:
            await super()._execute(*args, **keywords)
            ended.set()

    told, ended = list[Any](), asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with ApplicationMixin([("/", Socket)], db=db).serving(port, "127.0.0.1"):
        client = await websocket_connect(f"ws://127.0.0.1:{port}/")
        for message in ("1", "2"):
            await client.write_message(message)
            assert await client.read_message() == "done"
        client.close()
        assert await client.read_message() is None
        await asyncio.wait_for(ended.wait(), 30)
    assert seen() == [1, 2]
    assert told == []


async def test_the_database_is_closed_at_the_end(db: AsyncDatabase, blocking: Database) -> None:
    for each in (db, blocking):
        async with ApplicationMixin([], db=each).serving(0, "127.0.0.1"):
            found = each.fetchval("select 1")
            assert (found if isinstance(each, Database) else await found) == 1
    with pytest.raises(errors.PoolClosed):
        await db.fetchval("select 1")
    with pytest.raises(errors.PoolClosed):
        blocking.fetchval("select 1")
