"""What a checker must know of Models: read by mypy and pyright (make types), never run. Misuses are in misuses.py."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar, assert_type

from stretto import (
    AsyncDatabase,
    AsyncTransaction,
    Connection,
    Database,
    Model,
    and_,
    any_of,
    between,
    field,
    ilike,
    is_null,
    like,
    not_,
    or_,
    relation,
)
from stretto.testing import Seen, expect

T = TypeVar("T")


class Mood(Enum):
    GOOD = "good"


class Stamped(Model, abstract=True):
    created: datetime = field(server_default="now()")
    version: int = field(version=True)


class Author(Stamped, table="author", schema="library", unique=[("name",)]):
    id: int = field(primary_key=True, generated=True)
    name: str
    mood: Mood = Mood.GOOD
    born: date | None = field(default=None, column="date_of_birth")
    nicknames: list[str] = field(default_factory=list[str])
    shouted: str = field(computed="upper(name)")
    books: list[Book] = relation("author_id")

    kind: ClassVar[str] = "person"

    def first_name(self) -> str:
        return self.name.partition(" ")[0]


class Book(Model, table="book"):
    id: int = field(primary_key=True, generated="always")
    author_id: int = field(references=Author.id, on_delete="cascade")
    isbn: str = field(unique=True, type="varchar(13)", check="isbn <> ''")
    price: Decimal | None = None
    author: Author = relation("author_id")
    tags: list[Tag] = relation(through="book_tag")


class Tag(Model, table="tag"):
    name: str = field(primary_key=True)
    parent_name: str | None = field(default=None, references="tag.name")
    parent: Tag | None = relation("parent_name")
    children: list[Tag] = relation("parent_name")


class Total(Model):
    name: str
    books: int


class Box(Model, Generic[T], abstract=True):
    item: T


class Numbers(Box[int], table="numbers"):
    id: int = field(primary_key=True)


def objects() -> None:
    author = Author(name="Ann")
    Author(name="Ann", mood=Mood.GOOD, born=date(2000, 1, 1), nicknames=["A"])
    Book(author_id=1, isbn="1")
    Book(author_id=author.id, isbn="1", price=Decimal(1))
    Numbers(id=1, item=2)
    assert_type(author.id, int)
    assert_type(author.name, str)
    assert_type(author.created, datetime)
    assert_type(author.version, int)
    assert_type(author.shouted, str)
    assert_type(author.born, date | None)
    assert_type(author.books, list[Book])
    assert_type(author.books[0].author, Author)
    assert_type(author.books[0].tags, list[Tag])
    assert_type(author.books[0].tags[0].parent, Tag | None)
    assert_type(author.first_name(), str)
    assert_type(Author.kind, str)
    assert_type(Numbers(id=1, item=2).item, int)
    author.name = "Bo"
    author.books = [Book(author_id=1, isbn="2")]
    assert_type(dataclasses.replace(author, name="Cy"), Author)
    assert_type(dataclasses.asdict(author), dict[str, Any])


def matched(obj: object) -> str:
    match obj:
        case Author(name=name):
            return name
        case _:
            return ""


def conditions() -> list[bool]:
    return [
        Author.name == "x",
        Author.id > 5,
        Author.created >= datetime(2020, 1, 1),
        any_of(Author.id, [1, 2]),
        like(Author.name, "A%"),
        ilike(Author.name, "a%"),
        is_null(Author.born),
        is_null(Book.author),
        between(Author.id, 1, 5),
        and_(Author.name == "x", or_(Author.id == 1, not_(Author.id == 2))),
        Book.author.name == "Ann",
    ]


def blocking(db: Database, connection: Connection) -> None:
    assert_type(db.fetch("select * from author", into=Author), list[Author])
    assert_type(db.fetchrow("select * from author", into=Total), Total | None)
    assert_type(db.get(Author, 1), Author | None)
    assert_type(db.insert(Author(name="x")), Author)
    assert_type(db.insert_many([Book(author_id=1, isbn="1")]), list[Book])
    assert_type(db.update(Author(name="x")), Author)
    assert_type(db.save(Author(name="x")), Author)
    assert_type(db.upsert(Author(name="x"), on=Author.name), Author)
    assert_type(connection.get(Tag, "x"), Tag | None)
    with db.transaction() as transaction:
        assert_type(transaction.insert(Tag(name="x")), Tag)
    for author in db.stream("select * from author", into=Author):
        assert_type(author, Author)
    with expect(statements=1, round_trips=1) as seen:
        assert_type(seen, Seen)
    assert_type(seen.statements, list[str])
    assert_type(seen.round_trips, int)


async def asynchronous(db: AsyncDatabase) -> None:
    assert_type(await db.fetch("select * from author", into=Author), list[Author])
    assert_type(await db.get(Author, 1), Author | None)
    assert_type(await db.insert(Author(name="x")), Author)
    assert_type(await db.update_many([Author(name="x")]), list[Author])
    async with db.transaction() as transaction:
        assert_type(transaction, AsyncTransaction)
        assert_type(await transaction.save(Tag(name="x")), Tag)
    async for author in db.stream("select * from author", into=Author):
        assert_type(author, Author)
