"""Models as DDL, without a server: types of annotations, columns, keys, order, and what can't be a table."""

from __future__ import annotations

import enum
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, Literal, NewType, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from stretto import (
    BitString,
    Box,
    Circle,
    Interval,
    Line,
    LineSegment,
    Model,
    Path,
    Point,
    Polygon,
    Range,
    field,
    relation,
)
from stretto.errors import ModelError, UsageError
from stretto.model.ddl import create_sql, drop_sql
from stretto.model.fields import Field
from stretto.model.fits import fits
from stretto.model.live import Column
from stretto.model.schema import Definition, definitions
from stretto.model.sqltypes import literal, type_of


class Mood(enum.Enum):
    HAPPY = "happy"
    SAD = "it's sad"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Address(TypedDict):
    street: str


@dataclass
class Size:
    width: int


@attrs.define
class Colour:
    name: str


class Struct(msgspec.Struct):
    name: str


class Checked(pydantic.BaseModel):
    name: str


class Owner(Model, table="owner"):
    id: int = field(primary_key=True)


AuthorId = NewType("AuthorId", int)


def bound(annotation: Any, **options: Any) -> Field:
    """A field of this annotation, as a Model has it."""
    cls: Any = type(Model)("Anything", (Model,), {"__annotations__": {"it": annotation}, "it": field(**options)})
    return cls._fields_["it"]


TYPES: list[tuple[Any, str]] = [
    (bool, "boolean"),
    (int, "bigint"),
    (AuthorId, "bigint"),
    (Annotated[int, "positive"], "bigint"),
    (float, "double precision"),
    (Decimal, "numeric"),
    (str, "text"),
    (str | None, "text"),
    (bytes, "bytea"),
    (datetime, "timestamptz"),
    (date, "date"),
    (time, "time"),
    (timedelta, "interval"),
    (Interval, "interval"),
    (timedelta | Interval, "interval"),
    (uuid.UUID, "uuid"),
    (IPv4Address, "inet"),
    (IPv4Address | IPv6Address | None, "inet"),
    (IPv4Interface, "inet"),
    (IPv4Network | IPv6Network, "cidr"),
    (BitString, "varbit"),
    (Point, "point"),
    (Line, "line"),
    (LineSegment, "lseg"),
    (Box, "box"),
    (Circle, "circle"),
    (Path, "path"),
    (Polygon, "polygon"),
    (Range[int], "int8range"),
    (Range[Decimal], "numrange"),
    (Range[date], "daterange"),
    (Range[datetime] | None, "tstzrange"),
    (list[Range[int]], "int8range[]"),
    (dict, "jsonb"),
    (dict[str, int], "jsonb"),
    (Address, "jsonb"),
    (Size, "jsonb"),
    (Colour, "jsonb"),
    (Struct, "jsonb"),
    (Checked, "jsonb"),
    (list, "jsonb"),
    (list[Any], "jsonb"),
    (list[dict[str, Any]], "jsonb"),
    (list[Size], "jsonb"),
    (list[list[Size]], "jsonb"),
    (list[int], "bigint[]"),
    (list[int | None], "bigint[]"),
    (Sequence[str], "text[]"),
    (list[list[float]], "double precision[]"),
    (Mood, "text"),
    (Level, "bigint"),
    (Rights, "bigint"),
    (Literal["a", "b"], "text"),
    (Literal[1, 2, None], "bigint"),
    (Literal[True], "boolean"),
    (list[Mood], "text[]"),
]


@pytest.mark.parametrize(("annotation", "sql"), TYPES, ids=lambda one: str(one))
def test_an_annotation_says_the_type(annotation: Any, sql: str) -> None:
    assert type_of(bound(annotation)).sql == sql


CHECKS: list[tuple[Any, str | None, str | None]] = [
    (Mood, None, "\"it\" in ('happy', 'it''s sad')"),
    (Mood | None, None, "\"it\" in ('happy', 'it''s sad')"),
    (Level, None, '"it" in (1, 2)'),
    (Literal["a", "b"], None, "\"it\" in ('a', 'b')"),
    (list[Literal["a"]], None, "\"it\" <@ array['a']"),
    (Mood, "varchar(20)", "\"it\" in ('happy', 'it''s sad')"),
    (Mood, "character varying(20)", "\"it\" in ('happy', 'it''s sad')"),
    (list[Mood], "varchar(20)[]", "\"it\" <@ array['happy', 'it''s sad']"),
    (Level, "smallint", '"it" in (1, 2)'),
    (Rights, None, None),
    (Literal[True, False], None, None),
    (Mood, "mood", None),
    (str, None, None),
]


@pytest.mark.parametrize(("annotation", "type", "check"), CHECKS)
def test_values_that_an_annotation_names_are_checked(annotation: Any, type: str | None, check: str | None) -> None:
    assert type_of(bound(annotation, type=type)).check('"it"') == check


@pytest.mark.parametrize(
    ("annotation", "type", "name"),
    [
        (Mood, "mood", "mood"),
        (Mood | None, "app.mood", "app.mood"),
        (list[Mood], "mood[]", "mood"),
        (Literal["a", "b"], "letter", "letter"),
        (Level, "level", None),
        (str, "mood", None),
        (Mood, "text", None),
        (Mood, "varchar(4)[]", None),
    ],
)
def test_an_enum_with_a_type_of_its_own_is_an_enum_type(annotation: Any, type: str, name: str | None) -> None:
    assert type_of(bound(annotation, type=type)).enum == name


@pytest.mark.parametrize(
    ("annotation", "options", "message"),
    [
        (object, {}, "no SQL type is known for object: give it field(type=...)"),
        (Any, {}, "no SQL type is known for Any"),
        (complex, {}, "no SQL type is known for complex"),
        (tuple[int, str], {}, "no SQL type is known for tuple[int, str]"),
        (int | str, {}, "int | str could be bigint, text: give it field(type=...)"),
        (Range[str], {}, "could be many types: write Range[int], Range[Decimal], Range[date], Range[datetime]"),
        (Range, {}, "Range could be many types"),
        (Mixed, {}, "the values of Mixed are neither all str nor all int"),
        (Literal["a", 1], {}, "neither all str nor all int"),
        (Owner, {}, "Owner is a Model and no column: write = relation(...)"),
        (list[Owner], {}, "Owner is a Model and no column: write = relation(...)"),
        (str, {"generated": True}, "generated= is for an int, not for text"),
        (uuid.UUID, {"generated": True}, "server_default='gen_random_uuid()'"),
    ],
)
def test_an_annotation_without_a_type_says_what_to_do(annotation: Any, options: Any, message: str) -> None:
    with pytest.raises(ModelError, match=re.escape(message)) as raised:
        type_of(bound(annotation, **options))
    assert "Anything.it" in str(raised.value)


def test_a_given_type_makes_any_annotation_a_column() -> None:
    assert type_of(bound(complex, type="point")).sql == "point"


@pytest.mark.parametrize(
    ("value", "written"),
    [("a", "'a'"), ("it's", "'it''s'"), ("a\\b", " E'a\\\\b'"), (3, "3"), (True, "true"), ("", "''")],
)
def test_values_are_written_as_literals(value: Any, written: str) -> None:
    assert literal(value) == written


# --- columns ----------------------------------------------------------------------------------------------------------

COLUMNS: list[tuple[Any, dict[str, Any], str]] = [
    (str, {}, '"it" text not null'),
    (str | None, {}, '"it" text'),
    (str, {"default": "x"}, '"it" text not null'),
    (int, {"primary_key": True}, '"it" bigint'),
    (int | None, {"primary_key": True, "generated": True}, '"it" bigint generated by default as identity'),
    (int, {"generated": "always"}, '"it" bigint generated always as identity not null'),
    (int, {"generated": True, "type": "integer"}, '"it" integer generated by default as identity not null'),
    (datetime, {"server_default": "now()"}, '"it" timestamptz default (now()) not null'),
    (int, {"server_default": "1 + 1"}, '"it" bigint default (1 + 1) not null'),
    (int | None, {"computed": "a * 2"}, '"it" bigint generated always as (a * 2) stored'),
    (int, {"version": True}, '"it" bigint default 1 not null'),
    (str, {"unique": True}, '"it" text not null unique'),
    (int, {"check": "it > 0"}, '"it" bigint not null check (it > 0)'),
    (str, {"column": 'od"d', "type": "citext"}, '"od""d" citext not null'),
    (Mood, {"check": "it <> ''"}, "\"it\" text not null check (it <> '') check (\"it\" in ('happy', 'it''s sad'))"),
]


def table_with(annotation: Any, **options: Any) -> Any:
    namespace = {"__annotations__": {"it": annotation}, "it": field(**options)}
    return type(Model)("Anything", (Model,), namespace, table="anything")


@pytest.mark.parametrize(("annotation", "options", "sql"), COLUMNS, ids=lambda one: str(one))
def test_a_field_says_its_column(annotation: Any, options: dict[str, Any], sql: str) -> None:
    (made,) = definitions([table_with(annotation, **options)])
    assert made.columns == [sql]


@pytest.mark.parametrize(
    ("index", "sql"), [(True, '("it")'), ("gin", 'using gin ("it")'), ("hash", 'using hash ("it")'), (False, None)]
)
def test_an_index_is_by_default_or_by_a_method(index: bool | str, sql: str | None) -> None:
    (made,) = definitions([table_with(int, index=index)])
    assert made.indexes == ([] if sql is None else [sql])


# --- tables -----------------------------------------------------------------------------------------------------------


class Weather(Model, table="weather"):
    origin: str = field(primary_key=True, type="char(3)")
    time_hour: datetime = field(primary_key=True)
    temp: float | None = None


class Airport(Model, table="airport"):
    faa: str = field(primary_key=True)


class Flight(
    Model,
    table="flight",
    unique=[("carrier", "number")],
    checks=["number > 0"],
    indexes=["carrier", ("origin", "dest"), "unique (lower(carrier))", "using gin (carrier) where number > 1"],
):
    id: int = field(primary_key=True, generated=True)
    carrier: str
    number: int = field(column="no")
    origin: str = field(references="weather.origin", on_delete="cascade")
    hour: datetime = field(references="weather.time_hour", column="time_hour")
    dest: str = field(references="airport.faa", on_delete="restrict", on_update="cascade")
    alternate: str | None = field(default=None, references="airport.faa")
    previous: int | None = field(default=None, references="flight.id")


def by_name(*models: Any) -> dict[str, Definition]:
    return {one.full_name: one for one in definitions(models)}


def test_class_keywords_and_field_options_are_in_the_table() -> None:
    made = by_name(Flight, Weather, Airport)["flight"]
    assert made.constraints == ['primary key ("id")', 'unique ("carrier", "no")', "check (number > 0)"]
    assert made.indexes == [
        '("carrier")',
        '("origin", "dest")',
        "unique (lower(carrier))",
        "using gin (carrier) where number > 1",
    ]
    assert 'create unique index on "flight" (lower(carrier));' in create_sql([Flight, Weather, Airport])


def test_a_composite_primary_key_is_one_constraint() -> None:
    made = by_name(Weather)["weather"]
    assert made.constraints == ['primary key ("origin", "time_hour")']
    assert made.columns[:2] == ['"origin" char(3)', '"time_hour" timestamptz']


def test_fields_that_reference_one_composite_key_are_one_foreign_key() -> None:
    keys = [str(one) for one in by_name(Flight, Weather, Airport)["flight"].foreign_keys]
    assert keys == [
        'foreign key ("origin", "time_hour") references "weather" ("origin", "time_hour") on delete cascade',
        'foreign key ("dest") references "airport" ("faa") on delete restrict on update cascade',
        'foreign key ("alternate") references "airport" ("faa")',
        'foreign key ("previous") references "flight" ("id")',
    ]


def test_tables_come_behind_those_that_they_reference() -> None:
    assert [one.name for one in definitions([Flight, Weather, Airport])] == ["weather", "airport", "flight"]
    assert 'drop table if exists "flight", "airport", "weather";' in drop_sql([Flight, Weather, Airport])


def test_tables_that_are_not_given_are_referenced_all_the_same() -> None:
    made = by_name(Flight)
    assert list(made) == ["flight"]
    assert str(made["flight"].foreign_keys[0]).startswith('foreign key ("origin", "time_hour") references "weather"')


class Room(Model, table="room", schema="hotel"):
    house: int = field(primary_key=True)
    number: int = field(primary_key=True)
    code: str = field(unique=True)


class Guest(
    Model,
    table="guest",
    schema="hotel",
    foreign_keys=[
        "(house, room) references room (house, number) on delete set null (room)",
        '(house, "other") REFERENCES hotel.room',
    ],
):
    id: int = field(primary_key=True)
    house: int
    room: int | None = None
    other: int | None = None
    code: str | None = field(default=None, references="room.code")
    full: str | None = field(default=None, references="hotel.room.code")


def test_foreign_keys_can_be_written_as_sql_and_schemas_are_inherited() -> None:
    made = by_name(Guest, Room)
    assert list(made) == ["hotel.room", "hotel.guest"]
    assert [str(one) for one in made["hotel.guest"].foreign_keys] == [
        'foreign key ("code") references "hotel"."room" ("code")',
        'foreign key ("full") references "hotel"."room" ("code")',
        'foreign key ("house", "room") references "hotel"."room" ("house", "number") on delete set null (room)',
        'foreign key ("house", "other") references "hotel"."room"',
    ]
    assert 'create schema "hotel";' in create_sql([Guest, Room])


class Egg(Model, table="egg"):
    id: int = field(primary_key=True)
    hen_id: int = field(references="hen.id")


class Hen(Model, table="hen"):
    id: int = field(primary_key=True)
    egg_id: int | None = field(default=None, references="egg.id")


def test_the_last_foreign_key_of_a_circle_comes_afterwards() -> None:
    sql = create_sql([Egg, Hen])
    assert sql.index('create table "hen"') < sql.index('create table "egg"')
    assert sql.count("foreign key") == 2
    late = 'alter table "hen" add foreign key ("egg_id") references "egg" ("id");'
    assert sql.index(late) > sql.index('create table "egg"')


class Book(Model, table="book"):
    id: int = field(primary_key=True, generated=True)
    tags: list[Tag] = relation(through="book_tag")
    mood: Mood = field(type="mood")


class Tag(Model, table="tag"):
    name: str = field(primary_key=True, type="varchar(40)")
    books: list[Book] = relation(through="book_tag")
    moods: list[Mood] = field(type="mood[]")


def test_a_table_between_two_sides_is_made_once() -> None:
    made = by_name(Book, Tag)
    assert list(made) == ["book", "tag", "book_tag"]
    between = made["book_tag"]
    assert between.columns == ['"book_id" bigint not null', '"tag_id" varchar(40) not null']
    assert between.constraints == ['primary key ("book_id", "tag_id")']
    assert between.indexes == ['("tag_id")']
    assert [str(one) for one in between.foreign_keys] == [
        'foreign key ("book_id") references "book" ("id") on delete cascade',
        'foreign key ("tag_id") references "tag" ("name") on delete cascade',
    ]


def test_a_table_between_can_point_to_composite_keys_and_to_one_table_twice() -> None:
    class Person(Model, table="person"):
        id: int = field(primary_key=True)
        friends: list[Person] = relation(through="friend", through_keys=("a", "b"))
        rooms: list[Room] = relation(through="hotel.stay", through_keys=("person_id", ("house", "number")))

    made = by_name(Person, Room)
    assert [str(one) for one in made["friend"].foreign_keys] == [
        'foreign key ("a") references "person" ("id") on delete cascade',
        'foreign key ("b") references "person" ("id") on delete cascade',
    ]
    assert made["hotel.stay"].constraints == ['primary key ("person_id", "house", "number")']
    assert str(made["hotel.stay"].foreign_keys[1]) == (
        'foreign key ("house", "number") references "hotel"."room" ("house", "number") on delete cascade'
    )


def test_a_table_between_that_has_a_model_is_the_models() -> None:
    class BookTag(Model, table="book_tag"):
        book_id: int = field(primary_key=True, references="book.id")
        tag_id: str = field(primary_key=True, references="tag.name")
        since: date

    made = by_name(Book, Tag, BookTag)
    assert list(made) == ["book", "tag", "book_tag"]
    assert len(made["book_tag"].columns) == 3


def test_an_enum_type_is_made_before_and_dropped_after_its_tables() -> None:
    sql = create_sql([Book, Tag])
    assert sql.count("create type mood as enum ('happy', 'it''s sad');") == 1
    assert sql.index("create type") < sql.index("create table")
    assert drop_sql([Book, Tag]).index("drop type mood") > drop_sql([Book, Tag]).index("drop table")


def test_a_body_with_our_quote_in_it_gets_another_quote() -> None:
    sql = create_sql([table_with(str, server_default="'$stretto$'")])
    assert sql.startswith("do $stretto_$\n")
    assert sql.endswith("end $stretto_$")


def test_texts_of_several_lines_stay_as_they_are() -> None:
    text = "'one\n  two\nthree'"
    assert f"default ({text})" in create_sql([table_with(str, server_default=text)])


# --- refusals ---------------------------------------------------------------------------------------------------------


def a_model(name: str = "Wrong", table: str | None = "wrong", /, *, annotations: Any = None, **rest: Any) -> Any:
    keywords = {key: rest.pop(key) for key in ("unique", "indexes", "foreign_keys", "checks") if key in rest}
    hints = annotations or dict.fromkeys(rest, int)
    return type(Model)(name, (Model,), {"__annotations__": hints, **rest}, table=table, **keywords)


def the_same_table() -> list[Any]:
    return [Owner, a_model("Other", "owner", a=field())]


def two_enums() -> list[Any]:
    return [
        a_model("A", "a", annotations={"a": Literal["x"]}, a=field(type="letter")),
        a_model("B", "b", annotations={"b": Literal["y"]}, b=field(type="letter")),
    ]


def two_between() -> list[Any]:
    left = a_model("Left", "left", annotations={"id": int, "all": list[Owner]}, id=field(primary_key=True))
    keyed = relation(through="between", through_keys=("l", "r"))
    right_hints = {"id": int, "one": list[Owner]}
    a = a_model("A", "a", annotations=right_hints, id=field(primary_key=True), one=relation(through="between"))
    b = a_model("B", "b", annotations=right_hints, id=field(primary_key=True), one=keyed)
    assert left
    return [a, b]


def with_itself() -> list[Any]:
    friends = relation(through="friend")
    return [a_model("Person", "p", annotations={"id": int, "f": "list[Person]"}, id=field(primary_key=True), f=friends)]


REFUSALS: list[tuple[Any, type[Exception], str]] = [
    (list, UsageError, "name the Models whose tables are meant"),
    (lambda: [int], ModelError, "is not a Model"),
    (lambda: [a_model("Loose", None, a=field())], ModelError, "Loose has no table"),
    (the_same_table, ModelError, "Owner and Other are both table owner"),
    (two_enums, ModelError, "two fields have the enum type letter"),
    (two_between, ModelError, "another relation through between has"),
    (with_itself, ModelError, "both sides are p: name the columns of each by through_keys="),
    (lambda: [a_model(a=field(index="gin; drop"))], ModelError, "index= is True or a method, as 'gin'"),
    (lambda: [a_model(a=field(on_delete="cascade"))], ModelError, "on_delete= is said of a foreign key"),
    (lambda: [a_model(a=field(references="owner"))], ModelError, 'give "table.column", or a field as Author.id'),
    (lambda: [Owner, a_model(a=field(references="owner.idd"))], ModelError, "perhaps 'owner.id'"),
    (
        lambda: [a_model(a=field(references="owner.id", on_delete="explode"))],
        ModelError,
        "on_delete='explode' is none of 'cascade'",
    ),
    (lambda: [a_model(number=field(), unique=[("number", "numbr")])], ModelError, "unique= names 'numbr'"),
    (lambda: [a_model(number=field(), indexes=["numbr"])], ModelError, "perhaps 'number'"),
    (lambda: [a_model(a=field(), foreign_keys=["a -> b"])], ModelError, "which is not of the form"),
    (lambda: [a_model(a=field(), foreign_keys=["(b) references c"])], ModelError, "foreign_keys= names 'b'"),
    (
        lambda: [a_model(**{key: field(references=f"t.{key[0]}") for key in ("a1", "b1", "a2", "b2")})],
        ModelError,
        "say which belong together",
    ),
]


@pytest.mark.parametrize(("models", "error", "message"), REFUSALS, ids=lambda one: one if isinstance(one, str) else "")
def test_what_cannot_be_a_table_says_why(models: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        create_sql(models())


# --- what fits --------------------------------------------------------------------------------------------------------

FITS: list[tuple[Any, str, bool]] = [
    (int, "int4", True),
    (int, "numeric", False),
    (int, "text", False),
    (int, "int4[]", False),
    (float, "int4", True),
    (float, "float4", True),
    (float, "numeric", False),
    (Decimal, "numeric", True),
    (Decimal, "float8", False),
    (bool, "int4", False),
    (str, "varchar", True),
    (str, "mood:e", True),
    (str, "int8", False),
    (str | None, "citext", True),
    (bytes, "text", False),
    (datetime, "timestamp", True),
    (datetime, "date", False),
    (date, "timestamptz", False),
    (timedelta | Interval, "interval", True),
    (uuid.UUID, "uuid", True),
    (uuid.UUID, "text", False),
    (IPv4Address, "inet", True),
    (IPv4Address, "cidr", False),
    (Point, "point", True),
    (BitString, "bit", True),
    (Mood, "text", True),
    (Mood, "mood:e", True),
    (Mood, "int4", False),
    (Level, "int2", True),
    (Level, "mood:e", False),
    (Literal["a"], "bpchar", True),
    (dict[str, int], "jsonb", True),
    (dict[str, str], "hstore", True),
    (dict[str, str], "text", False),
    (Size, "json", True),
    (Size, "size:c", True),
    (Size, "int4", False),
    (list[Size], "jsonb", True),
    (list[Size], "size:c[]", True),
    (str, "jsonb", True),
    (Mood, "jsonb", True),
    (list, "json", True),
    (datetime, "jsonb", False),
    (Range[int], "jsonb", False),
    (list[str], "mood:e", False),
    (list[int], "int8[]", True),
    (list[list[int]], "int8[]", True),
    (list[int], "text[]", False),
    (list[int], "int8", False),
    (list[Mood], "mood:e[]", True),
    (list[float], "vector", True),
    (Range[int], "int4range:r", True),
    (Range[int], "daterange:r", False),
    (Range[int], "int4", False),
    (list[Range[int]], "int4multirange:m", True),
    (list[Range[int]], "int4range:r[]", True),
    (Any, "text", True),
    (complex, "text", True),
    (str, "something_new", True),
    (list[int], "label:d[]", True),
    (int, "text:?", True),
]


@pytest.mark.parametrize(("annotation", "type", "expected"), FITS, ids=lambda one: str(one))
def test_a_column_fits_where_it_gives_what_the_annotation_says(annotation: Any, type: str, expected: bool) -> None:
    name, _, kind = type.removesuffix("[]").partition(":")
    array = type.endswith("[]")
    column = Column("t", "c", type, 0, name, kind or "b", array, True, False, "", False, [])
    assert fits(annotation, column) is expected
