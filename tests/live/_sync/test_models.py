# Generated from tests/live/_async/test_models.py by tools/make_sync.py: do not edit.
"""Objects of Models from hand-written SQL: what fits, what does not, and what an object says it lacks."""

from __future__ import annotations

import enum
import pickle
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest

from stretto import Model, field, relation
from stretto._sync.database import Database
from stretto.errors import DecodeError, ModelError, NotLoaded


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Stamped(Model, abstract=True):
    made: datetime = field(server_default="now()")


class Author(Stamped, table="author"):
    id: int = field(primary_key=True, generated=True)
    name: Annotated[str, "as on the cover"] = field(column="full_name")
    mood: Mood | None = None
    tags: list[str] = field(default_factory=list)
    price: Decimal | None = None
    books: list[Book] = relation("author_id")


class Book(Model, table="book"):
    id: int = field(primary_key=True)
    author_id: int
    title: str
    author: Author = relation("author_id")


class Total(Model):
    name: str
    books: int


class Pair(Model):
    author: Author
    book: Book | None


@pytest.fixture
def tables(outside: Any, schema: str) -> None:
    outside.execute(
        "create table author (id int primary key, full_name text, mood text, tags text[], price numeric, "
        "made timestamp default '2020-01-01');"
        "create table book (id int, author_id int, title text);"
        "insert into author values (1, 'Ann', 'good', '{a,b}', 1.50), (2, 'Bo', null, '{}', null);"
        "insert into book values (1, 1, 'One'), (2, 1, 'Two')"
    )


ALL = "select * from author order by id"


def test_rows_become_objects(db: Database, tables: None) -> None:
    ann, bo = db.fetch(ALL, into=Author)
    made = datetime(2020, 1, 1)
    assert ann == Author(id=1, name="Ann", mood=Mood.GOOD, tags=["a", "b"], price=Decimal("1.50"), made=made)
    assert bo == Author(id=2, name="Bo", made=made)
    assert type(ann) is type(bo) is Author
    assert ann._origin_.text.startswith(ALL)
    assert pickle.loads(pickle.dumps(ann)) == ann
    assert db.fetchrow(f"{ALL} offset 1", into=Author) == bo
    assert db.fetchrow("select * from author where id = 7", into=Author) is None


def test_columns_may_have_the_attributes_names(db: Database, tables: None) -> None:
    sql = "select id, full_name as name, mood, tags, price, made from author where id = $1"
    assert (db.fetch(sql, 1, into=Author))[0].name == "Ann"


def test_whole_rows_as_one_column(db: Database, tables: None) -> None:
    (ann, bo) = db.fetch("select a from author a order by id", into=Author)
    assert (ann.name, bo.id) == ("Ann", 2)
    pairs = db.fetch("select a as author, b as book from author a left join book b on b.id = a.id", into=Pair)
    assert [(pair.author.name, pair.book and pair.book.title) for pair in pairs] == [("Ann", "One"), ("Bo", "Two")]
    assert pairs[0].author == ann


def test_a_model_without_a_table(db: Database, tables: None) -> None:
    sql = "select full_name as name, count(b.id) as books from author a left join book b on author_id = a.id group by 1"
    assert db.fetch(f"{sql} order by 1", into=Total) == [Total(name="Ann", books=2), Total(name="Bo", books=0)]


def test_a_stream_of_objects(db: Database, tables: None) -> None:
    assert [author.name for author in db.stream(ALL, into=Author, batch=1)] == ["Ann", "Bo"]


def test_what_was_not_fetched_names_the_statement(db: Database, tables: None) -> None:
    (book,) = db.fetch("select * from book where id = $1", 1, into=Book)
    with pytest.raises(NotLoaded) as caught:
        book.author  # noqa: B018  # reading is the test
    assert str(caught.value).startswith(
        "Book.author was not loaded: add .include(Book.author) to the select, or db.load(objects, Book.author). "
        "The object is from select * from book where id = $1"
    )
    book.author = Author(name="x")
    assert book.author.name == "x"


def test_columns_that_do_not_fit(db: Database, tables: None) -> None:
    with pytest.raises(DecodeError, match=r"Book does not fit .* Missing: 'title': add to the select"):
        db.fetch("select id, author_id from book", into=Book)
    with pytest.raises(DecodeError, match=r"Book does not fit .* Surplus: 'more': take out of the select"):
        db.fetch("select *, 1 as more from book", into=Book)
    with pytest.raises(DecodeError, match="column 'mood' has a value that no member of Mood has"):
        db.fetch("select id, full_name, 'odd' as mood, tags, price, made from author", into=Author)


def test_what_has_no_objects(db: Database, tables: None) -> None:
    for model in (Stamped, Model):
        with pytest.raises(ModelError, match=f"into={model.__name__}: it is abstract, and has no objects"):
            db.fetch("select 1 as made", into=model)
    assert db.fetchval("select 1") == 1
