"""One business function for all runtimes: it knows nothing of where it runs, and says all that it saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import stretto
from stretto.sqlstate import DivisionByZero, UniqueViolation


@dataclass(slots=True)
class Book:
    id: int
    title: str
    price: Decimal | None


def keep_books(db: stretto.Database, count: int, *, prefix: str = "Book") -> dict[str, Any]:
    """Use every verb that a Database has, in a schema that is empty; what comes back is the same everywhere."""
    seen: dict[str, Any] = {"is a Database": isinstance(db, stretto.Database)}
    seen["execute"] = db.execute("create table book (id int primary key, title text, price numeric)")
    db.executemany("insert into book values ($1, $2, $3)", [(i, f"{prefix} {i}", None) for i in range(count)])
    seen["fetchmany"] = db.fetchmany(
        "update book set price = $2 where id = $1 returning *", [(1, 5), (2, 7)], into=Book
    )
    seen["fetch"] = db.fetch("select * from book where price > $1 order by id", Decimal("4.5"), into=Book)
    seen["fetchrow"] = db.fetchrow("select title, price from book where id = $1", 2)
    seen["fetchval"] = db.fetchval("select title, price from book where id = 1", column=1)
    seen["nothing"] = db.fetchrow("select * from book where id = -1")
    try:
        db.execute("insert into book values ($1, '', null)", 1)
    except UniqueViolation as error:
        seen["error"] = error.constraint_name
    try:
        with db.batch() as batch:
            batch.add("insert into book values (1000, 'kept?', null)")
            batch.add("select 1 / $1::int", 0)
    except DivisionByZero:
        seen["batch"] = db.fetchval("select count(*) from book where id = 1000")
    with db.batch() as batch:
        batch.add("select count(*) from book")
        batch.add("select * from book where id = 2", into=Book)
    seen["results"] = [result.rows for result in batch.results]
    seen["stream"] = [book.title for book in db.stream("select * from book order by id", into=Book, batch=3)]
    for i in db.stream("select i from generate_series(1, 100000) i", into=int, batch=10):
        if i == 25:
            seen["stream left at"] = i
            break
    seen |= _copies(db, count)
    seen |= _session(db)
    seen["run"] = db.run(_titles, limit=2)
    return seen


def _titles(db: stretto.Database, limit: int) -> list[str]:
    return db.fetch("select title from book order by id limit $1", limit, into=str)


def _copies(db: stretto.Database, count: int) -> dict[str, Any]:
    def priced() -> Iterator[tuple[int, str, Decimal]]:
        """A source that asks while it is copied from."""
        for i in range(3):
            title = db.fetchval("select title from book where id = $1", i)
            yield 100 + i, f"Copy of {title}", Decimal(i)

    chunks: list[bytes] = []
    seen: dict[str, Any] = {"copy_in": str(db.copy_in("book", priced()))}
    seen["copy_out"] = db.copy_out("select * from book where id >= 100 order by id", chunks.append)
    seen["copied"] = b"".join(chunks).decode()
    return seen


def _session(db: stretto.Database) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    with db.connection() as connection:
        notices: list[stretto.Notice] = []
        connection.on_notice(notices.append)
        connection.execute("create temp table draft (id int); drop table if exists nowhere")
        seen["notices"] = [str(notice) for notice in notices]
        seen["connection.copy_in"] = connection.copy_in("draft", [(1,), (2,), (3,)])
        seen["connection.stream"] = [row.id for row in connection.stream("select * from draft", batch=2)]
        lines: list[bytes] = []
        seen["connection.copy_out"] = connection.copy_out("draft", lines.append), b"".join(lines)
        seen["in_transaction"] = connection.execute("begin"), connection.in_transaction
        connection.reset()
        seen["reset"] = connection.in_transaction, connection.closed, isinstance(connection, stretto.Connection)
        connection.listen("shelf")
        connection.execute("notify shelf, 'full'")
        seen["notification"] = [(n.channel, n.payload) for n in connection.notifications(timeout=0.05)]
    return seen
