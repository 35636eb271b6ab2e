"""Blocking code: a table, rows as objects, one statement for many rows, an error that says what is wrong.

It prints:

    inserted: INSERT 0 1
    Book(id=1, title='Middlemarch', price=Decimal('9.50'))
    Book(id=3, title='Silas Marner', price=None)
    the dearest: Romola
    refused: books_title_key
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import stretto
import stretto.embedded
from stretto.sqlstate import UniqueViolation


@dataclass(slots=True)
class Book:
    id: int
    title: str
    price: Decimal | None


def main(url: str) -> None:
    with stretto.Database(url) as db:
        db.execute("""
            create table books (
                id    integer generated always as identity primary key,
                title text not null unique,
                price numeric(8, 2)
            )
        """)
        insert = "insert into books (title, price) values ($1, $2)"
        print("inserted:", db.execute(insert, "Middlemarch", Decimal("9.50")))
        db.executemany(insert, [("Romola", 12), ("Silas Marner", None)])

        for book in db.fetch("select * from books where title <> $1 order by id", "Romola", into=Book):
            print(book)
        print("the dearest:", db.fetchval("select title from books order by price desc nulls last"))

        try:
            db.execute(insert, "Romola", 7)
        except UniqueViolation as error:
            print("refused:", error.constraint_name)


if __name__ == "__main__":
    with stretto.embedded.server() as server_url:
        main(server_url)
