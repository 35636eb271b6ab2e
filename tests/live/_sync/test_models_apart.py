# Generated from tests/live/_async/test_models_apart.py by tools/make_sync.py: do not edit.
"""What is an object's own in a graph, and what is not: NULL keys, chosen rows, and what is refused."""

from __future__ import annotations

import gc
from typing import Any
from unittest.mock import Mock

import pytest
from tests.live.library import DDL, ROWS, Author, Book

from stretto import Model, any_of, field, raw, relation, select
from stretto.errors import DecodeError, UsageError

STRATEGIES = ("statement", "trip")


class Shelf(Model, table="shelf"):
    id: int = field(primary_key=True)
    code: str | None = None
    things: list[Thing] = relation("code")


class Thing(Model, table="thing"):
    id: int = field(primary_key=True)
    code: str | None = field(references="shelf.code", default=None)


def prepare(db: Any) -> None:
    db.execute(DDL)
    db.execute(ROWS)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_belongs_to_an_object_without_a_key(db: Any, strategy: Any) -> None:
    db.execute(
        "create table shelf (id int primary key, code text unique);"
        "create table thing (id int primary key, code text references shelf (code));"
        "insert into shelf values (1, 'a'), (2, null), (3, null); insert into thing values (1, 'a'), (2, null)"
    )
    a, b, c = db.fetch(select(Shelf).include(Shelf.things, strategy=strategy).order_by(Shelf.id))
    assert ([one.id for one in a.things], b.things, c.things) == ([1], [], [])
    b.things.append(Thing(id=3))
    assert c.things == []
    db.load([b, c], Shelf.things)
    b.things.append(Thing(id=3))
    assert c.things == []


def test_keys_that_differ_in_case_are_not_put_together_wrongly(db: Any) -> None:
    db.execute(
        "create extension if not exists citext;"
        "create table shelf (id int primary key, code citext unique);"
        "create table thing (id int primary key, code citext references shelf (code));"
        "insert into shelf values (1, 'a'); insert into thing values (1, 'A')"
    )
    (shelf,) = db.fetch(select(Shelf).include(Shelf.things, strategy="statement"))
    assert [one.id for one in shelf.things] == [1]
    with pytest.raises(UsageError, match=r'Shelf\.code is citext, .* include\(\.\.\., strategy="statement"\)'):
        db.fetch(select(Shelf).include(Shelf.things, strategy="trip"))
    with pytest.raises(UsageError, match=r"Thing\.code is citext"):
        db.load(shelf, Shelf.things)
    assert [one.id for one in db.fetch(select(Thing))] == [1]


def test_objects_chosen_by_chance_come_with_what_belongs_to_them(db: Any) -> None:
    prepare(db)
    db.execute(
        "insert into author (name) select 'a' || i from generate_series(1, 400) i;"
        "insert into book (author_id, title) select id, 'one' from author where id > 3"
    )
    query = select(Author).where(Author.id > 3).order_by(raw("random()")).limit(100).include(Author.books)
    assert [len(one.books) for one in db.fetch(query)] == [1] * 100


def authors() -> int:
    """How many there are of those made since ``gc.freeze()``."""
    return sum(type(one) is Author for one in gc.get_objects())


def test_a_stream_keeps_nothing_of_the_objects_that_it_gave(db: Any) -> None:
    prepare(db)
    db.execute(
        "insert into author (name) select 'a' || i from generate_series(1, 300) i;"
        "insert into book (author_id, title) select id, 'one' from author where id > 3"
    )
    query = select(Book).where(Book.id > 5).include(Book.author, strategy="statement").order_by(Book.id)
    most = count = 0
    gc.collect()
    gc.freeze()  # what is there now is not looked at three hundred times
    try:
        for book in db.stream(query, batch=10):
            assert book.author.id == book.author_id
            count += 1
            most = max(most, authors())
    finally:
        gc.unfreeze()
    assert count == 300
    assert 0 < most < 100


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_relations_are_not_included_with_anything_but_the_objects(db: Any, strategy: Any) -> None:
    prepare(db)
    query = select(Author).where(any_of(Author.id, [1])).include(Author.books, strategy=strategy)
    for into in (dict, tuple, Book):
        with pytest.raises(UsageError, match=r"relations are included with objects, not with into="):
            db.fetch(query, into=into)
    (found,) = db.fetch(query, into=Author)
    assert len(found.books) == 3


def test_what_only_says_that_it_is_an_object_is_not_loaded(db: Any) -> None:
    with pytest.raises(UsageError, match="objects of one Model"):
        db.load([Mock(spec=Author)], Author.books)
    with pytest.raises(UsageError, match="objects of one Model"):
        db.load(Mock(spec=Author), Author.books)


def test_a_graph_leaves_no_warning_and_no_setting_behind(one: Any) -> None:
    prepare(one)
    heard: list[Any] = []
    with one.connection() as connection:
        connection.on_notice(heard.append)
        connection.fetch(select(Author).include(Author.books, strategy="trip"))
        assert heard == []
        assert connection.fetchval("show transaction_isolation") == "read committed"
    assert one.fetchval("show transaction_isolation") == "read committed"


class Price(Model, table="price"):
    id: int = field(primary_key=True)
    of_id: int | None = field(references="price.id", default=None)
    amount: str = field(type="money")
    of: Price | None = relation("of_id")


def test_a_type_that_is_read_from_its_text_is_not_read_wrongly_in_a_record(db: Any) -> None:
    db.set_type_codec("money", encoder=str, decoder=str)
    db.create_tables(Price)
    db.insert_many([Price(id=1, amount="1.5"), Price(id=2, of_id=1, amount="2")])
    query = select(Price).where(Price.id == 2)
    (found,) = db.fetch(query.include(Price.of, strategy="trip"))
    assert "1.5" in found.of.amount
    with pytest.raises(DecodeError, match=r'money is read from its text, .* strategy="trip"'):
        db.fetch(query.include(Price.of, strategy="statement"))
    with pytest.raises(DecodeError, match=r"money is read from its text, .* select the columns by themselves"):
        db.fetch("select row(1, 1::money)")
    assert db.fetchval("select 1") == 1
