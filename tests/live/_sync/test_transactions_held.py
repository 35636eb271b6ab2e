# Generated from tests/live/_async/test_transactions_held.py by tools/make_sync.py: do not edit.
"""A block that is left while a nested one is still open, which a generator holds: nobody waits for it for ever."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from stretto._sync.database import Database
from stretto.errors import TransactionClosed, UsageError

INSERT = "insert into t values ($1)"
SEEN = "select array_agg(i order by i) from t"
ROWS = "select generate_series(1, 5000)"


class Broken(Exception):
    """What a body raises."""


@pytest.fixture
def t(outside: psycopg.Connection[Any], schema: str) -> str:
    """A table of numbers, each once."""
    outside.execute("create table t (i int primary key)")
    return schema


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is given back is not given back by Python's cyclic collector."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def idle(db: Any) -> Iterator[int]:
    with db.transaction():
        yield 1
        db.execute(INSERT, 8)


def writing(db: Any) -> Iterator[int]:
    with db.transaction():
        db.execute(INSERT, 7)
        yield 1
        db.execute(INSERT, 8)


def streaming(db: Any) -> Iterator[int]:
    with db.transaction():
        for number in db.stream(ROWS, into=int):
            yield number
        db.execute(INSERT, 8)


def deeper(db: Any) -> Iterator[int]:
    with db.transaction():
        db.execute(INSERT, 7)
        with db.transaction():
            yield 1
            db.execute(INSERT, 8)


HELD: dict[str, Callable[..., Any]] = {"idle": idle, "writing": writing, "streaming": streaming, "deeper": deeper}
of_each_kind = pytest.mark.parametrize("kind", HELD)


def held(db: Any, number: int, kind: str, error: Exception | None = None) -> Any:
    """What holds a nested block of one that was left."""
    generator: Any = None
    with suppress(UsageError, Broken):
        with db.transaction():
            db.execute(INSERT, number)
            generator = HELD[kind](db)
            next(generator)
            if error is not None:
                raise error
    return generator


@pytest.mark.usefixtures("no_collector")
@of_each_kind
@pytest.mark.parametrize("begun", [False, True])
def test_a_block_that_a_generator_holds_open_is_told_and_all_of_it_rolled_back(
    one: Database, outside: psycopg.Connection[Any], t: str, kind: str, begun: bool
) -> None:
    with pytest.raises(UsageError, match=r"nested one opened at .*test_transactions_held.py:[0-9]+ was still open"):
        with one.transaction():
            if begun:
                one.execute(INSERT, 1)
            generator: Any = HELD[kind](one)
            next(generator)
    assert one.stats().held == 0
    assert outside.execute(SEEN).fetchone() == (None,)
    generator.close()
    one.execute(INSERT, 2)
    assert one.fetchval(SEEN) == [2]


@pytest.mark.usefixtures("no_collector")
@of_each_kind
def test_a_body_that_fails_is_told_of_its_own_error(one: Database, t: str, kind: str) -> None:
    with pytest.raises(Broken):
        with one.transaction():
            one.execute(INSERT, 1)
            generator: Any = HELD[kind](one)
            next(generator)
            raise Broken
    assert one.stats().held == 0
    generator.close()
    assert one.fetchval(SEEN) is None


@of_each_kind
def test_a_generator_that_goes_on_behind_its_transaction_is_told(one: Database, t: str, kind: str) -> None:
    generator = held(one, 1, kind)
    with pytest.raises(TransactionClosed):
        for _ in generator:
            pass
    one.execute(INSERT, 2)
    assert one.fetchval(SEEN) == [2]


@of_each_kind
@pytest.mark.parametrize("fails", [False, True])
def test_a_nested_block_that_a_generator_holds_open_is_rolled_back_alone(
    one: Database, t: str, kind: str, fails: bool
) -> None:
    with one.transaction():
        one.execute(INSERT, 1)
        generator = held(one, 2, kind, Broken() if fails else None)
        with pytest.raises(TransactionClosed):  # this is inside the generator's block still, whose own has ended
            one.execute(INSERT, 3)
        generator.close()
        one.execute(INSERT, 3)
        with one.transaction():
            one.execute(INSERT, 4)
    assert one.fetchval(SEEN) == [1, 3, 4]


def test_a_transaction_of_a_connection_is_told_too(one: Database, t: str) -> None:
    with one.connection() as connection:
        generator: Any = writing(connection)
        with pytest.raises(UsageError, match="was still open"):
            with connection.transaction():
                next(generator)
        generator.close()
        connection.execute(INSERT, 1)
    assert one.fetchval(SEEN) == [1]


def test_a_block_that_was_entered_by_hand_and_never_left(one: Database, t: str) -> None:
    inner = one.transaction()
    with pytest.raises(UsageError, match="was still open"):
        with one.transaction():
            one.execute(INSERT, 1)
            inner.__enter__()
    with pytest.raises(TransactionClosed):
        inner.__exit__(None, None, None)
    assert one.fetchval(SEEN) is None


@of_each_kind
def test_a_generator_that_nobody_has_any_more_is_closed_before_the_block_ends(one: Database, t: str, kind: str) -> None:
    with one.transaction():
        one.execute(INSERT, 1)
        for number in HELD[kind](one):
            assert number == 1
            break
    assert one.fetchval(SEEN) == [1]
