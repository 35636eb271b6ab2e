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


async def prepare(db: Any) -> None:
    await db.execute(DDL)
    await db.execute(ROWS)


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_nothing_belongs_to_an_object_without_a_key(db: Any, strategy: Any) -> None:
    await db.execute(
        "create table shelf (id int primary key, code text unique);"
        "create table thing (id int primary key, code text references shelf (code));"
        "insert into shelf values (1, 'a'), (2, null), (3, null); insert into thing values (1, 'a'), (2, null)"
    )
    a, b, c = await db.fetch(select(Shelf).include(Shelf.things, strategy=strategy).order_by(Shelf.id))
    assert ([one.id for one in a.things], b.things, c.things) == ([1], [], [])
    b.things.append(Thing(id=3))
    assert c.things == []
    await db.load([b, c], Shelf.things)
    b.things.append(Thing(id=3))
    assert c.things == []


async def test_keys_that_differ_in_case_are_not_put_together_wrongly(db: Any) -> None:
    await db.execute(
        "create extension if not exists citext;"
        "create table shelf (id int primary key, code citext unique);"
        "create table thing (id int primary key, code citext references shelf (code));"
        "insert into shelf values (1, 'a'); insert into thing values (1, 'A')"
    )
    (shelf,) = await db.fetch(select(Shelf).include(Shelf.things, strategy="statement"))
    assert [one.id for one in shelf.things] == [1]
    with pytest.raises(UsageError, match=r'Shelf\.code is citext, .* include\(\.\.\., strategy="statement"\)'):
        await db.fetch(select(Shelf).include(Shelf.things, strategy="trip"))
    with pytest.raises(UsageError, match=r"Thing\.code is citext"):
        await db.load(shelf, Shelf.things)
    assert [one.id for one in await db.fetch(select(Thing))] == [1]


async def test_objects_chosen_by_chance_come_with_what_belongs_to_them(db: Any) -> None:
    await prepare(db)
    await db.execute(
        "insert into author (name) select 'a' || i from generate_series(1, 400) i;"
        "insert into book (author_id, title) select id, 'one' from author where id > 3"
    )
    query = select(Author).where(Author.id > 3).order_by(raw("random()")).limit(100).include(Author.books)
    assert [len(one.books) for one in await db.fetch(query)] == [1] * 100


def authors() -> int:
    """How many there are of those made since ``gc.freeze()``."""
    return sum(type(one) is Author for one in gc.get_objects())


async def test_a_stream_keeps_nothing_of_the_objects_that_it_gave(db: Any) -> None:
    await prepare(db)
    await db.execute(
        "insert into author (name) select 'a' || i from generate_series(1, 300) i;"
        "insert into book (author_id, title) select id, 'one' from author where id > 3"
    )
    query = select(Book).where(Book.id > 5).include(Book.author, strategy="statement").order_by(Book.id)
    most = count = 0
    gc.collect()
    gc.freeze()  # what is there now is not looked at three hundred times
    try:
        async for book in db.stream(query, batch=10):
            assert book.author.id == book.author_id
            count += 1
            most = max(most, authors())
    finally:
        gc.unfreeze()
    assert count == 300
    assert 0 < most < 100


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_relations_are_not_included_with_anything_but_the_objects(db: Any, strategy: Any) -> None:
    await prepare(db)
    query = select(Author).where(any_of(Author.id, [1])).include(Author.books, strategy=strategy)
    for into in (dict, tuple, Book):
        with pytest.raises(UsageError, match=r"relations are included with objects, not with into="):
            await db.fetch(query, into=into)
    (found,) = await db.fetch(query, into=Author)
    assert len(found.books) == 3


async def test_what_only_says_that_it_is_an_object_is_not_loaded(db: Any) -> None:
    with pytest.raises(UsageError, match="objects of one Model"):
        await db.load([Mock(spec=Author)], Author.books)
    with pytest.raises(UsageError, match="objects of one Model"):
        await db.load(Mock(spec=Author), Author.books)


async def test_a_graph_leaves_no_warning_and_no_setting_behind(one: Any) -> None:
    await prepare(one)
    heard: list[Any] = []
    async with one.connection() as connection:
        connection.on_notice(heard.append)
        await connection.fetch(select(Author).include(Author.books, strategy="trip"))
        assert heard == []
        assert await connection.fetchval("show transaction_isolation") == "read committed"
    assert await one.fetchval("show transaction_isolation") == "read committed"


class Price(Model, table="price"):
    id: int = field(primary_key=True)
    of_id: int | None = field(references="price.id", default=None)
    amount: str = field(type="money")
    of: Price | None = relation("of_id")


async def test_a_type_that_is_read_from_its_text_is_not_read_wrongly_in_a_record(db: Any) -> None:
    db.set_type_codec("money", encoder=str, decoder=str)
    await db.create_tables(Price)
    await db.insert_many([Price(id=1, amount="1.5"), Price(id=2, of_id=1, amount="2")])
    query = select(Price).where(Price.id == 2)
    (found,) = await db.fetch(query.include(Price.of, strategy="trip"))
    assert "1.5" in found.of.amount
    with pytest.raises(DecodeError, match=r'money is read from its text, .* strategy="trip"'):
        await db.fetch(query.include(Price.of, strategy="statement"))
    with pytest.raises(DecodeError, match=r"money is read from its text, .* select the columns by themselves"):
        await db.fetch("select row(1, 1::money)")
    assert await db.fetchval("select 1") == 1
