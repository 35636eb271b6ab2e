# Generated from tests/live/_async/test_interrupts.py by tools/make_sync.py: do not edit.
"""An interrupt or exit out of a user's code, wherever it is called: the caller has it, and the connection goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from tests.live.support import until

from stretto._sync.database import Database


class Raising:
    """Raises what it was made for, in whatever is called."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        raise self.error

    def rows(self) -> Iterator[tuple[int]]:
        yield (1,)
        yield (2,)
        raise self.error


def encoder(db: Database, raising: Raising) -> None:
    db.set_type_codec("mood", encoder=raising, decoder=str)
    db.fetchval("select $1::mood", "fine")


def decoder(db: Database, raising: Raising) -> None:
    db.set_type_codec("mood", encoder=str, decoder=raising)
    db.fetch("select 'fine'::mood from generate_series(1, 9)")


def decoder_in_a_transaction(db: Database, raising: Raising) -> None:
    with db.transaction():
        db.execute("insert into t values (1)")
        decoder(db, raising)


def decoder_of_a_stream(db: Database, raising: Raising) -> None:
    db.set_type_codec("mood", encoder=str, decoder=raising)
    with db.connection() as connection:
        for _ in connection.stream("select 'fine'::mood from generate_series(1, 9)", batch=2):
            pass


def maker(db: Database, raising: Raising) -> None:
    class Made:
        def __init__(self, n: int) -> None:
            raising()

    db.fetch("select n from generate_series(1, 9) n", into=Made)


def rows(db: Database, raising: Raising) -> None:
    db.executemany("insert into t values ($1)", raising.rows())


def copy_source(db: Database, raising: Raising) -> None:
    db.copy_in("t", raising.rows())


def copy_sink(db: Database, raising: Raising) -> None:
    db.copy_out("select generate_series(1, 9)", raising)


def notices(db: Database, raising: Raising) -> None:
    with db.connection() as connection:
        connection.on_notice(raising)
        connection.execute("do $$ begin raise notice 'one'; end $$")


def body(db: Database, raising: Raising) -> None:
    with db.transaction(), db.transaction():
        db.execute("insert into t values (1)")
        raising()


def transacted(db: Database, raising: Raising) -> None:
    def work() -> None:
        db.execute("insert into t values (1)")
        raising()

    db.transact(work)


def behind_rollback(db: Database, raising: Raising) -> None:
    with db.transaction() as transaction:
        transaction.on_rollback(raising)
        db.execute("insert into t values (1)")
        raise ValueError


PLACES: list[Callable[..., Any]] = [
    *(encoder, decoder, decoder_in_a_transaction, decoder_of_a_stream, maker, rows, copy_source, copy_sink, notices),
    *(body, transacted, behind_rollback),
]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_the_connection_goes_on(
    one: Database,
    outside: psycopg.Connection[Any],
    schema: str,
    place: Callable[..., Any],
    error: type[BaseException],
) -> None:
    one.execute("create type mood as enum ('fine'); create table t (id int)")
    for _ in range(2):
        with pytest.raises(error):
            place(one, Raising(error))
        assert one.fetchval("select count(*) from t") == 0
    stats = one.stats()
    assert (stats.held, stats.waiting, stats.in_flight) == (0, 0, 0)
    until(outside, "select count(*) from pg_stat_activity where application_name = %s", schema, wanted=1)
    until(outside, "select bool_and(state = 'idle') from pg_stat_activity where application_name = %s", schema)


def test_a_codec_that_blocks_holds_up_no_answer_for_good(db: Database, beside: Any) -> None:
    """Its thread (on a loop: all of it) waits; whoever asked at the same time has his answer afterwards."""
    gate = threading.Event()

    def decode(text: str) -> str:
        assert gate.wait(30)
        return text

    db.set_type_codec("mood", encoder=str, decoder=decode)
    db.execute("create type mood as enum ('fine')")
    others = [beside.start(db.fetchval, "select $1::int", n) for n in range(20)]
    timer = threading.Timer(0.05, gate.set)
    timer.start()
    assert db.fetchval("select 'fine'::mood") == "fine"
    timer.join()
    assert [beside.result(each) for each in others] == list(range(20))
