"""The values of parameters are in no error of ours, in nothing that is logged, and in the repr of no object of ours."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.live.generated import TYPES

import stretto
from stretto._async.database import AsyncDatabase
from stretto.errors import (
    ConnectionLost,
    DatabaseError,
    DecodeError,
    EncodeError,
    Error,
    PoolClosed,
    PoolTimeout,
    StatementTimeout,
    TransactionClosed,
    UsageError,
)
from stretto.sqlstate import DivisionByZero

VALUE = "a-value-of-somebody-0815"


async def by_batch(db: AsyncDatabase) -> None:
    async with db.batch() as batch:
        batch.add("select $1::text", VALUE)
        batch.add("select 1 / $1::int", 0)


async def by_stream(db: AsyncDatabase) -> None:
    async with db.connection() as connection:
        rows = connection.stream("select n, 1 / (3 - n), $1::text from generate_series(1, 9) n", VALUE, batch=2)
        assert len([row async for row in rows]) < 9


async def by_copy(db: AsyncDatabase) -> None:
    await db.execute("create table if not exists target (a int)")
    await db.copy_in("target", [(1,), (VALUE,)])


async def in_a_failed_transaction(db: AsyncDatabase) -> None:
    async with db.transaction():
        with pytest.raises(DivisionByZero):
            await db.execute("select 1 / 0")
        await db.fetchval("select $1::text", VALUE)


async def behind_a_transaction(db: AsyncDatabase) -> None:
    async with db.transaction() as transaction:
        pass
    await transaction.fetchval("select $1::text", VALUE)


async def with_none_to_be_had(db: AsyncDatabase) -> None:
    async with db.connection():
        await db.fetchval("select $1::text", VALUE, timeout=0.05)


async def closed(db: AsyncDatabase) -> None:
    await db.close()
    await db.fetchval("select $1::text", VALUE)


TERMINATE = "select pg_terminate_backend(pg_backend_pid()), $1::text, pg_sleep(9)"
# What goes wrong with a value at hand: a verb with its arguments, or a function; and the error's class.
CALLS: dict[str, tuple[type[Error], tuple[Any, ...]]] = {
    "wrong count": (UsageError, ("fetchval", "select $1::text", VALUE, VALUE)),
    "several statements": (UsageError, ("fetch", "select $1::text; select 2", VALUE)),
    "not sent": (UsageError, ("fetchval", "select set_config('my.own', $1, false)", VALUE)),
    "no such value": (EncodeError, ("fetchval", "select $1::int4", VALUE)),
    "no such value in a row": (EncodeError, ("executemany", "select $1::int4", [(1,), (VALUE,)])),
    "no such value in an array": (EncodeError, ("fetchval", "select $1::int4[]", [1, [VALUE]])),
    "no NUL": (EncodeError, ("fetchval", "select $1::text", f"{VALUE}\0")),
    "no JSON": (EncodeError, ("fetchval", "select $1::jsonb", [VALUE, object()])),
    "not of Python": (DecodeError, ("fetch", "select '99999-01-01'::date, $1::text", VALUE)),
    "the server's": (DivisionByZero, ("fetch", "select 1 / (length($1::text) - length($1))", VALUE)),
    "out of time": (StatementTimeout, ("fetchval", "select pg_sleep(9), $1::text", VALUE, {"timeout": 0.05})),
    "connection lost": (ConnectionLost, ("fetchval", TERMINATE, VALUE)),
    "batch": (DivisionByZero, (by_batch,)),
    "stream": (DivisionByZero, (by_stream,)),
    "copy": (EncodeError, (by_copy,)),
    "failed transaction": (DivisionByZero, (in_a_failed_transaction,)),
    "ended transaction": (TransactionClosed, (behind_a_transaction,)),
    "no connection": (PoolTimeout, (with_none_to_be_had,)),
    "closed": (PoolClosed, (closed,)),
}


def call(db: AsyncDatabase, what: Any, *args: Any) -> Awaitable[Any]:
    if not isinstance(what, str):
        return what(db)  # type: ignore[no-any-return]  # one of those above
    keywords = args[-1] if isinstance(args[-1], dict) else {}
    return getattr(db, what)(*args[: -1 if keywords else None], **keywords)  # type: ignore[no-any-return]  # a verb


def shown(error: BaseException) -> str:
    """All that is said of an error and of those behind it, but for the lines of this file."""
    said: dict[int, str] = {}
    following: BaseException | None = error
    while following is not None and id(following) not in said:
        text = "".join(traceback.format_exception_only(following))
        said[id(following)] = f"{following!r} {following.args} {vars(following)} {text}"
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return "\n".join(said.values())


def reprs(error: BaseException) -> str:
    """The objects of stretto among the variables of a traceback, as tools show them."""
    said = []
    for frame, _ in traceback.walk_tb(error.__traceback__):
        found = frame.f_locals.items() if frame.f_globals.get("__name__", "").startswith("stretto") else ()
        for name, value in found:
            if type(value).__module__.startswith("stretto.") and not isinstance(value, tuple):  # rows are values
                said.append(f"{name} = {value!r}")
    return "\n".join(said)


@pytest.mark.parametrize("name", CALLS)
async def test_an_error_does_not_show_values(
    open_db: Callable[..., AsyncDatabase], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    db = open_db(connections=1, slow=1e-9)
    kind, (what, *args) = CALLS[name]
    with pytest.raises(kind) as caught:
        await call(db, what, *args)
    assert VALUE not in shown(caught.value)
    assert VALUE not in reprs(caught.value)
    assert VALUE not in "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)


@pytest.mark.parametrize(
    "type_name", [name for name in TYPES if name not in ("leaf", "branch", "tree", "mood", "positive", "label")]
)
async def test_a_value_that_does_not_fit_is_not_shown(db: AsyncDatabase, type_name: str) -> None:
    wrong = []
    for value in (VALUE, [VALUE], (VALUE, 1), {VALUE: 1}, VALUE.encode(), stretto.Range(VALUE, VALUE)):
        try:
            await db.fetchval(f"select $1::{type_name}", value)
        except EncodeError as error:
            wrong.append(shown(error))
        except DatabaseError:  # the server may say what it was sent
            continue
    assert wrong
    assert VALUE not in "\n".join(wrong)
