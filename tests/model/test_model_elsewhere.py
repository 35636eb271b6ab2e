"""Objects of Models in the hands of other libraries: msgspec, orjson, pydantic, FastAPI take them as they are."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import fastapi
import msgspec
import orjson
import pydantic
import pytest

from stretto import Model, field, relation
from stretto.errors import ModelError
from stretto.model.base import values_of

MIDNIGHT = datetime(2020, 1, 1)


class Author(Model, table="author"):
    id: int = field(primary_key=True, generated=True)
    name: str
    created: datetime = field(server_default="now()")
    date: date | None = None
    books: list[Book] = relation("author_id")


class Early(pydantic.BaseModel):
    """Defined before a class that its field names."""

    author: Author


class Book(Model, table="book"):
    id: int = field(primary_key=True, generated=True)
    author_id: int = field(references="author.id")
    title: str
    price: Decimal | None = None
    tags: list[str] = field(default_factory=list)
    author: Author = relation("author_id")


class AuthorOut(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(from_attributes=True)
    name: str
    id: int | None = None
    books: list[BookOut] | None = None


class BookOut(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(from_attributes=True)
    title: str


class AuthorStruct(msgspec.Struct):
    name: str
    id: int = -1
    books: list[Any] | None = None


AUTHORS: Any = pydantic.TypeAdapter(Author)
NEW = {"name": "Bo", "date": None}
SAVED = {"id": 1, "name": "Ann", "created": "2020-01-01T00:00:00", "date": None}
BOOK = {"id": 2, "author_id": 1, "title": "t", "price": "1.50", "tags": ["a"]}
WITH_BOOKS = {**SAVED, "books": [BOOK]}


def saved() -> Author:
    return Author(id=1, name="Ann", created=MIDNIGHT)


def with_books(*, back: bool = False) -> Author:
    author = saved()
    book = Book(id=2, author_id=1, title="t", price=Decimal("1.50"), tags=["a"])
    if back:
        book.author = author
    author.books = [book]
    return author


WRITTEN = [(Author(name="Bo"), NEW), (saved(), SAVED), (with_books(), WITH_BOOKS)]
IDS = ["new", "saved", "related"]


# msgspec, orjson ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("author", "expected"), WRITTEN, ids=IDS)
def test_msgspec_writes_what_is_there(author: Author, expected: dict[str, Any]) -> None:
    assert json.loads(msgspec.json.encode(author)) == expected
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(author), type=Author) == author
    assert json.loads(msgspec.json.encode(msgspec.to_builtins(author))) == expected


@pytest.mark.parametrize(("author", "expected"), WRITTEN, ids=IDS)
def test_msgspec_makes_objects(author: Author, expected: dict[str, Any]) -> None:
    made = msgspec.json.decode(json.dumps(expected), type=Author)
    assert made == author
    assert set(values_of(made)) == set(values_of(author))
    assert type(made) is type(author)
    with pytest.raises(msgspec.ValidationError, match="name"):
        msgspec.convert({"id": 1}, Author)
    with pytest.raises(msgspec.ValidationError, match=r"\$\.name"):
        msgspec.convert({"name": 5}, Author)


def test_msgspec_reads_attributes() -> None:
    assert msgspec.convert(saved(), AuthorStruct, from_attributes=True) == AuthorStruct("Ann", 1)
    assert msgspec.convert(Author(name="Bo"), AuthorStruct, from_attributes=True) == AuthorStruct("Bo")
    assert msgspec.convert(AuthorStruct("Cy", 3, []), Author, from_attributes=True).name == "Cy"


def test_a_post_init_runs_when_msgspec_makes_an_object() -> None:
    class Loud(Model, table="loud"):
        id: int = field(primary_key=True, generated=True)
        name: str

        def __post_init__(self) -> None:
            assert not hasattr(self, "id")
            self.name = self.name.upper()

    assert msgspec.convert({"name": "a"}, Loud) == Loud(name="A")


def test_msgspec_has_a_schema() -> None:
    schema = msgspec.json.schema(Author)["$defs"]
    assert schema["Author"]["required"] == ["name"]
    assert schema["Author"]["properties"]["books"]["items"] == {"$ref": "#/$defs/Book"}


def test_orjson_writes_what_is_there() -> None:
    assert json.loads(orjson.dumps(saved())) == SAVED
    assert json.loads(orjson.dumps(Author(name="Bo"))) == NEW


# pydantic -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("author", "expected"), WRITTEN, ids=IDS)
def test_pydantic_writes_what_is_there(author: Author, expected: dict[str, Any]) -> None:
    assert json.loads(AUTHORS.dump_json(author)) == expected
    assert AUTHORS.dump_python(author, mode="json") == expected
    assert AUTHORS.dump_python(author, include={"name"}) == {"name": expected["name"]}
    assert "name" not in AUTHORS.dump_python(author, exclude={"name"})


def test_a_relation_that_leads_back_is_left_out() -> None:
    assert json.loads(AUTHORS.dump_json(with_books(back=True))) == WITH_BOOKS
    book = with_books(back=True).books[0]
    assert pydantic.TypeAdapter(Book).dump_python(book, mode="json") == {**BOOK, "author": SAVED}


@pytest.mark.parametrize(("author", "expected"), WRITTEN, ids=IDS)
def test_pydantic_makes_objects(author: Author, expected: dict[str, Any]) -> None:
    for made in (AUTHORS.validate_python(expected), AUTHORS.validate_json(json.dumps(expected))):
        assert made == author
        assert set(values_of(made)) == set(values_of(author))
        assert type(made) is type(author)
    assert AUTHORS.validate_python(author) is author


REFUSED: list[tuple[Any, tuple[Any, ...]]] = [
    ({}, ("name",)),
    ({"name": 5}, ("name",)),
    ({"name": "x", "date": "yesterday"}, ("date",)),
    ({"name": "x", "books": [{"title": "t"}]}, ("books", 0, "author_id")),
    (5, ()),
]


@pytest.mark.parametrize(("value", "where"), REFUSED)
def test_pydantic_checks(value: Any, where: tuple[Any, ...]) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        AUTHORS.validate_python(value)
    assert caught.value.errors()[0]["loc"] == where
    assert "Author" in str(caught.value)


def test_pydantic_has_a_schema() -> None:
    definitions = AUTHORS.json_schema()["$defs"]
    author = definitions["Author"]
    assert (author["title"], author["required"]) == ("Author", ["name"])
    assert author["properties"]["books"]["items"] == {"$ref": "#/$defs/Book"}
    assert author["properties"]["date"]["default"] is None
    assert definitions["Book"]["properties"]["author"] == {"$ref": "#/$defs/Author"}


def test_a_field_of_a_pydantic_model() -> None:
    assert Early(author=saved()).model_dump(mode="json") == {"author": SAVED}
    assert Early.model_validate({"author": NEW}).author == Author(name="Bo")
    author = saved()
    assert Early(author=author).author is author


def test_a_pydantic_model_reads_attributes() -> None:
    assert AuthorOut.model_validate(with_books()).model_dump() == {"name": "Ann", "id": 1, "books": [{"title": "t"}]}
    assert AuthorOut.model_validate(Author(name="Bo")).model_dump() == {"name": "Bo", "id": None, "books": None}


def test_an_abstract_base_has_no_schema() -> None:
    class Base(Model, abstract=True):
        id: int

    for nothing in (Base, Model):
        with pytest.raises(ModelError, match="is abstract, and has no objects"):
            pydantic.TypeAdapter(nothing)


# FastAPI --------------------------------------------------------------------------------------------------------------


def web() -> Any:
    """The application; its routes' annotations are of this module."""
    app = fastapi.FastAPI()

    @app.get("/new")
    def new() -> Author:
        return Author(name="Bo")

    @app.get("/saved")
    def saved_() -> Author:
        return saved()

    @app.get("/related")
    async def related() -> Author:
        return with_books(back=True)

    @app.get("/all", response_model=list[Author])
    async def every() -> Any:
        return [one for one, _ in WRITTEN]

    @app.get("/out", response_model=AuthorOut)
    def out() -> Any:
        return saved()

    @app.post("/authors", status_code=201)
    async def post(author: Author) -> Author:
        assert isinstance(author, Author)
        return author

    return app


def ask(app: Any, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """What an ASGI application answers."""
    sent: list[Any] = []
    content = b"" if body is None else json.dumps(body).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "root_path": "", "scheme": "http", "query_string": b"", "client": ("test", 1),
        "headers": [(b"content-type", b"application/json")], "server": ("test", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(b"".join(one.get("body", b"") for one in sent[1:]))


ANSWERS: list[tuple[str, Any]] = [
    ("/new", NEW),
    ("/saved", SAVED),
    ("/related", WITH_BOOKS),
    ("/all", [NEW, SAVED, WITH_BOOKS]),
    ("/out", {"name": "Ann", "id": 1, "books": None}),
]


@pytest.mark.parametrize(("path", "expected"), ANSWERS)
def test_fastapi_answers_with_objects(path: str, expected: Any) -> None:
    assert ask(web(), "GET", path) == (200, expected)


def test_fastapi_takes_objects() -> None:
    assert ask(web(), "POST", "/authors", {"name": "Bo"}) == (201, NEW)
    assert ask(web(), "POST", "/authors", WITH_BOOKS) == (201, WITH_BOOKS)
    status, said = ask(web(), "POST", "/authors", {"nam": "Bo"})
    assert (status, said["detail"][0]["loc"]) == (422, ["body", "name"])


def test_fastapi_describes_them() -> None:
    _, described = ask(web(), "GET", "/openapi.json")
    assert {name for name in described["components"]["schemas"] if name.startswith("Author")} >= {"AuthorOut"}
    assert any(name.startswith("Book") for name in described["components"]["schemas"])
