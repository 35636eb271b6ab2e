"""Many at once write and read objects of Models on few connections: each gets its own, and no change is lost."""

from __future__ import annotations

from typing import Any

import pytest
from tests.live.library import DDL, ROWS, Author, Book

from stretto import Model, field, select
from stretto._async.database import AsyncDatabase
from stretto.errors import StaleObject
from stretto.sqlstate import ForeignKeyViolation

CROWD = 20


class Counter(Model, table="counter"):
    id: int = field(primary_key=True, generated=True)
    hits: int = 0
    version: int = field(version=True)


async def publish(db: AsyncDatabase, number: int) -> int:
    """Write authors with books, read them by either strategy, change them; nothing of the others' is seen."""
    for i in range(5):
        async with db.transaction():
            author = await db.insert(Author(name=f"{number}/{i}"))
            titles = [f"{number}/{i}/{j}" for j in range(3)]
            await db.insert_many([Book(author_id=author.id, title=title) for title in titles])
        for strategy in ("statement", "trip"):
            query = select(Author).where(Author.id == author.id).include(Author.books, strategy=strategy)
            found = await db.fetchrow(query)
            assert found is not None
            assert (found.name, sorted(book.title for book in found.books)) == (f"{number}/{i}", titles)
        found.name = f"{number}/{i}!"
        await db.update(found)
        again = await db.get(Author, author.id)
        assert again is not None
        assert again.name == f"{number}/{i}!"
    return number


async def orphan(db: AsyncDatabase, number: int) -> int:
    with pytest.raises(ForeignKeyViolation):
        await db.insert(Book(author_id=-number, title="nobody's"))
    return number


async def count_up(db: AsyncDatabase, key: int) -> int:
    """Try until nobody was quicker; how often somebody was."""
    for attempt in range(1000):
        counter = await db.get(Counter, key)
        assert counter is not None
        counter.hits += 1
        try:
            await db.update(counter)
        except StaleObject:
            continue
        return attempt
    raise AssertionError


async def test_each_gets_its_own_objects_and_errors(db: AsyncDatabase, beside: Any) -> None:
    await db.execute(DDL)
    await db.execute(ROWS)
    before = await db.fetchval("select count(*) from book")
    works = [orphan if number % 5 == 4 else publish for number in range(CROWD)]
    tasks = [beside.start(work, db, number) for number, work in enumerate(works, 1)]
    assert [await beside.result(task) for task in tasks] == list(range(1, CROWD + 1))
    assert await db.fetchval("select count(*) from book") == before + works.count(publish) * 15


async def test_no_change_of_a_versioned_object_is_lost(db: AsyncDatabase, beside: Any) -> None:
    await db.create_tables(Counter)
    counter = await db.insert(Counter())
    tasks = [beside.start(count_up, db, counter.id) for _ in range(CROWD)]
    for task in tasks:
        await beside.result(task)
    found = await db.get(Counter, counter.id)
    assert found is not None
    assert found.hits == CROWD
