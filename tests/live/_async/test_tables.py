"""create_tables, drop_tables and check_tables on a real server, by what its catalogue says afterwards."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Literal

import psycopg
import pytest
from tests.model.test_schema import TYPES

from stretto import BitString, Box, Circle, Model, Path, Point, Range, field, relation
from stretto._async.database import AsyncDatabase
from stretto.errors import ModelError, UsageError
from stretto.sqlstate import (
    CheckViolation,
    DependentObjectsStillExist,
    ForeignKeyViolation,
    UndefinedColumn,
    UndefinedTable,
    UniqueViolation,
)

OUTSIDE = psycopg.Connection[Any]


class Mood(enum.Enum):
    HAPPY = "happy"
    SAD = "it's sad"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Author(Model, table="author"):
    id: int = field(primary_key=True, generated=True)
    name: str = field(unique=True, check="name <> ''")
    created: datetime = field(server_default="now()")
    favourite_id: int | None = field(default=None, references="book.id", on_delete="set null")
    books: list[Book] = relation("author_id")


class Book(
    Model,
    table="book",
    unique=[("author_id", "title")],
    checks=["price > 0"],
    indexes=[("title", "price"), "unique (lower(title)) where price > 100"],
):
    id: int = field(primary_key=True, generated="always")
    author_id: int = field(references="author.id", on_delete="cascade", index=True)
    title: str
    price: Decimal | None = field(default=None, type="numeric(8, 2)")
    twice: Decimal | None = field(computed="price * 2")
    words: list[str] = field(server_default="'{}'", index="gin")
    tags: list[Tag] = relation(through="book_tag")


class Tag(Model, table="tag"):
    id: int = field(primary_key=True, generated=True)
    mood: Mood = field(type="mood")
    books: list[Book] = relation(through="book_tag")


class Weather(Model, table="weather"):
    origin: str = field(primary_key=True, type="char(3)")
    time_hour: datetime = field(primary_key=True)
    temp: float | None = None


class Flight(Model, table="flight"):
    id: int = field(primary_key=True)
    origin: str = field(references="weather.origin", on_delete="cascade")
    time_hour: datetime = field(references="weather.time_hour")


class Everything(Model, table="everything"):
    a_bool: bool
    an_int: int
    a_float: float
    a_decimal: Decimal
    a_str: str
    some_bytes: bytes
    a_moment: datetime
    a_date: date
    a_time: time
    a_span: timedelta
    a_uuid: uuid.UUID
    a_host: IPv4Address
    a_net: IPv4Network
    some_bits: BitString
    a_point: Point
    a_box: Box
    a_circle: Circle
    a_path: Path
    some_ints: Range[int]
    some_days: Range[date]
    some_numbers: Range[Decimal]
    some_time: Range[datetime]
    json: dict[str, Any]
    more_json: list[dict[str, Any]]
    numbers: list[int]
    matrix: list[list[float]]
    mood: Mood
    own_mood: Mood = field(type="mood")
    moods: list[Mood]
    own_moods: list[Mood] = field(type="mood[]")
    level: Level
    letter: Literal["a", "b"]
    nothing: str | None


VALUES = """insert into everything values (
    true, 9000000000, 1.5, 1.10, 'text', '\\x00ff', '2013-01-01 05:00+00', '2013-01-02', '12:30', '1 day 2 hours',
    '12345678-1234-5678-1234-567812345678', '10.0.0.1', '10.0.0.0/8', '101', '(1,2)', '(3,4),(1,2)', '<(0,0),2>',
    '[(0,0),(1,1)]', '[1,5)', '[2013-01-01,2013-02-01)', '[1.5,2]', '[2013-01-01 00:00+00,)', '{"a": 1}', '[{}]',
    '{1,2}', '{{1,2},{3,4}}', 'happy', 'it''s sad', '{happy}', '{happy,it''s sad}', 2, 'b', null)"""
EXPECTED = Everything(
    a_bool=True,
    an_int=9_000_000_000,
    a_float=1.5,
    a_decimal=Decimal("1.10"),
    a_str="text",
    some_bytes=b"\x00\xff",
    a_moment=datetime(2013, 1, 1, 5, tzinfo=UTC),
    a_date=date(2013, 1, 2),
    a_time=time(12, 30),
    a_span=timedelta(days=1, hours=2),
    a_uuid=uuid.UUID("12345678-1234-5678-1234-567812345678"),
    a_host=IPv4Address("10.0.0.1"),
    a_net=IPv4Network("10.0.0.0/8"),
    some_bits=BitString("101"),
    a_point=Point(1, 2),
    a_box=Box(Point(3, 4), Point(1, 2)),
    a_circle=Circle(Point(0, 0), 2),
    a_path=Path((0, 0), (1, 1)),
    some_ints=Range(1, 5),
    some_days=Range(date(2013, 1, 1), date(2013, 2, 1)),
    some_numbers=Range(Decimal("1.5"), Decimal(2), upper_inc=True),
    some_time=Range(datetime(2013, 1, 1, tzinfo=UTC)),
    json={"a": 1},
    more_json=[{}],
    numbers=[1, 2],
    matrix=[[1.0, 2.0], [3.0, 4.0]],
    mood=Mood.HAPPY,
    own_mood=Mood.SAD,
    moods=[Mood.HAPPY],
    own_moods=[Mood.HAPPY, Mood.SAD],
    level=Level.HIGH,
    letter="b",
    nothing=None,
)


def relations_of(outside: OUTSIDE, schema: str) -> set[str]:
    rows = outside.execute("select relname from pg_class where relnamespace = %s::regnamespace", [schema])
    return {name for (name,) in rows}


# --- creating ---------------------------------------------------------------------------------------------------------


async def test_a_circle_of_tables_is_made_with_all_that_fields_say(
    db: AsyncDatabase, outside: OUTSIDE, schema: str
) -> None:
    await db.create_tables(Tag, Book, Author)
    columns = outside.execute(
        "select table_name || '.' || column_name, data_type, is_nullable, identity_generation, is_generated"
        " from information_schema.columns where table_schema = %s and table_name in ('author', 'book')",
        [schema],
    )
    assert {row[0]: row[1:] for row in columns} == {
        "author.id": ("bigint", "NO", "BY DEFAULT", "NEVER"),
        "author.name": ("text", "NO", None, "NEVER"),
        "author.created": ("timestamp with time zone", "NO", None, "NEVER"),
        "author.favourite_id": ("bigint", "YES", None, "NEVER"),
        "book.id": ("bigint", "NO", "ALWAYS", "NEVER"),
        "book.author_id": ("bigint", "NO", None, "NEVER"),
        "book.title": ("text", "NO", None, "NEVER"),
        "book.price": ("numeric", "YES", None, "NEVER"),
        "book.twice": ("numeric", "YES", None, "ALWAYS"),
        "book.words": ("ARRAY", "NO", None, "NEVER"),
    }
    constraints = outside.execute(
        "select conname, pg_get_constraintdef(oid) from pg_constraint"
        " where connamespace = %s::regnamespace and contype <> 'n'",
        [schema],
    )
    assert dict(constraints.fetchall()) == {
        "author_pkey": "PRIMARY KEY (id)",
        "author_name_key": "UNIQUE (name)",
        "author_name_check": "CHECK ((name <> ''::text))",
        "author_favourite_id_fkey": "FOREIGN KEY (favourite_id) REFERENCES book(id) ON DELETE SET NULL",
        "book_pkey": "PRIMARY KEY (id)",
        "book_author_id_title_key": "UNIQUE (author_id, title)",
        "book_price_check": "CHECK ((price > (0)::numeric))",
        "book_author_id_fkey": "FOREIGN KEY (author_id) REFERENCES author(id) ON DELETE CASCADE",
        "tag_pkey": "PRIMARY KEY (id)",
        "book_tag_pkey": "PRIMARY KEY (tag_id, book_id)",
        "book_tag_book_id_fkey": "FOREIGN KEY (book_id) REFERENCES book(id) ON DELETE CASCADE",
        "book_tag_tag_id_fkey": "FOREIGN KEY (tag_id) REFERENCES tag(id) ON DELETE CASCADE",
    }
    indexes = outside.execute("select indexname from pg_indexes where schemaname = %s", [schema])
    plain = {name for (name,) in indexes if name.endswith("_idx")}
    assert plain == {
        "book_author_id_idx",
        "book_title_price_idx",
        "book_lower_idx",
        "book_words_idx",
        "book_tag_book_id_idx",
    }


async def test_a_composite_foreign_key_is_one_constraint(db: AsyncDatabase) -> None:
    await db.create_tables(Flight, Weather)
    await db.execute("insert into weather values ('JFK', '2013-01-01 05:00Z')")
    await db.execute("insert into flight values (1, 'JFK', '2013-01-01 05:00Z')")
    with pytest.raises(ForeignKeyViolation):
        await db.execute("insert into flight values (2, 'JFK', '2013-01-01 06:00Z')")
    await db.execute("delete from weather")
    assert await db.fetch("select * from flight", into=Flight) == []


async def test_what_each_type_holds_comes_back_as_the_annotation_says(db: AsyncDatabase) -> None:
    await db.create_tables(Everything)
    await db.execute(VALUES)
    (found,) = await db.fetch("select * from everything", into=Everything)
    assert found == EXPECTED
    assert await db.check_tables(Everything) == []
    for column in ("mood", "letter"):
        with pytest.raises(CheckViolation):
            await db.execute(f"update everything set {column} = 'other'")
    with pytest.raises(CheckViolation):
        await db.execute("update everything set moods = '{happy,other}'")


async def test_each_annotation_fits_the_column_that_is_made_of_it(db: AsyncDatabase) -> None:
    namespace = {f"c{place}": annotation for place, (annotation, _) in enumerate(TYPES)}
    kind: Any = type(Model)("Each", (Model,), {"__annotations__": namespace}, table="each")
    await db.create_tables(kind)
    assert await db.check_tables(kind) == []


async def test_what_is_there_is_left_as_it_is(db: AsyncDatabase, outside: OUTSIDE, schema: str) -> None:
    outside.execute("create table author (id bigint primary key, mine text)")
    await db.create_tables(Author, Book, Tag)
    await db.create_tables(Author, Book, Tag)
    names = outside.execute("select attname from pg_attribute where attrelid = 'author'::regclass and attnum > 0")
    assert [name for (name,) in names] == ["id", "mine"]
    assert relations_of(outside, schema) >= {"author", "book", "tag", "book_tag"}
    count = outside.execute("select count(*) from pg_constraint where conrelid = 'book'::regclass and contype = 'f'")
    assert count.fetchone() == (1,)


async def test_a_table_of_this_name_in_another_schema_of_the_path_is_another_table(
    open_db: Any, outside: OUTSIDE, schema: str
) -> None:
    outside.execute(f"create schema {schema}_behind")
    try:
        outside.execute(f"create table {schema}_behind.weather (id int)")
        db = open_db(server_settings={"search_path": f"{schema},{schema}_behind"})
        await db.create_tables(Weather)
        assert "weather" in relations_of(outside, schema)
    finally:
        outside.execute(f"drop schema {schema}_behind cascade")


async def test_it_is_all_or_nothing(db: AsyncDatabase, outside: OUTSIDE, schema: str) -> None:
    class Broken(Model, table="broken", checks=["nonsense > 1"]):
        id: int = field(primary_key=True)

    with pytest.raises(UndefinedColumn):
        await db.create_tables(Weather, Broken)
    assert relations_of(outside, schema) == set()
    with pytest.raises(UndefinedTable, match='relation "weather" does not exist'):
        await db.create_tables(Flight)
    with pytest.raises(UsageError, match="name the Models"):
        await db.create_tables()


async def test_in_a_transaction_tables_go_with_it(db: AsyncDatabase, outside: OUTSIDE, schema: str) -> None:
    class Unwanted(Exception):
        pass

    with pytest.raises(Unwanted):
        async with db.transaction():
            await db.create_tables(Weather)
            await db.execute("insert into weather values ('JFK', now())")
            raise Unwanted
    assert relations_of(outside, schema) == set()


async def test_those_who_create_at_the_same_time_do_not_disturb_each_other(db: AsyncDatabase, beside: Any) -> None:
    tasks = [beside.start(db.create_tables, Author, Book, Tag) for _ in range(3)]
    for task in tasks:
        await beside.result(task)
    assert await db.check_tables(Author, Book, Tag) == []


@pytest.fixture
def other_schema(outside: OUTSIDE, schema: str) -> Iterator[str]:
    yield f"{schema}_other"
    outside.execute(f"drop schema if exists {schema}_other cascade")


async def test_a_schema_is_made_with_its_tables(db: AsyncDatabase, outside: OUTSIDE, other_schema: str) -> None:
    class Room(Model, table="Room", schema=other_schema):
        id: int = field(primary_key=True)

    class Bed(Model, table="bed", schema=other_schema):
        id: int = field(primary_key=True)
        room_id: int = field(references="Room.id")

    await db.create_tables(Bed, Room)
    assert relations_of(outside, other_schema) >= {"Room", "bed"}
    assert await db.check_tables(Bed, Room) == []
    await db.drop_tables(Bed, Room)
    assert relations_of(outside, other_schema) == set()


# --- dropping ---------------------------------------------------------------------------------------------------------


async def test_dropping_takes_the_tables_between_and_enum_types_along(
    db: AsyncDatabase, outside: OUTSIDE, schema: str
) -> None:
    await db.create_tables(Author, Book, Tag)
    await db.drop_tables(Author, Book, Tag)
    await db.drop_tables(Author, Book, Tag)
    assert relations_of(outside, schema) == set()
    assert outside.execute("select to_regtype('mood')").fetchone() == (None,)


async def test_an_enum_type_that_another_table_has_stays(db: AsyncDatabase, outside: OUTSIDE) -> None:
    await db.create_tables(Author, Book, Tag, Everything)
    await db.drop_tables(Author, Book, Tag)
    assert outside.execute("select to_regtype('mood')::text").fetchone() == ("mood",)
    await db.execute(VALUES)


async def test_a_table_that_others_reference_is_not_dropped(db: AsyncDatabase, outside: OUTSIDE, schema: str) -> None:
    await db.create_tables(Weather, Flight)
    with pytest.raises(DependentObjectsStillExist):
        await db.drop_tables(Weather)
    assert relations_of(outside, schema) >= {"weather", "flight"}


async def test_statements_of_dropped_and_made_tables_are_known_anew(db: AsyncDatabase) -> None:
    await db.create_tables(Weather)
    assert await db.fetch("select * from weather", into=Weather) == []
    await db.drop_tables(Weather)
    await db.create_tables(Weather)
    await db.execute("insert into weather values ('JFK', now(), 3)")
    assert [one.temp for one in await db.fetch("select * from weather", into=Weather)] == [3.0]


# --- checking ---------------------------------------------------------------------------------------------------------


async def told(db: AsyncDatabase, *models: Any) -> dict[str, str]:
    """What is told, by Model and attribute."""
    found = await db.check_tables(*models)
    return {f"{one.model}.{one.attribute}" if one.attribute else one.model: one.text for one in found}


DIFFERENCES = [
    ("drop table tag cascade; drop table book_tag", "Tag", "there is no such table: create_tables() makes it"),
    ("drop table book_tag", "Book.tags", "there is no table 'book_tag' between the two"),
    ("alter table book_tag drop tag_id", "Tag.books", "the table 'book_tag' lacks 'tag_id'"),
    ("alter table author drop name", "Author.name", "the table has no column 'name'"),
    ("alter table book drop title, add title bytea not null", "Book.title", "the column is bytea"),
    ("alter table author alter name drop not null", "Author.name", "may be NULL, and the Model has no None"),
    ("alter table book alter price set not null", "Book.price", "the Model has None, by default too"),
    ("alter table author alter created drop default", "Author.created", "server_default= says"),
    ("alter table author alter id drop identity", "Author.id", "generated= says that the server makes the value"),
    ("alter table author alter id set generated always", "Author.id", "GENERATED ALWAYS, which refuses"),
    ("alter table book alter twice drop expression", "Book.twice", "computed=, and the column is a plain one"),
    ("alter table book add surplus int not null", "Book.surplus", "NOT NULL and has no default"),
    ("alter table book drop constraint book_author_id_fkey", "Book.author_id", "the table has no foreign key"),
    (
        "alter table book drop constraint book_author_id_fkey, add foreign key (author_id) references author (id)",
        "Book.author_id",
        "is on delete no action, in the Model on delete cascade",
    ),
    ("alter table author drop constraint author_name_key", "Author.name", "unique=True, and the table has no unique"),
    (
        "alter table book drop constraint book_author_id_title_key",
        "Book",
        "the table has no unique constraint of (author_id, title)",
    ),
    ("alter table tag drop constraint tag_pkey cascade", "Tag", "the primary key is none, in the Model (id)"),
    ("drop index book_words_idx", "Book.words", "no index that begins with (words)"),
    ("drop index book_title_price_idx", "Book", "no index that begins with (title, price)"),
    ("alter type mood add value 'angry'", "Tag.mood", "has 'angry', which the Model lacks"),
    ("alter type mood rename value 'happy' to 'merry'", "Tag.mood", "lacks 'happy', which the Model has"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "where", "text"), DIFFERENCES, ids=[change for change, _, _ in DIFFERENCES])
async def test_a_difference_is_told_with_its_place(db: AsyncDatabase, change: str, where: str, text: str) -> None:
    await db.create_tables(Author, Book, Tag)
    assert await told(db, Author, Book, Tag) == {}
    await db.execute(change)
    assert text in (await told(db, Author, Book, Tag))[where]


async def test_what_does_no_harm_is_not_told(db: AsyncDatabase) -> None:
    await db.create_tables(Author, Book, Tag)
    await db.execute(
        "alter table author add surplus int, add counted int not null default 0;"
        " create domain label as text; alter table author alter name type label;"
        " alter table author alter favourite_id type int; alter table book drop constraint book_price_check"
    )
    assert await told(db, Author, Book, Tag) == {}


async def test_of_a_view_only_the_columns_are_compared(db: AsyncDatabase) -> None:
    class Warm(Model, table="warm"):
        origin: str = field(primary_key=True)
        temp: float
        time_hour: date

    await db.create_tables(Weather)
    await db.execute("create view warm as select * from weather where temp > 20")
    assert await told(db, Warm) == {
        "Warm.time_hour": "the column is timestamp with time zone, which does not give what the Model says: date"
    }


async def test_a_column_with_a_codec_of_the_users_is_the_users(db: AsyncDatabase, outside: OUTSIDE) -> None:
    class Price(Model, table="price"):
        amount: float

    outside.execute("create table price (amount numeric not null)")
    assert "which does not give what the Model says: float" in (await told(db, Price))["Price.amount"]
    db.set_type_codec("numeric", encoder=str, decoder=float)
    assert await told(db, Price) == {}


async def test_a_relation_that_cannot_be_told_is_a_difference(db: AsyncDatabase) -> None:
    class Lonely(Model, table="lonely"):
        id: int = field(primary_key=True)
        weather: Weather = relation()

    await db.create_tables(Weather, Lonely)
    assert (
        "Lonely references weather, and none of Weather references lonely" in (await told(db, Lonely))["Lonely.weather"]
    )
    with pytest.raises(ModelError):
        await db.check_tables(int)
    with pytest.raises(UsageError, match="name the Models"):
        await db.check_tables()


def tables_by_blocking_code(db: Any) -> tuple[int, int]:
    before = len(db.check_tables(Weather, Flight))
    db.create_tables(Weather, Flight)
    after = len(db.check_tables(Weather, Flight))
    db.drop_tables(Weather, Flight)
    return before, after


async def test_inside_run_it_is_the_same(db: AsyncDatabase) -> None:
    assert await db.run(tables_by_blocking_code) == (2, 0)


async def test_a_difference_reads_as_a_sentence(db: AsyncDatabase) -> None:
    (found,) = await db.check_tables(Weather)
    assert str(found) == "Weather (weather): there is no such table: create_tables() makes it"


async def test_unique_and_checks_hold(db: AsyncDatabase) -> None:
    await db.create_tables(Author, Book, Tag)
    await db.execute("insert into author (name) values ('Ann')")
    with pytest.raises(UniqueViolation):
        await db.execute("insert into author (name) values ('Ann')")
    with pytest.raises(CheckViolation):
        await db.execute("insert into author (name) values ('')")
