"""What a checker must find in the use of Models: read by mypy and pyright (make types), never run.

Each mistake is marked with the error that it must be; a mark without an error is an error itself.
"""

# ruff: noqa: B018  # expressions are what is checked
# pyright: basic, reportUnnecessaryComparison=true, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from models import Author, Book, Tag, Total

from stretto import AsyncDatabase, Database, Model, any_of, field, like, outer


def constructors() -> None:
    Author()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Author(name=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Author("Ann")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Author(nmae="Ann")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Author(name="Ann", id=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Author(name="Ann", version=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Author(name="Ann", shouted="ANN")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Author(name="Ann", books=[])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Book(author_id="1", isbn="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Book(isbn="1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Total(name="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Tag(name=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def attributes(author: Author) -> None:
    author.nmae  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    author.nmae = "x"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    author.name = 5  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    author.books = [author]  # type: ignore[list-item]  # pyright: ignore[reportAttributeAccessIssue]
    author.books[0].titel  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    Author.nmae  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def conditions() -> list[bool]:
    return [
        Author.name == 5,  # type: ignore[comparison-overlap]  # pyright: ignore[reportUnnecessaryComparison]
        Author.nmae == "x",  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        Author.id > "5",  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
        any_of(Author.id, 5),  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
        any_of(Author.id, Author),  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
        Author.name == outer(Author.id),  # type: ignore[comparison-overlap]  # pyright: ignore[reportUnnecessaryComparison]
        like(Author.id, "5%"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        Book.author.nmae == "x",  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        Book.author.name == 5,  # type: ignore[comparison-overlap]  # pyright: ignore[reportUnnecessaryComparison]
    ]


def definitions() -> None:
    class Wrong(Model, tabel="wrong"):  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue, reportGeneralTypeIssues]
        a: int = field(primary_kye=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
        b: int = field(default="x")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        c: int = field(default_factory=str)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        d: int = field(references="a.b", on_delete="explode")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
        e: int = field(default=1, default_factory=int)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


def blocking(db: Database) -> None:
    db.get(Author)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    book: Book | None = db.get(Author, 1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    author: Author = db.get(Author, 1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    books: list[Book] = db.insert_many([Author(name="x")])  # type: ignore[list-item]  # pyright: ignore[reportAssignmentType]
    db.fetch("select 1", into=Author(name="x"))  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    db.fetch("select 1", into=Author)[0].nmae  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    del book, author, books


async def asynchronous(db: AsyncDatabase) -> None:
    author: Author = await db.get(Author, 1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    (await db.fetch("select 1", into=Author))[0].nmae  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    db.insert(Author(name="x")).name  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    del author
