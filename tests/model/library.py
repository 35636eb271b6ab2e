"""Models that the tests of queries share."""

from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal

from stretto import Model, field, relation


class Kind(enum.Enum):
    NOVEL = "novel"
    POEM = "poem"


class Country(Model, table="country"):
    code: str = field(primary_key=True)
    name: str


class Author(Model, table="author"):
    id: int = field(primary_key=True, generated=True)
    name: str
    age: int | None = None
    alive: bool = True
    created: datetime = field(server_default="now()")
    country_code: str | None = field(references="country.code", default=None)
    country: Country | None = relation("country_code")
    books: list[Book] = relation("author_id")


class Book(Model, table="book"):
    id: int = field(primary_key=True, generated=True)
    author_id: int = field(references="author.id")
    title: str
    price: Decimal | None = None
    kind: Kind = field(column="sort", type="text", default=Kind.NOVEL)
    revision: int = field(version=True)
    words: int = field(computed="length(title)")
    author: Author = relation("author_id")
    tags: list[Tag] = relation(through="book_tag")


class Tag(Model, table="tag"):
    id: int = field(primary_key=True, generated=True)
    label: str
    books: list[Book] = relation(through="book_tag")


class Part(Model, table="part", schema="Stock room"):
    id: int = field(primary_key=True)
    whole_id: int | None = field(references="Stock room.part.id", default=None)
    whole: Part | None = relation("whole_id")
    parts: list[Part] = relation("whole_id")


class Cell(Model, table="cell"):
    x: int = field(primary_key=True)
    y: int = field(primary_key=True)
    word: str = ""
    notes: list[Note] = relation("x", "y")


class Note(Model, table="note"):
    id: int = field(primary_key=True)
    x: int
    y: int
    cell: Cell = relation("x", "y")
