"""One trip repeats a select: where rows are cut off, its statements must mean the same ones."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.model.library import Author, Book, Tag

from stretto import Model, field, raw, related, relation, select
from stretto.errors import UsageError
from stretto.model.grown import Going
from stretto.model.statements import statement_of


class Heap(Model, table="heap"):
    code: str
    grains: list[Grain] = relation("code")


class Grain(Model, table="grain"):
    code: str = field(references="heap.code")
    sizes: list[Size] = relation("code")


class Size(Model, table="size"):
    id: int = field(primary_key=True)
    code: str = field(references="grain.code")


def statements(query: Any) -> list[str]:
    sql, _, into = statement_of(query)
    return [part.sql for part in into.trips.parts] if type(into) is Going else [sql]


CUT: list[tuple[Any, str]] = [
    (select(Author).limit(60), 'order by "author"."id" limit'),
    (select(Author).offset(9), 'order by "author"."id" offset'),
    (select(Author).order_by(Author.name).limit(60), 'order by "author"."name", "author"."id" limit'),
    (select(Author).distinct(Author.name), 'order by "author"."name", "author"."id"'),
    (select(Author).order_by(Author.name).distinct(Author.name, Author.age), '"author"."age", "author"."id"'),
]


@pytest.mark.parametrize(("query", "order"), CUT)
def test_where_rows_are_cut_off_the_primary_key_decides(query: Any, order: str) -> None:
    authors, books = statements(query.include(Author.books, strategy="trip"))
    assert order in authors
    assert order in books
    assert all(order not in one for one in statements(query.include(Author.books, strategy="statement")))


def test_where_none_are_cut_off_nothing_is_added() -> None:
    authors, books = statements(select(Author).order_by(Author.name).include(Author.books))
    assert authors.endswith('order by "author"."name"')
    assert "order by" not in books


def test_the_first_few_of_each_object_are_the_same_ones_for_what_belongs_to_them() -> None:
    few = related(Author.books, Book.tags, order_by=Book.title, limit=2)
    order = 'order by "book"."title", "book"."id" limit'
    assert [order in one for one in statements(select(Author).include(few))] == [False, True, True, True]
    few = related(Book.tags, order_by=Tag.label, limit=2)
    order = r'order by "(tag|tag_2)"\."label", "\1"\."id" limit'
    assert [bool(re.search(order, one)) for one in statements(select(Book).include(few))] == [False, True, True]
    alone = related(Author.books, order_by=Book.title, limit=2)
    assert statements(select(Author).include(alone))[1].endswith('order by "book"."title" limit $1) as "first"')


BY_ONE_STATEMENT = [
    select(Author).where(raw("random() < 0.5")).include(Author.books),
    select(Author).order_by(raw("random()")).limit(100).include(Author.books),
    select(Author).include(related(Author.books, Book.tags, where=raw("random() < 0.5"))),
    select(Author).include(related(Author.books, related(Book.tags, order_by=raw("random()"), limit=1))),
    select(Heap).limit(100).include(Heap.grains),
    select(Heap).include(related(Heap.grains, Grain.sizes, limit=1)),
]
BY_TRIP = [
    select(Author).order_by(raw("random()")).include(Author.books),
    select(Author).include(related(Author.books, where=raw("random() < 0.5"))),
    select(Heap).include(related(Heap.grains, limit=1)),
]


def test_what_may_not_be_the_same_twice_is_got_by_one_statement() -> None:
    assert [len(statements(query)) for query in BY_ONE_STATEMENT] == [1] * len(BY_ONE_STATEMENT)
    assert [len(statements(query)) for query in BY_TRIP] == [2] * len(BY_TRIP)


@pytest.mark.parametrize("query", BY_ONE_STATEMENT[-2:])
def test_without_a_primary_key_nothing_can_be_cut_off_in_a_trip(query: Any) -> None:
    with pytest.raises(UsageError, match=r'has no primary key, so .* strategy="statement"'):
        statements(query.include(strategy="trip"))
