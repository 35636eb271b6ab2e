"""What a checker must know of queries: read by mypy and pyright (make types), never run."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_type

from stretto import (
    AsyncDatabase,
    Database,
    Delete,
    Model,
    Row,
    Select,
    Update,
    and_,
    any_of,
    avg,
    between,
    count,
    delete,
    desc,
    exists,
    field,
    ilike,
    is_null,
    like,
    max_,
    not_,
    or_,
    outer,
    raw,
    relation,
    select,
    some,
    sum_,
    update,
)


class Author(Model, table="author"):
    id: int = field(primary_key=True, generated=True)
    name: str
    age: int | None = None
    books: list[Book] = relation("author_id")


class Book(Model, table="book"):
    id: int = field(primary_key=True, generated=True)
    author_id: int = field(references="author.id")
    title: str
    price: Decimal | None = None
    author: Author = relation("author_id")


def building() -> None:
    query = select(Author).where(Author.name == "x")
    assert_type(query, Select[Author])
    assert_type(
        query.where(any_of(Author.id, [1, 2]), or_(like(Author.name, "x%"), not_(is_null(Author.age))))
        .order_by(desc(Author.name), Author.id)
        .limit(10)
        .offset(5)
        .for_update(skip_locked=True),
        Select[Author],
    )
    assert_type(query.only(Author.name).distinct().include(Author.books, strategy="trip"), Select[Author])
    assert_type(select(Author.name, n=count()).group_by(Author.name).having(count() > 1), Select[Row])
    assert_type(select(Author).columns(Author.name, max_(Author.age)), Select[Row])
    assert_type(update(Author).set(name="x", age=some(Author.age) + 1).where(Author.id == 1), Update[Author])
    assert_type(update(Author).set(name="x").all().returning(), Update[Author])
    assert_type(update(Author).set(name="x").all().returning(Author.id), Update[Row])
    assert_type(delete(Book).where(Book.author.name == "x"), Delete[Book])
    assert_type(any_of(Book.author_id, select(Author.id).where(Author.name == "x")), bool)
    select(Book).where(any_of(Book.author, select(Author).limit(3)), any_of(Book.id, delete(Book).returning(Book.id)))
    assert_type(outer(Author.id), int)
    select(Author.name, n=select(Author).where(Author.id > outer(Author.id)).count())
    select(Book).where(
        and_(Book.author.name == "x", Book.author.id > 5),
        exists(Author.books, some(Book.price) > 5),
        between(Book.id, 1, 9),
        ilike(Book.title, "%x%"),
        raw("length(title) > $1", 5),
    )
    select(Book).where(some(Book.price) * 2 > Decimal(7)).order_by(sum_(Book.price), avg(Book.price))


def blocking(db: Database) -> None:
    assert_type(db.fetch(select(Author)), list[Author])
    assert_type(db.fetchrow(select(Author)), Author | None)
    assert_type(db.fetch(select(Author.name)), list[Row])
    assert_type(db.fetch(select(Author.name), into=str), list[str])
    assert_type(db.fetchval(select(Author).count()), int)
    assert_type(db.fetchval(select(Author).exists()), bool)
    assert_type(db.fetch(update(Author).set(name="x").all().returning()), list[Author])
    assert_type(db.execute(delete(Author).all()), str)
    for author in db.stream(select(Author), batch=10):
        assert_type(author, Author)
    with db.connection() as connection:
        for name in connection.stream(select(Author.name), into=str):
            assert_type(name, str)


async def asynchronous(db: AsyncDatabase) -> None:
    assert_type(await db.fetch(select(Author)), list[Author])
    assert_type(await db.fetchrow(select(Author).where(Author.id == 5)), Author | None)
    assert_type(await db.fetchval(select(Author).count()), int)
    async for author in db.stream(select(Author)):
        assert_type(author, Author)


def misuse(db: Database) -> None:
    select(Author).where(Author.nome == "x")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]  # no such field
    select(Book).where(Book.author.nome == "x")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]  # as above
    select(Author).where(Author.name == 5)  # type: ignore[comparison-overlap]  # pyright: ignore[reportUnnecessaryComparison]  # of another type
    select(Author).where(Author.name < 5)  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnknownArgumentType]  # as above
    select(Author).where(Author.name)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no condition
    select(Author).limit("5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no number
    db.fetch(select(Author), 5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]  # values are in the query
