"""What a checker must know of the verbs: read by mypy and pyright (make types), never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypedDict, assert_type

from stretto import (
    AsyncDatabase,
    AsyncTransaction,
    Connection,
    Database,
    Row,
    Transaction,
    deadline,
    detached,
    transactional,
)


@dataclass(slots=True)
class Author:
    id: int
    name: str


class Book(NamedTuple):
    id: int
    title: str


class Tag(TypedDict):
    id: int


def blocking(db: Database) -> None:
    assert_type(db.fetch("select 1"), list[Row])
    assert_type(db.fetch("select $1", 7, timeout=1.0), list[Row])
    assert_type(db.fetch("select 1", into=Author), list[Author])
    assert_type(db.fetch("select 1", into=Book), list[Book])
    assert_type(db.fetch("select 1", into=Tag), list[Tag])
    assert_type(db.fetch("select 1", into=int), list[int])
    assert_type(db.fetchrow("select 1"), Row | None)
    assert_type(db.fetchrow("select 1", 7, into=Author), Author | None)
    assert_type(db.fetchmany("select $1", [(1,), (2,)]), list[Row])
    assert_type(db.fetchmany("select $1", [[1], [2]], into=Author), list[Author])
    assert_type(db.execute("select 1"), str)
    for row in db.stream("select 1"):
        assert_type(row, Row)
    for author in db.stream("select 1", into=Author, batch=10):
        assert_type(author, Author)
        assert_type(author.name, str)
    with db.connection() as connection:
        assert_type(connection, Connection)
        assert_type(connection.fetch("select 1", into=Author), list[Author])
    with Database("postgresql://") as other:
        assert_type(other, Database)


async def asynchronous(db: AsyncDatabase) -> None:
    assert_type(await db.fetch("select 1"), list[Row])
    assert_type(await db.fetch("select $1", 7, into=Author), list[Author])
    assert_type(await db.fetchrow("select 1"), Row | None)
    assert_type(await db.fetchrow("select 1", into=Book), Book | None)
    assert_type(await db.fetchmany("select $1", [(1,)], into=Author), list[Author])
    assert_type(await db.execute("select 1"), str)
    async for author in db.stream("select 1", into=Author):
        assert_type(author, Author)
    async with db.connection() as connection:
        assert_type(await connection.fetch("select 1", into=Tag), list[Tag])
    async with AsyncDatabase("postgresql://") as other:
        assert_type(other, AsyncDatabase)


def business(db: Database, least: int, *, title: str = "") -> list[Author]:
    return db.fetch("select * from author where id > $1 and title = $2", least, title, into=Author)


async def one_function_for_all(db: AsyncDatabase, blocking: Database) -> None:
    assert_type(await db.run(business, 7, title="x"), list[Author])
    assert_type(blocking.run(business, 7), list[Author])
    assert_type(await db.run(lambda db: db.execute("select 1")), str)
    await db.run(business, "7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the arguments are checked as in a call
    await db.run(business, 7, name="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # and the keywords


def count(number: int) -> int:
    return number


async def acount(number: int) -> int:
    return number


@transactional
def decorated(db: Database, number: int) -> int:
    return number


@transactional(isolation="serializable", attempts=2)
async def adecorated(db: AsyncDatabase, number: int) -> int:
    return number


def blocking_transactions(db: Database, connection: Connection) -> None:
    assert_type(db.transact(count, 1), int)
    assert_type(connection.transact(count, 1, attempts=3), int)
    assert_type(decorated(db, 1), int)
    with deadline(1.0), detached(), db.transaction(isolation="serializable") as transaction:
        assert_type(transaction, Transaction)
        assert_type(transaction.final.fetch("select 1", into=Author), list[Author])


async def asynchronous_transactions(db: AsyncDatabase) -> None:
    assert_type(await db.transact(acount, 1), int)
    assert_type(await adecorated(db, 1), int)
    async with db.transaction() as transaction:
        assert_type(transaction, AsyncTransaction)
        assert_type(await transaction.final.execute("select 1"), str)
