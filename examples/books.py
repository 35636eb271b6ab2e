"""Models: classes that are tables. Graphs of objects come in one round trip; what was not loaded says how to load it.

It prints:

    Author(id=1, name='Ursula')
    Ursula wrote The Dispossessed (12.50), tags: novel, utopia
    Ursula wrote Lavinia (not for sale), tags: novel
    Row(name='Ursula', books=2)
    NotLoaded: Book.author was not loaded
    Ursula
    Decimal('11.00')
    StaleObject: lost update
    ['Lavinia']
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import stretto
import stretto.embedded
from stretto import Model, count, delete, exists, field, related, relation, select, some
from stretto.errors import NotLoaded, StaleObject
from stretto.testing import expect


class Author(Model, table="author"):
    id: int = field(primary_key=True, generated=True)
    name: str
    created: datetime = field(server_default="now()", repr=False)
    books: list[Book] = relation("author_id")  # Book.author_id -> Author


class Book(Model, table="book"):
    id: int = field(primary_key=True, generated=True)
    author_id: int = field(references="author.id", on_delete="cascade")
    title: str
    price: Decimal | None = None
    revision: int = field(version=True)
    author: Author = relation("author_id")  # many-to-one
    tags: list[Tag] = relation(through="book_tag")  # many-to-many


class Tag(Model, table="tag"):
    id: int = field(primary_key=True, generated=True)
    name: str = field(unique=True)


def show(db: stretto.Database) -> None:
    """The same function runs in threads, under gevent, and on asyncio by ``await db.run(show)``."""
    ursula = db.insert(Author(name="Ursula"))
    print(ursula)
    novel, utopia = db.insert_many([Tag(name="novel"), Tag(name="utopia")])
    dispossessed, lavinia = db.insert_many(
        [
            Book(author_id=ursula.id, title="The Dispossessed", price=Decimal("12.50")),
            Book(author_id=ursula.id, title="Lavinia"),
        ]
    )
    pairs = [(dispossessed.id, novel.id), (dispossessed.id, utopia.id), (lavinia.id, novel.id)]
    db.executemany("insert into book_tag (book_id, tag_id) values ($1, $2)", pairs)

    books = related(Author.books, related(Book.tags, order_by=Tag.name), order_by=Book.id, limit=10)
    with expect(round_trips=1):
        authors = db.fetch(select(Author).where(Author.name == "Ursula").include(books))
    for author in authors:
        for book in author.books:
            price = "not for sale" if book.price is None else book.price
            print(f"{author.name} wrote {book.title} ({price}), tags: {', '.join(tag.name for tag in book.tags)}")
    print(db.fetchrow(select(Book.author.name, books=count()).group_by(Book.author.name)))

    cheap = db.fetch(select(Book).where(Book.author.name == "Ursula", some(Book.price) < 20))
    try:
        print(cheap[0].author)
    except NotLoaded as error:
        print("NotLoaded:", str(error).partition(":")[0])
    db.load(cheap, Book.author)
    print(cheap[0].author.name)

    other = db.get(Book, cheap[0].id)
    cheap[0].price = Decimal("11.00")
    print(repr(db.update(cheap[0]).price))
    if other is not None:
        other.title = "The Dispossessed!"
        try:
            db.update(other)
        except StaleObject:
            print("StaleObject: lost update")
    db.execute(delete(Book).where(exists(Book.tags, Tag.name == "utopia")))
    print(db.fetch("select title from book", into=str))  # whatever is harder is SQL


def main(url: str) -> None:
    with stretto.Database(url) as db:
        db.create_tables(Author, Book, Tag)
        show(db)


if __name__ == "__main__":
    with stretto.embedded.server() as server_url:
        main(server_url)
