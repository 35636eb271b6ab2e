"""The ASGI middleware, called as a server calls it: when it commits, when it rolls back, what it tries again."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.web.asgi import Client

import stretto
from stretto import AsyncDatabase, Database, errors
from stretto.errors import TransactionClosed, UsageError
from stretto.sqlstate import ForeignKeyViolation, ReadOnlySqlTransaction, SerializationFailure
from stretto.web import TransactionMiddleware, lifespan, retryable

SEEN = "select array_agg(i order by i) from t"
INSERT = "insert into t values ($1)"
Endpoint = Callable[[Request], Any]


class Broken(Exception):
    """What a handler raises."""


@pytest.fixture
def seen(outside: psycopg.Connection[Any], t: str) -> Callable[[], list[int] | None]:
    """What another connection sees in the table."""

    def look() -> list[int] | None:
        row = outside.execute(SEEN).fetchone()
        return None if row is None else row[0]

    return look


def client_of(endpoint: Endpoint, db: Any, look: Any = None, *, inside: Any = (), **options: Any) -> Client:
    """A client of an application of one endpoint, with the middleware around all of it."""
    methods = ["GET", "POST"]
    app = Starlette(routes=[Route("/{rest:path}", endpoint, methods=methods)], middleware=inside)
    return Client(TransactionMiddleware(app, db, **options), look)


async def test_it_is_committed_when_the_first_byte_is_sent(db: AsyncDatabase, seen: Any) -> None:
    async def endpoint(request: Request) -> Response:
        assert await db.fetchval("select count(*) from t") == 0
        await asyncio.gather(db.execute(INSERT, 1), db.execute(INSERT, 2))
        assert seen() is None
        return PlainTextResponse("done")

    client = client_of(endpoint, db, seen)
    assert await client.request("/") == (200, b"done")
    assert client.seen == [1, 2]


async def test_a_failed_commit_is_a_500(db: AsyncDatabase, seen: Any) -> None:
    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, 2000)
        return PlainTextResponse("done", background=BackgroundTask(mailed.append, "you have"))

    mailed: list[str] = []
    client = client_of(endpoint, db, seen)
    assert await client.request("/") == (500, b"")
    assert isinstance(client.error, ForeignKeyViolation)
    assert (seen(), client.seen, mailed) == (None, None, [])
    app = Starlette(routes=[Route("/", endpoint, methods=["POST"])], middleware=[Middleware(TransactionMiddleware, db)])
    assert await Client(app).request("/") == (500, b"")


async def test_a_failed_commit_is_a_500_whatever_the_application_makes_of_it(db: AsyncDatabase) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await db.execute(INSERT, 2000)
        for _ in range(2):
            with pytest.raises(ForeignKeyViolation):
                await send({"type": "http.response.start", "status": 200, "headers": []})

    client = Client(TransactionMiddleware(app, db))
    assert await client.request("/") == (500, b"")
    assert isinstance(client.error, ForeignKeyViolation)


async def test_a_swallowed_error_is_no_success(db: AsyncDatabase, seen: Any) -> None:
    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, 1)
        with pytest.raises(errors.DataError):
            await db.execute("select 1 / 0")
        return PlainTextResponse("done")

    client = client_of(endpoint, db)
    assert await client.request("/") == (500, b"")
    assert isinstance(client.error, errors.DataError)
    assert seen() is None


@pytest.mark.parametrize(
    ("status", "rollback_from", "kept"),
    [(201, 400, True), (303, 400, True), (400, 400, False), (404, 400, False), (500, 400, False), (404, 500, True)],
)
@pytest.mark.parametrize("raised", [False, True])
async def test_the_status_decides(
    db: AsyncDatabase, seen: Any, status: int, rollback_from: int, kept: bool, raised: bool
) -> None:
    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, 1)
        if raised:
            raise HTTPException(status, "no")
        return PlainTextResponse("no", status)

    client = client_of(endpoint, db, rollback_from=rollback_from)
    assert await client.request("/") == (status, b"no")
    assert seen() == ([1] if kept else None)


async def test_a_refusal_is_told_whatever_the_transaction_says(db: AsyncDatabase) -> None:
    async def endpoint(request: Request) -> Response:
        try:
            await db.execute("select 1 / 0")
        except errors.DataError:
            return PlainTextResponse("not by zero", 422)
        raise AssertionError

    assert await client_of(endpoint, db).request("/") == (422, b"not by zero")


async def test_an_exception_rolls_back(db: AsyncDatabase, seen: Any) -> None:
    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, 1)
        raise Broken

    client = client_of(endpoint, db)
    assert await client.request("/") == (500, b"")
    assert isinstance(client.error, Broken)
    assert seen() is None


async def test_a_request_without_a_response_is_rolled_back(db: AsyncDatabase, seen: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await db.execute(INSERT, 1)

    assert await Client(TransactionMiddleware(app, db)).request("/") == (0, b"")
    assert seen() is None


@pytest.mark.parametrize("watched", [False, True])
async def test_a_cancelled_request_is_rolled_back(db: AsyncDatabase, seen: Any, watched: bool) -> None:
    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, 1)
        running.set()
        await db.execute("select pg_sleep(60)")
        raise AssertionError

    running = asyncio.Event()
    task = asyncio.ensure_future(client_of(endpoint, db, cancel_on_disconnect=watched).request("/"))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen() is None
    assert await db.fetchval("select count(*) from t") == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("reads", [False, True])
async def test_a_client_that_goes_away_cancels_where_it_is_asked_for(
    db: AsyncDatabase, seen: Any, method: str, reads: bool
) -> None:
    async def endpoint(request: Request) -> Response:
        if reads:
            assert await request.body() == b"ab"
        await db.execute(INSERT, 1)
        gone.set()
        try:
            await db.execute("select pg_sleep(60)")
        finally:
            ended.append(True)
        raise AssertionError

    gone, ended = asyncio.Event(), list[bool]()
    client = client_of(endpoint, db, cancel_on_disconnect=True)
    body = (b"a", b"b") if reads else (b"",)
    assert await client.request("/", method, body, gone) == (0, b"")
    assert (client.error, ended, seen()) == (None, [True], None)


async def test_a_client_that_stays_is_served(db: AsyncDatabase, seen: Any) -> None:
    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, len(await request.body()))
        assert not await request.is_disconnected()
        return PlainTextResponse("done")

    client = client_of(endpoint, db, seen, cancel_on_disconnect=True)
    assert await client.request("/", body=(b"a" * 100, b"b" * 100)) == (200, b"done")
    assert client.seen == [200]


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
async def test_a_stream_runs_behind_the_transaction(db: AsyncDatabase, seen: Any, spec_version: str) -> None:
    async def rows() -> Any:
        yield str(seen())
        async for row in db.stream("select i from t order by i"):
            yield f" {row.i}"
        await db.execute(INSERT, 3)
        yield f" {seen()}"

    async def endpoint(request: Request) -> Response:
        await db.executemany(INSERT, [(1,), (2,)])
        return StreamingResponse(rows())

    client = client_of(endpoint, db, seen)
    client.spec_version = spec_version
    assert await client.request("/") == (200, b"[1, 2] 1 2 [1, 2, 3]")
    assert client.seen == [1, 2]


async def in_a_block(db: Any) -> Any:
    async with db.transaction():
        for number in (1, 2):
            await db.execute(INSERT, number)
            yield f"{number} "


async def by_a_stream(db: Any) -> Any:
    async for number in db.stream("select generate_series(1, 2)", into=int):
        yield f"{number} "


async def detached(db: Any) -> Any:
    with stretto.detached():
        async for piece in in_a_block(db):
            yield piece


def in_a_thread(db: Any) -> Any:
    with db.transaction() as tx:  # each piece is made in a context of its own
        for number in (1, 2):
            tx.execute(INSERT, number)
            yield f"{number} "


BODIES: dict[str, Callable[[Any], Any]] = {"block": in_a_block, "stream": by_a_stream, "detached": detached}


def streaming(made: Any) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return StreamingResponse(made())

    return endpoint


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
@pytest.mark.parametrize("body", BODIES)
async def test_a_body_may_be_made_behind_a_middleware_that_holds_the_start_back_around_ours(
    db: AsyncDatabase, seen: Any, body: str, spec_version: str
) -> None:
    middleware = [Middleware(GZipMiddleware, minimum_size=0), Middleware(TransactionMiddleware, db)]
    route = Route("/", streaming(lambda: BODIES[body](db)), methods=["POST"])
    client = Client(Starlette(routes=[route], middleware=middleware), spec_version=spec_version)
    status, sent = await client.request("/", headers=[(b"accept-encoding", b"gzip")])
    assert (status, gzip.decompress(sent)) == (200, b"1 2 ")
    assert seen() == (None if body == "stream" else [1, 2])


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
@pytest.mark.parametrize(
    ("body", "error"), [("block", "was still open"), ("stream", "has ended"), ("detached", None)], ids=list(BODIES)
)
async def test_what_a_body_that_is_begun_before_its_response_starts_leaves_open_is_told(
    db: AsyncDatabase, seen: Any, body: str, error: str | None, spec_version: str
) -> None:
    inside = [Middleware(GZipMiddleware, minimum_size=0)]
    client = client_of(streaming(lambda: BODIES[body](db)), db, inside=inside)
    client.spec_version = spec_version
    for _ in range(5):  # more than the database has connections
        request = client.request("/", headers=[(b"accept-encoding", b"gzip")])
        status, _ = await asyncio.ensure_future(request)  # in a context of its own, as a server has it
        if error is None:
            assert client.error is None
            await db.execute("delete from t")
        else:
            assert isinstance(client.error, TransactionClosed if body == "stream" else UsageError)
            assert error in str(client.error)
            assert body != "stream" or "stretto.detached()" in client.error.__notes__[0]
        assert status == (500 if body == "block" else 200)
        client.error = None
    assert seen() is None
    assert db.stats().held == 0


async def test_what_a_handler_makes_of_a_body_before_it_answers_is_told(db: AsyncDatabase, seen: Any) -> None:
    async def endpoint(request: Request) -> Response:
        body = in_a_block(db)
        assert await anext(body) == "1 "
        return StreamingResponse(body)

    client = client_of(endpoint, db)
    assert await client.request("/") == (500, b"")
    assert isinstance(client.error, UsageError)
    assert db.stats().held == 0
    assert seen() is None


async def test_a_body_that_is_made_in_threads_is_told_too(server_url: str, t: str, seen: Any) -> None:
    with Database(server_url, server_settings={"search_path": t}, connections=1) as blocking:
        endpoint = streaming(lambda: in_a_thread(blocking))
        for _ in range(2):
            client = client_of(endpoint, blocking, inside=[Middleware(GZipMiddleware, minimum_size=0)])
            assert await client.request("/", headers=[(b"accept-encoding", b"gzip")]) == (500, b"")
            assert isinstance(client.error, UsageError)
            assert "was still open" in str(client.error)
        assert blocking.stats().held == 0
        assert seen() is None
        assert await client_of(endpoint, blocking).request("/") == (200, b"1 2 ")
        assert seen() == [1, 2]


async def test_background_tasks_run_outside(db: AsyncDatabase, seen: Any) -> None:
    async def later() -> None:
        await db.execute(INSERT, 2)
        assert seen() == [1, 2]

    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, 1)
        return PlainTextResponse("done", background=BackgroundTask(later))

    assert await client_of(endpoint, db).request("/") == (200, b"done")
    assert seen() == [1, 2]


async def test_a_task_that_outlives_the_request_is_told_so(db: AsyncDatabase) -> None:
    async def late() -> None:
        await sent.wait()
        await db.execute(INSERT, 2)

    async def endpoint(request: Request) -> Response:
        tasks.append(asyncio.ensure_future(late()))
        await db.execute(INSERT, 1)
        return PlainTextResponse("done")

    sent, tasks = asyncio.Event(), list[Any]()
    assert await client_of(endpoint, db).request("/") == (200, b"done")
    sent.set()
    with pytest.raises(TransactionClosed):
        await tasks[0]


async def test_middleware_with_tasks_of_its_own_may_be_inside(db: AsyncDatabase, seen: Any) -> None:
    async def dispatch(request: Request, call_next: Any) -> Response:
        await db.execute(INSERT, 2)
        response: Response = await call_next(request)
        return response

    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, 1)
        return PlainTextResponse("done")

    client = client_of(endpoint, db, seen, inside=[Middleware(BaseHTTPMiddleware, dispatch)])
    assert await client.request("/") == (200, b"done")
    assert client.seen == [1, 2]


# What is in the transaction, where Starlette's BaseHTTPMiddleware is inside of ours, and around it. On a server that
# speaks ASGI 2.3 Starlette sends a stream from a task of its own.
INSIDE = {"before": "in", "handler": "in", "after": "in", "background": "closed"}
AROUND = {"before": "out", "handler": "in", "after": "out", "stream": "out", "background": "out"}


@pytest.mark.parametrize(
    ("where", "streams", "spec_version", "places"),
    [
        ("inside", False, "2.3", INSIDE),
        ("around", True, "2.4", AROUND),
        ("around", True, "2.3", AROUND),
        ("around", False, "2.3", AROUND),
    ],
)
async def test_what_is_in_the_transaction_beside_a_middleware_with_tasks_of_its_own(
    db: AsyncDatabase, seen: Any, where: str, streams: bool, spec_version: str, places: dict[str, str]
) -> None:
    async def note(name: str) -> None:
        try:
            await db.fetchval("select 1")
            db.on_commit(bool)
        except TransactionClosed:
            found[name] = "closed"
        except UsageError:
            found[name] = "out"
        else:
            found[name] = "in"

    async def dispatch(request: Request, call_next: Any) -> Response:
        await note("before")
        response: Response = await call_next(request)
        await note("after")
        found_rows.append(seen())
        return response

    async def rows() -> Any:
        await note("stream")
        yield "done"

    async def endpoint(request: Request) -> Response:
        await note("handler")
        await db.execute(INSERT, 1)
        background = BackgroundTask(note, "background")
        return (
            StreamingResponse(rows(), background=background)
            if streams
            else PlainTextResponse("done", 200, background=background)
        )

    found, found_rows = dict[str, str](), list[Any]()
    task_of_its_own = Middleware(BaseHTTPMiddleware, dispatch)
    if where == "inside":
        client = client_of(endpoint, db, inside=[task_of_its_own])
    else:
        middleware = [task_of_its_own, Middleware(TransactionMiddleware, db)]
        client = Client(Starlette(routes=[Route("/", endpoint, methods=["POST"])], middleware=middleware))
    client.spec_version = spec_version
    assert await client.request("/") == (200, b"done")
    assert found == {name: place for name, place in places.items() if streams or name != "stream"}
    assert (found_rows, seen()) == ([None if where == "inside" else [1]], [1])


async def test_what_a_handler_sets_in_its_context_does_not_come_back_through_such_a_middleware(
    db: AsyncDatabase, seen: Any
) -> None:
    async def dispatch(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        told.append((variable.get(), request.state.who))
        return response

    async def endpoint(request: Request) -> Response:
        variable.set("the handler")
        request.state.who = "the handler"
        await db.execute(INSERT, 1)
        return PlainTextResponse("done")

    variable, told = ContextVar("variable", default="nobody"), list[tuple[str, str]]()
    client = client_of(endpoint, db, seen, inside=[Middleware(BaseHTTPMiddleware, dispatch)])
    assert await client.request("/") == (200, b"done")
    assert (told, client.seen) == ([("nobody", "the handler")], [1])


@pytest.mark.parametrize(
    ("method", "safe", "state"),
    [
        ("GET", None, "off"),
        ("GET", "readonly", "on"),
        ("GET", "outside", ""),
        ("POST", None, "off"),
        ("POST", "readonly", "off"),
        ("POST", "outside", "off"),
    ],
)
async def test_safe_methods(db: AsyncDatabase, method: str, safe: Any, state: str) -> None:
    async def endpoint(request: Request) -> Response:
        try:
            db.on_commit(bool)
        except UsageError:
            return PlainTextResponse("")
        return PlainTextResponse(await db.fetchval("show transaction_read_only"))

    assert await client_of(endpoint, db, safe=safe).request("/", method) == (200, state.encode())


async def test_a_write_by_a_safe_method_fails_where_that_reads_only(db: AsyncDatabase) -> None:
    async def endpoint(request: Request) -> Response:
        await db.execute(INSERT, 1)
        return PlainTextResponse("done")

    client = client_of(endpoint, db, safe="readonly")
    assert await client.request("/", "GET") == (500, b"")
    assert isinstance(client.error, ReadOnlySqlTransaction)


@pytest.mark.parametrize(
    ("skip", "path", "inside"),
    [
        (["/health"], "/health", False),
        (["/health"], "/health/deep", False),
        (["/static/"], "/static/a.css", False),
        (["/health"], "/healthy", True),
        (["/health"], "/", True),
        (lambda scope: scope["path"].endswith(".css"), "/a.css", False),
        (lambda scope: scope["path"].endswith(".css"), "/a", True),
    ],
)
async def test_what_is_skipped_runs_outside(db: AsyncDatabase, skip: Any, path: str, inside: bool) -> None:
    async def endpoint(request: Request) -> Response:
        try:
            db.on_commit(bool)
        except UsageError:
            return PlainTextResponse("outside")
        return PlainTextResponse("inside")

    answer = (200, b"inside" if inside else b"outside")
    assert await client_of(endpoint, db, skip=skip).request(path) == answer


class Meeting:
    """Two requests that read before either writes, so that one of them must fail where it is serializable."""

    def __init__(self, db: AsyncDatabase) -> None:
        self.db = db
        self.calls = 0
        self.both = asyncio.Event()

    async def endpoint(self, request: Request) -> Response:
        body = await request.body()
        count = await self.db.fetchval("select count(*)::int from t")
        self.calls += 1
        if self.calls == 2:
            self.both.set()
        await self.both.wait()
        await self.db.execute(INSERT, count)
        return PlainTextResponse(body + b" %d" % count)


async def test_a_conflict_is_tried_again_where_the_handler_allows_it(db: AsyncDatabase, seen: Any) -> None:
    meeting = Meeting(db)
    client = client_of(retryable(meeting.endpoint), db, isolation="serializable")
    answers = await asyncio.gather(*(client.request("/", body=(b"a", b"b", b"c")) for _ in range(2)))
    assert sorted(answers) == [(200, b"abc 0"), (200, b"abc 1")]
    assert (seen(), meeting.calls) == ([0, 1], 3)


@pytest.mark.parametrize("watched", [False, True])
async def test_a_conflict_is_tried_again_inside_a_task(db: AsyncDatabase, seen: Any, watched: bool) -> None:
    @retryable
    async def endpoint(request: Request) -> Response:
        calls.append(len(await request.body()))
        await db.execute(INSERT, len(calls))
        if len(calls) < 4:
            await db.execute("do $$ begin raise sqlstate '40P01'; end $$")
        return PlainTextResponse("done")

    async def dispatch(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response

    calls: list[int] = []
    inside = [Middleware(BaseHTTPMiddleware, dispatch)]
    client = client_of(endpoint, db, seen, inside=inside, cancel_on_disconnect=watched)
    assert await client.request("/", body=(b"abc",)) == (200, b"done")
    assert (client.seen, calls) == ([4], [3, 3, 3, 3])


CONFLICT = """
create function conflict() returns trigger language plpgsql as $$ begin raise sqlstate '40001'; end $$;
create constraint trigger conflict after insert on t deferrable initially deferred for each row when (new.i < 3)
execute function conflict()
"""


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
@pytest.mark.parametrize("streams", [False, True])
async def test_a_conflict_at_commit_is_tried_again(
    db: AsyncDatabase, outside: Any, seen: Any, spec_version: str, streams: bool
) -> None:
    async def rows() -> Any:
        yield "done"

    @retryable
    async def endpoint(request: Request) -> Response:
        calls.append(dict(request.scope["state"]) if "state" in request.scope else {})
        request.scope["state"] = {"left": "behind"}
        await db.execute(INSERT, len(calls))
        return StreamingResponse(rows()) if streams else PlainTextResponse("done")

    outside.execute(CONFLICT)
    calls: list[Any] = []
    client = client_of(endpoint, db, seen)
    client.spec_version = spec_version
    assert await client.request("/") == (200, b"done")
    assert (client.seen, calls) == ([3], [{}, {}, {}])


@pytest.mark.parametrize(
    ("decorate", "options", "body", "calls"),
    [
        (retryable, {}, (b"abc",), 5),
        (retryable, {"attempts": 2}, (b"abc",), 2),
        (retryable, {"attempts": 1}, (b"abc",), 1),
        (retryable, {"replay": 2}, (b"abc",), 1),
        (retryable, {"replay": 5}, (b"abc", b"def"), 1),
        (lambda endpoint: endpoint, {}, (b"abc",), 1),
    ],
)
@pytest.mark.parametrize("status", [0, 409])
async def test_a_conflict_that_is_not_tried_again(
    db: AsyncDatabase, decorate: Any, options: Any, body: Any, calls: int, status: int
) -> None:
    async def endpoint(request: Request) -> Response:
        called.append(await request.body())
        try:
            await db.execute("do $$ begin raise sqlstate '40001'; end $$")
        except SerializationFailure:
            if not status:
                raise
        return PlainTextResponse("busy", status)

    called: list[bytes] = []
    client = client_of(decorate(endpoint), db, **options)
    assert await client.request("/", body=body) == ((409, b"busy") if status else (500, b""))
    assert called == [b"".join(body)] * calls
    if not status:
        assert isinstance(client.error, SerializationFailure)


async def test_other_errors_are_not_tried_again(db: AsyncDatabase) -> None:
    @retryable
    async def endpoint(request: Request) -> Response:
        calls.append(1)
        await db.execute("select 1 / 0")
        raise AssertionError

    calls: list[int] = []
    assert await client_of(endpoint, db).request("/") == (500, b"")
    assert calls == [1]


async def test_a_blocking_database_for_handlers_in_threads(
    db: AsyncDatabase, server_url: str, t: str, seen: Any
) -> None:
    with Database(server_url, server_settings={"search_path": t}) as blocking:

        @retryable
        def work(number: int) -> None:
            calls.append(number)
            blocking.execute(INSERT, number)
            if len(calls) == 1:
                blocking.execute("do $$ begin raise sqlstate '40001'; end $$")

        async def endpoint(request: Request) -> Response:
            await run_in_threadpool(work, int(request.url.path[1:]))
            assert seen() is None
            return PlainTextResponse("done", background=BackgroundTask(blocking.execute, INSERT, 7))

        calls: list[int] = []
        client = client_of(endpoint, blocking, seen)
        assert await client.request("/1") == (200, b"done")
        assert (client.seen, seen(), calls) == ([1], [1, 7], [1, 1])
        assert await client_of(endpoint, blocking).request("/7") == (500, b"")


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_what_is_no_request_passes_through(db: AsyncDatabase, kind: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    seen: list[Any] = []
    given: Any = ({"type": kind, "path": "/"}, bool, bool)
    await TransactionMiddleware(app, db)(*given)
    assert seen == [given]


async def test_the_lifespan_closes_the_databases(db: AsyncDatabase, server_url: str) -> None:
    blocking = Database(server_url)
    app = Starlette(lifespan=lifespan(db, blocking))
    async with app.router.lifespan_context(app):
        assert await db.fetchval("select 1") == 1
        assert blocking.fetchval("select 1") == 1
    with pytest.raises(errors.PoolClosed):
        await db.fetchval("select 1")
    with pytest.raises(errors.PoolClosed):
        blocking.fetchval("select 1")


@pytest.mark.parametrize(
    "options",
    [{"isolation": "none"}, {"safe": "never"}, {"skip": "/health"}, {"attempts": 0}],
    ids=lambda options: next(iter(options)),
)
async def test_options_that_there_are_not(db: AsyncDatabase, options: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        TransactionMiddleware(lambda *_: None, db, **options)  # type: ignore[arg-type,return-value]  # never called


async def test_what_is_no_database_is_refused() -> None:
    with pytest.raises(UsageError, match="not str"):
        TransactionMiddleware(lambda *_: None, "postgresql://")  # type: ignore[arg-type,return-value]  # it is wrong
