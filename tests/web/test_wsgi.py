"""The WSGI middleware, called as a server calls it, and behind real servers: wsgiref's and gevent's."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import psycopg
import pytest

import stretto
from stretto import AsyncDatabase, Database, errors
from stretto.errors import TransactionClosed, UsageError
from stretto.sqlstate import ForeignKeyViolation, SerializationFailure
from stretto.web import WSGITransactionMiddleware, retryable

ROOT = Path(__file__).parents[2]
SEEN = "select array_agg(i order by i) from t"
INSERT = "insert into t values ($1)"


class Broken(Exception):
    """What an application raises."""


@pytest.fixture
def blocking(open_db: Any, t: str) -> Database:
    """A database with the table."""
    found: Database = open_db(connections=4)
    return found


@pytest.fixture
def one(open_db: Any, t: str) -> Database:
    """A database with the table and one connection."""
    found: Database = open_db(connections=1)
    return found


@pytest.fixture
def seen(outside: psycopg.Connection[Any], t: str) -> Callable[[], list[int] | None]:
    """What another connection sees in the table."""

    def look() -> list[int] | None:
        row = outside.execute(SEEN).fetchone()
        return None if row is None else row[0]

    return look


def environ_of(path: str, method: str = "POST", body: bytes = b"") -> dict[str, Any]:
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(len(body))}
    setup_testing_defaults(environ)
    return environ | {"wsgi.input": io.BytesIO(body), "wsgi.file_wrapper": FileWrapper}


class Call:
    """What a server hears of one request: its status, body, and what was seen when the response started."""

    def __init__(self, app: Any, look: Any = None, body: bytes = b"", method: str = "POST", path: str = "/") -> None:
        self.status, self.written, self.seen = "", list[bytes](), None
        environ = environ_of(path, method, body)

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            if exc_info is not None:
                raise exc_info[1]
            self.seen = None if look is None else look()
            self.status = status
            return self.written.append

        self.result = app(environ, start_response)
        try:
            self.body = b"".join([*self.written, *self.result])
        finally:
            if hasattr(self.result, "close"):
                self.result.close()


class Closing:
    """An iterable that says when it is closed."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        self.closed += 1


def test_it_is_committed_when_the_response_starts(blocking: Database, seen: Any) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        blocking.execute(INSERT, int(environ["wsgi.input"].read(1)))
        assert seen() is None
        start_response("200 OK", [])
        return [b"done"]

    call = Call(WSGITransactionMiddleware(app, blocking), seen, b"5")
    assert (call.status, call.body, call.seen) == ("200 OK", b"done", [5])


def test_a_stream_runs_behind_the_transaction(blocking: Database, seen: Any) -> None:
    def pieces(start_response: Any) -> Iterator[bytes]:
        blocking.execute(INSERT, 1)
        start_response("200 OK", [])(b"written ")
        yield b""
        blocking.execute(INSERT, 2)
        yield str(seen()).encode()
        blocking.execute(INSERT, 3)
        yield str(seen()).encode()

    def app(environ: Any, start_response: Any) -> Closing:
        made.append(Closing(pieces(start_response)))
        return made[-1]

    made: list[Closing] = []
    call = Call(WSGITransactionMiddleware(app, blocking), seen)
    assert (call.status, call.body, call.seen) == ("200 OK", b"written None[1, 2, 3]", [1, 2])
    assert [each.closed for each in made] == [1]


def in_a_block(db: Database) -> Iterator[bytes]:
    with db.transaction():
        for number in (1, 2):
            db.execute(INSERT, number)
            yield b"%d " % number


def by_a_stream(db: Database) -> Iterator[bytes]:
    for number in db.stream("select generate_series(1, 2)", into=int):
        yield b"%d " % number


def detached(db: Database) -> Iterator[bytes]:
    with stretto.detached():
        yield from in_a_block(db)


def detached_stream(db: Database) -> Iterator[bytes]:
    with stretto.detached():
        yield from by_a_stream(db)


def answering(body: Callable[[Database], Iterator[bytes]], db: Database) -> Any:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        return body(db)

    return app


def test_a_body_that_holds_a_block_open_over_its_pieces_is_told(one: Database, seen: Any) -> None:
    app = WSGITransactionMiddleware(answering(in_a_block, one), one)
    gc.disable()
    try:
        for _ in range(3):  # each would wait for the lock of the one before
            with pytest.raises(UsageError, match=r"nested one opened at .*test_wsgi\.py:\d+ was still open"):
                Call(app)
            assert one.stats().held == 0
    finally:
        gc.enable()
    assert seen() is None


def test_a_body_that_reads_on_behind_the_start_is_told_how(one: Database) -> None:
    app = WSGITransactionMiddleware(answering(by_a_stream, one), one)
    result = app(environ_of("/"), lambda *_: bool)
    with pytest.raises(TransactionClosed) as caught:
        list(result)
    assert "stretto.detached()" in caught.value.__notes__[0]
    result.close()
    assert one.stats().held == 0


@pytest.mark.parametrize("body", [detached, detached_stream, by_a_stream, in_a_block])
def test_a_body_that_is_read_outside_goes_on_behind_the_start(blocking: Database, seen: Any, body: Any) -> None:
    skip = ["/"] if body in (by_a_stream, in_a_block) else []
    app = WSGITransactionMiddleware(answering(body, blocking), blocking, skip=skip)
    assert Call(app).body == b"1 2 "
    assert seen() == ([1, 2] if body in (detached, in_a_block) else None)
    assert blocking.stats().held == 0
    assert blocking.fetchval("select 1") == 1


def test_a_file_is_the_servers(blocking: Database) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"a file"))

    call = Call(WSGITransactionMiddleware(app, blocking))
    assert (type(call.result), call.body) == (FileWrapper, b"a file")


@pytest.mark.parametrize("streams", [False, True])
def test_a_failed_commit_is_raised(blocking: Database, seen: Any, streams: bool) -> None:
    def app(environ: Any, start_response: Any) -> Closing:
        blocking.execute(INSERT, 2000)
        start_response("200 OK", [])
        made.append(Closing(iter([b"done"])))
        return made[-1] if streams else [b"done"]  # type: ignore[return-value]  # a list is an iterable too

    made: list[Closing] = []
    started: list[Any] = []
    with pytest.raises(ForeignKeyViolation):
        Call(WSGITransactionMiddleware(app, blocking), lambda: started.append(1))
    assert (seen(), started) == (None, [])
    assert made[0].closed == streams


@pytest.mark.parametrize("fails", [False, True])
def test_a_status_of_400_rolls_back(blocking: Database, seen: Any, fails: bool) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        blocking.execute(INSERT, 1)
        if fails:
            with pytest.raises(errors.DataError):
                blocking.execute("select 1 / 0")
        start_response("409 Conflict", [])
        return [b"no"]

    call = Call(WSGITransactionMiddleware(app, blocking))
    assert (call.status, call.body, seen()) == ("409 Conflict", b"no", None)


@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt])
def test_an_exception_rolls_back(blocking: Database, seen: Any, error: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        blocking.execute(INSERT, 1)
        raise error
        yield b""

    with pytest.raises(error):
        Call(WSGITransactionMiddleware(app, blocking))
    assert seen() is None
    assert blocking.fetchval("select count(*) from t") == 0


def test_an_error_in_the_stream_can_still_be_said_by_start_response(blocking: Database) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        try:
            raise Broken
        except Broken:
            start_response("500 Broken", [], sys.exc_info())

    with pytest.raises(Broken):
        Call(WSGITransactionMiddleware(app, blocking))


@pytest.mark.parametrize(("body", "calls"), [(b"abc", 3), (b"", 3), (b"abcdef", 1)])
@pytest.mark.parametrize("at", ["statement", "commit"])
def test_a_conflict_is_tried_again_where_the_handler_allows_it(
    blocking: Database, outside: Any, seen: Any, body: bytes, calls: int, at: str
) -> None:
    @retryable
    def handler(body: bytes) -> None:
        bodies.append(body)
        blocking.execute(INSERT, len(bodies))
        if at == "statement" and len(bodies) < 3:
            blocking.execute("do $$ begin raise sqlstate '40P01'; end $$")

    def app(environ: Any, start_response: Any) -> list[bytes]:
        handler(environ.pop("wsgi.input").read(len(body)))
        start_response("200 OK", [])
        return [b"done"]

    if at == "commit":
        outside.execute(
            "create function conflict() returns trigger language plpgsql as $$ begin raise sqlstate '40001'; end $$;"
            "create constraint trigger conflict after insert on t deferrable initially deferred for each row "
            "when (new.i < 3) execute function conflict()"
        )
    bodies: list[bytes] = []
    app_around = WSGITransactionMiddleware(app, blocking, replay=4)
    if calls == 1:
        with pytest.raises(errors.DatabaseError) as caught:
            Call(app_around, seen, body)
        assert getattr(caught.value, "retryable", False)
    else:
        assert Call(app_around, seen, body).seen == [3]
    assert bodies == [body] * calls


def test_a_conflict_is_not_tried_again_by_itself(blocking: Database) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        calls.append(1)
        blocking.execute("do $$ begin raise sqlstate '40001'; end $$")
        raise AssertionError

    calls: list[int] = []
    with pytest.raises(SerializationFailure):
        Call(WSGITransactionMiddleware(app, blocking))
    assert calls == [1]


@pytest.mark.parametrize(
    ("options", "method", "path", "state"),
    [
        ({}, "GET", "/", "off"),
        ({"safe": "readonly"}, "GET", "/", "on"),
        ({"safe": "outside"}, "GET", "/", ""),
        ({"safe": "outside"}, "POST", "/", "off"),
        ({"skip": ["/a"]}, "POST", "/a/b", ""),
        ({"skip": lambda environ: environ["PATH_INFO"] == "/a"}, "POST", "/a/b", "off"),
    ],
)
def test_which_requests_get_what(blocking: Database, options: Any, method: str, path: str, state: str) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            blocking.on_commit(bool)
        except UsageError:
            return [b""]
        return [blocking.fetchval("show transaction_read_only").encode()]

    assert Call(WSGITransactionMiddleware(app, blocking, **options), None, b"", method, path).body == state.encode()


def test_an_asynchronous_database_is_refused() -> None:
    with pytest.raises(UsageError, match="AsyncDatabase"):
        WSGITransactionMiddleware(lambda *_: [], AsyncDatabase())  # type: ignore[arg-type]  # it is wrong


def test_it_keeps_the_protocol_behind_wsgirefs_server(blocking: Database, seen: Any) -> None:
    class Quiet(WSGIRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def get_stderr(self) -> Any:
            return io.StringIO()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        number = int(environ["PATH_INFO"][1:])
        blocking.execute(INSERT, number)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]

    app_around: Any = validator(WSGITransactionMiddleware(validator(app), blocking))
    with make_server("127.0.0.1", 0, app_around, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/3", timeout=30) as answer:
                assert (answer.status, seen(), answer.read()) == (200, [3], b"done")
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/2000", timeout=30)
            assert caught.value.code == 500
            caught.value.close()
        finally:
            server.shutdown()
            thread.join()
    assert seen() == [3]


def test_greenlets(server_url: str) -> None:
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "tests.web.gevent_app", server_url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, cwd=ROOT)
    assert (done.stderr, done.stdout, done.returncode) == ("", "ok\n", 0)
