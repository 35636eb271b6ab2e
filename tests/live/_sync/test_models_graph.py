# Generated from tests/live/_async/test_models_graph.py by tools/make_sync.py: do not edit.
"""Relations that come with their objects, by either strategy, or are loaded for objects in hand."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from tests.live.library import DDL, ROWS, Author, Book, Edition, Home, Loan, Node, Tag

from stretto import Model, any_of, desc, field, is_not_null, related, relation, select
from stretto.errors import NotLoaded, UsageError
from stretto.sqlstate import CardinalityViolation, DivisionByZero

STRATEGIES = ("statement", "trip")


class Writer(Model, table="author"):
    id: int = field(primary_key=True, generated=True)
    name: str
    book: Book | None = relation("author_id")


def prepare(db: Any) -> None:
    db.execute(DDL)
    db.execute(ROWS)


def titles(author: Author) -> list[str]:
    return sorted(book.title for book in author.books)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_kind_of_relation_comes_with_its_objects(db: Any, strategy: Any) -> None:
    prepare(db)
    query = select(Author).include(Author.books, Author.home, strategy=strategy).order_by(Author.id)
    ann, bob, cid = db.fetch(query)
    assert [titles(one) for one in (ann, bob, cid)] == [["A1", "A2", "A3"], ["B1"], []]
    assert ann.home == Home(author_id=1, town="Ulm")
    assert bob.home is None
    assert cid.home.town == "Bonn"
    books = db.fetch(select(Book).include(Book.author, Book.tags, Book.editions, strategy=strategy).order_by(Book.id))
    assert [book.author and book.author.name for book in books] == ["Ann", "Ann", "Ann", "Bob", None]
    assert [sorted(tag.name for tag in book.tags) for book in books] == [
        ["green", "red"],
        ["green"],
        [],
        ["blue", "green"],
        [],
    ]
    assert [len(book.editions) for book in books] == [2, 1, 0, 1, 0]
    tag = db.fetchrow(select(Tag).where(Tag.name == "green").include(Tag.books, strategy=strategy))
    assert sorted(book.title for book in tag.books) == ["A1", "A2", "B1"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_relations_nest_to_any_depth(db: Any, strategy: Any) -> None:
    prepare(db)
    query = select(Author).include(
        related(
            Author.books, related(Book.editions, related(Edition.loans, related(Loan.of, Edition.book))), Book.tags
        ),
        strategy=strategy,
    )
    ann = (db.fetch(query.where(Author.name == "Ann")))[0]
    first = next(book for book in ann.books if book.title == "A1")
    assert sorted(loan.reader for edition in first.editions for loan in edition.loans) == ["x", "y", "z"]
    loan = first.editions[0].loans[0]
    assert loan.of == first.editions[0]
    assert loan.of.book == first
    assert sorted(tag.name for tag in first.tags) == ["green", "red"]
    with pytest.raises(NotLoaded, match=r"Book\.author was not loaded: add \.include\(Book\.author\)"):
        _ = first.author


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_relation_is_narrowed_and_ordered_for_each_object(db: Any, strategy: Any) -> None:
    prepare(db)
    books = related(Author.books, where=[is_not_null(Book.price), Book.price > 4], order_by=desc(Book.price))
    ann, bob, cid = db.fetch(select(Author).include(books, strategy=strategy).order_by(Author.id))
    assert [[book.title for book in one.books] for one in (ann, bob, cid)] == [["A2", "A1"], ["B1"], []]
    first = related(Author.books, order_by=[desc(Book.title)], limit=2)
    ann, bob, cid = db.fetch(select(Author).include(first, strategy=strategy).order_by(Author.id))
    assert [[book.title for book in one.books] for one in (ann, bob, cid)] == [["A3", "A2"], ["B1"], []]
    by_author = related(Author.books, where=Book.author.name == "Ann", order_by=Book.author.name)
    ann, bob, cid = db.fetch(select(Author).include(by_author, strategy=strategy).order_by(Author.id))
    assert [titles(one) for one in (ann, bob, cid)] == [["A1", "A2", "A3"], [], []]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_of_several_rows_for_one_object_the_first_comes_only_in_an_order(db: Any, strategy: Any) -> None:
    prepare(db)
    query = select(Writer).order_by(Writer.id)
    for _ in range(2):
        with pytest.raises(
            CardinalityViolation, match=r"Writer\.book is one object, .* related\(Writer\.book, order_by="
        ):
            db.fetch(query.include(Writer.book, strategy=strategy))
    with pytest.raises(CardinalityViolation) as raised:
        db.fetch(select(Author).where(Author.id == select(Book.author_id)).include(Author.books, strategy=strategy))
    assert raised.value.hint is None
    ordered = [related(Writer.book, Book.tags, order_by=one) for one in (Book.title, desc(Book.title))]
    for including, titles, tags in zip(ordered, (["A1", "B1"], ["A3", "B1"]), (2, 0), strict=True):
        found = db.fetch(query.include(including, strategy=strategy))
        assert [one.book and one.book.title for one in found] == [*titles, None]
        assert len(found[0].book.tags) == tags
    found = db.fetch(query.where(Writer.name != "Ann").include(Writer.book, strategy=strategy))
    assert [one.book and one.book.title for one in found] == ["B1", None]


def test_get_takes_relations_in_any_iterable(db: Any) -> None:
    prepare(db)
    wanted = [Author.books, Author.home]
    for include in (wanted, tuple(wanted), (one for one in wanted), dict.fromkeys(wanted)):
        ann = db.get(Author, 1, include=include)
        assert (titles(ann), ann.home.town) == (["A1", "A2", "A3"], "Ulm")
    assert titles(db.get(Author, 1, include=iter(wanted[:1]))) == ["A1", "A2", "A3"]
    with pytest.raises(UsageError, match=r"include\(\) takes relations of Author .*, not 'books'"):
        db.get(Author, 1, include="books")


def test_load_refuses_several_rows_for_one_object(db: Any) -> None:
    prepare(db)
    found = db.fetch(select(Writer).order_by(Writer.id))
    with pytest.raises(CardinalityViolation, match=r"Writer\.book is one object, .* related\(Writer\.book, order_by="):
        db.load(found, Writer.book)
    db.load(found, related(Writer.book, order_by=desc(Book.title)))
    assert [one.book and one.book.title for one in found] == ["A3", "B1", None]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_many_to_many_is_narrowed_and_ordered_for_each_object(db: Any, strategy: Any) -> None:
    prepare(db)
    tags = related(Book.tags, where=Tag.name != "red", order_by=desc(Tag.name), limit=1)
    books = db.fetch(select(Book).include(tags, strategy=strategy).order_by(Book.id))
    assert [[tag.name for tag in book.tags] for book in books] == [["green"], ["green"], [], ["green"], []]
    tags = related(Book.tags, related(Tag.books, order_by=Book.id), order_by=Tag.name)
    books = db.fetch(select(Book).include(tags, strategy=strategy).order_by(Book.id))
    assert [[tag.name for tag in book.tags] for book in books] == [
        ["green", "red"],
        ["green"],
        [],
        ["blue", "green"],
        [],
    ]
    assert [book.title for book in books[0].tags[0].books] == ["A1", "A2", "B1"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_select_around_it_decides_whose_relations_come(db: Any, strategy: Any) -> None:
    prepare(db)
    nested = related(Author.books, related(Book.tags, order_by=Tag.id), order_by=Book.id)
    query = select(Author).include(nested, strategy=strategy).order_by(desc(Author.id))
    second, first = db.fetch(query.offset(1).limit(2))
    assert (second.name, first.name) == ("Bob", "Ann")
    assert [[tag.id for tag in book.tags] for book in first.books] == [[1, 2], [2], []]
    (found,) = db.fetch(query.where(any_of(Author.id, [1]), Author.name == "Ann"))
    assert [book.title for book in found.books] == ["A1", "A2", "A3"]
    (found,) = db.fetch(query.where(Author.home.town == "Ulm"))
    assert [book.title for book in found.books] == ["A1", "A2", "A3"]
    some = db.fetch(query.distinct(Author.id))
    assert [len(one.books) for one in some] == [0, 1, 3]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_row_is_the_same_object_within_a_relation(db: Any, strategy: Any) -> None:
    prepare(db)
    query = select(Book).include(Book.author, Book.tags, strategy=strategy).order_by(Book.id)
    first = db.fetch(query)
    again = db.fetch(query)
    assert first[0].author is first[1].author
    assert first[0].author is not again[0].author
    green = [tag for book in first for tag in book.tags if tag.name == "green"]
    assert len(green) == 3
    assert len({id(tag) for tag in green}) == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_table_may_point_to_itself(db: Any, strategy: Any) -> None:
    prepare(db)
    query = select(Node).include(
        related(Node.children, related(Node.children, Node.parent)), Node.parent, strategy=strategy
    )
    nodes = {node.id: node for node in db.fetch(query)}
    assert sorted(child.id for child in nodes[1].children) == [2, 3]
    assert nodes[1].parent is None
    assert nodes[5].parent.id == 4
    grandchild = next(child for child in nodes[1].children if child.id == 2).children[0]
    assert (grandchild.id, grandchild.parent.id) == (4, 2)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_keeps_the_columns_by_which_relations_are_found(db: Any, strategy: Any) -> None:
    prepare(db)
    query = select(Book).only(Book.title).include(Book.author, strategy=strategy).order_by(Book.id)
    book = (db.fetch(query))[0]
    assert (book.id, book.title, book.author.name) == (1, "A1", "Ann")
    with pytest.raises(NotLoaded, match=r"Book\.price was not loaded: add Book\.price to only\(\)"):
        _ = book.price


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_objects_in_a_transaction_come_as_it_sees_them(db: Any, strategy: Any) -> None:
    prepare(db)
    query = select(Author).include(Author.books, strategy=strategy).order_by(Author.id)
    with db.transaction():
        first = db.fetch(query)
        db.execute("insert into book (author_id, title) values (3, 'C1')")
        second = db.fetch(query)
    with db.transaction():
        third = db.fetch(query)  # BEGIN rides with it
    assert [titles(one) for one in first] == [["A1", "A2", "A3"], ["B1"], []]
    assert [titles(one) for one in second] == [titles(one) for one in third] == [["A1", "A2", "A3"], ["B1"], ["C1"]]
    heard: list[Any] = []
    with db.connection() as connection:
        connection.on_notice(heard.append)
        assert titles((connection.fetch(query))[2]) == ["C1"]
        connection.execute("begin")
        assert titles((connection.fetch(query))[2]) == ["C1"]
        connection.execute("rollback")
    assert heard == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_error_in_one_of_the_statements_is_raised_and_the_next_query_works(one: Any, strategy: Any) -> None:
    prepare(one)
    broken = related(Author.books, where=Book.price / 0 > 1)
    with pytest.raises(DivisionByZero):
        one.fetch(select(Author).include(broken, strategy=strategy))
    found = one.fetch(select(Author).include(Author.books, strategy=strategy).order_by(Author.id))
    assert [len(author.books) for author in found] == [3, 1, 0]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_changed_table_is_asked_anew(one: Any, strategy: Any) -> None:
    prepare(one)
    query = select(Author).include(Author.books, strategy=strategy).order_by(Author.id)
    assert titles((one.fetch(query))[0]) == ["A1", "A2", "A3"]
    one.execute("alter table book alter price type int; alter table book alter title type varchar(9)")
    books = (one.fetch(query))[0].books
    assert sorted((book.title, book.price) for book in books[:2]) == [("A1", 10), ("A2", 21)] or len(books) == 3


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_large_graph_is_whole(db: Any, strategy: Any) -> None:
    prepare(db)
    db.execute(
        "insert into author (name) select 'author ' || i from generate_series(1, 500) i;"
        "insert into book (author_id, title) select 4 + i % 500, repeat('x', 50) || i from generate_series(0, 4999) i;"
        "insert into book_tag select id, 1 + id % 3 from book where id > 5"
    )
    query = select(Author).where(Author.id > 3).include(related(Author.books, Book.tags), strategy=strategy)
    authors = db.fetch(query)
    assert len(authors) == 500
    assert {len(author.books) for author in authors} == {10}
    assert sum(len(book.tags) for author in authors for book in author.books) == 5000
    assert len({id(tag) for author in authors for book in author.books for tag in book.tags}) == 3
    gc.collect()


def test_relations_are_loaded_for_objects_in_hand(db: Any) -> None:
    prepare(db)
    authors = db.fetch(select(Author).order_by(Author.id))
    with pytest.raises(NotLoaded, match=r"db\.load\(objects, Author\.books\)"):
        _ = authors[0].books
    first = related(Author.books, Book.tags, order_by=Book.id, limit=2)
    db.load(authors, first, Author.home)
    assert [[book.title for book in one.books] for one in authors] == [["A1", "A2"], ["B1"], []]
    assert [sorted(tag.name for tag in book.tags) for book in authors[0].books] == [["green", "red"], ["green"]]
    assert [one.home and one.home.town for one in authors] == ["Ulm", None, "Bonn"]
    db.load(authors[0], Author.books)
    assert titles(authors[0]) == ["A1", "A2", "A3"]
    editions = db.fetch(select(Edition))
    db.load(editions, Edition.loans, related(Edition.book, Book.tags))
    assert sorted(len(edition.loans) for edition in editions) == [0, 1, 1, 2]
    assert {edition.book.title for edition in editions} == {"A1", "A2", "B1"}
    books = db.fetch(select(Book))
    db.load(books, Book.author, Book.tags)
    assert sorted(book.author.name for book in books if book.author) == ["Ann", "Ann", "Ann", "Bob"]
    db.load([], Author.books)


def test_a_stream_and_a_batch_take_the_strategy_of_one_statement(db: Any) -> None:
    prepare(db)
    query = select(Author).order_by(Author.id)
    for included in (query.include(Author.books), query.include(Author.books, strategy="statement")):
        found = [one for one in db.stream(included, batch=1)]
        assert [titles(one) for one in found] == [["A1", "A2", "A3"], ["B1"], []]
        with db.batch() as batch:
            batch.add(included)
        assert [titles(one) for one in batch.results[0].rows] == [["A1", "A2", "A3"], ["B1"], []]
    with pytest.raises(UsageError, match=r'include\(\.\.\., strategy="statement"\)'):
        for _ in db.stream(query.include(Author.books, strategy="trip")):
            pass


def test_what_a_batch_of_a_stream_shares_it_shares_over_its_parts(db: Any) -> None:
    prepare(db)
    db.execute("update book set title = rpad(title, 300000, 'x')")
    query = select(Book).include(Book.author).where(Book.author.name == "Ann").order_by(Book.id)
    for batch, authors in ((1000, 1), (1, 3)):
        books = [book for book in db.stream(query, batch=batch)]
        assert [book.title[:2] for book in books] == ["A1", "A2", "A3"]
        assert len({id(book.author) for book in books}) == authors


WRONG: list[tuple[Any, str]] = [
    (lambda: select(Author).include(Book.tags), r"Book\.tags is no relation of Author: nest it"),
    (lambda: select(Author).include(Author.name), r"include\(\) takes relations of Author .* it has: Author\.books"),
    (lambda: select(Author).include("books"), r"include\(\) takes relations of Author"),
    (lambda: related(Author.name), r"is not a relation"),
    (lambda: related(Author.books, Author.home), r"Author\.home is no relation of Book"),
    (lambda: related(Author.home, limit=1), r"limit= is for lists"),
    (lambda: related(Author.books, limit=-1), r"limit= is a whole number"),
    (lambda: select(Author).include(Author.books, strategy="quick"), r'"statement" or "trip"'),
    (
        lambda: select(Author).include(related(Author.books, limit=1), related(Author.books, limit=2)),
        r"Author\.books is included twice",
    ),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_what_cannot_be_included_is_told_when_the_query_is_made(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_objects_of_several_models_are_not_loaded_at_once(db: Any) -> None:
    with pytest.raises(UsageError, match="objects of one Model"):
        db.load([Author(name="x"), Book(title="y")], Author.books)
    with pytest.raises(NotLoaded, match=r"Author\.id has no value"):
        db.load([Author(name="x")], Author.books)
