# Generated from tests/live/_async/test_crowd.py by tools/make_sync.py: do not edit.
"""Many at once write and read objects of Models on few connections: each gets its own, and no change is lost."""

from __future__ import annotations

from typing import Any

import pytest
from tests.live.library import DDL, ROWS, Author, Book

from stretto import Model, field, select
from stretto._sync.database import Database
from stretto.errors import StaleObject
from stretto.sqlstate import ForeignKeyViolation

CROWD = 20


class Counter(Model, table="counter"):
    id: int = field(primary_key=True, generated=True)
    hits: int = 0
    version: int = field(version=True)


def publish(db: Database, number: int) -> int:
    """Write authors with books, read them by either strategy, change them; nothing of the others' is seen."""
    for i in range(5):
        with db.transaction():
            author = db.insert(Author(name=f"{number}/{i}"))
            titles = [f"{number}/{i}/{j}" for j in range(3)]
            db.insert_many([Book(author_id=author.id, title=title) for title in titles])
        for strategy in ("statement", "trip"):
            query = select(Author).where(Author.id == author.id).include(Author.books, strategy=strategy)
            found = db.fetchrow(query)
            assert found is not None
            assert (found.name, sorted(book.title for book in found.books)) == (f"{number}/{i}", titles)
        found.name = f"{number}/{i}!"
        db.update(found)
        again = db.get(Author, author.id)
        assert again is not None
        assert again.name == f"{number}/{i}!"
    return number


def orphan(db: Database, number: int) -> int:
    with pytest.raises(ForeignKeyViolation):
        db.insert(Book(author_id=-number, title="nobody's"))
    return number


def count_up(db: Database, key: int) -> int:
    """Try until nobody was quicker; how often somebody was."""
    for attempt in range(1000):
        counter = db.get(Counter, key)
        assert counter is not None
        counter.hits += 1
        try:
            db.update(counter)
        except StaleObject:
            continue
        return attempt
    raise AssertionError


def test_each_gets_its_own_objects_and_errors(db: Database, beside: Any) -> None:
    db.execute(DDL)
    db.execute(ROWS)
    before = db.fetchval("select count(*) from book")
    works = [orphan if number % 5 == 4 else publish for number in range(CROWD)]
    tasks = [beside.start(work, db, number) for number, work in enumerate(works, 1)]
    assert [beside.result(task) for task in tasks] == list(range(1, CROWD + 1))
    assert db.fetchval("select count(*) from book") == before + works.count(publish) * 15


def test_no_change_of_a_versioned_object_is_lost(db: Database, beside: Any) -> None:
    db.create_tables(Counter)
    counter = db.insert(Counter())
    tasks = [beside.start(count_up, db, counter.id) for _ in range(CROWD)]
    for task in tasks:
        beside.result(task)
    found = db.get(Counter, counter.id)
    assert found is not None
    assert found.hits == CROWD
