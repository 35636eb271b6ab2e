"""What a bulk load takes as rows: objects of all kinds, Models, frames; and which columns they go to."""

from __future__ import annotations

import enum
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import attrs
import pytest

from stretto import Model, field
from stretto._async.database import AsyncDatabase
from stretto.errors import BulkError, EncodeError, UsageError

TABLE = "create table item (id int primary key, name text, price numeric)"
ROWS = [(1, "one", Decimal("1.50")), (2, None, None), (3, 'thr"ee,\n\\', Decimal("-3"))]


@dataclass
class Plain:
    id: int
    name: str | None
    price: Decimal | None


@dataclass(slots=True)
class Slotted(Plain):
    pass


@attrs.define
class Attrs:
    price: Decimal | None
    id: int
    name: str | None


class Pair(NamedTuple):
    id: int
    name: str | None
    price: Decimal | None


class Lazy:
    """Values that are properties."""

    def __init__(self, row: Any) -> None:
        self._row = row

    @property
    def id(self) -> int:
        return self._row[0]

    name = property(lambda self: self._row[1])
    price = property(lambda self: self._row[2])


class Item(Model, table="item"):
    id: int = field(primary_key=True)
    name: str | None = None
    price: Decimal | None = None


async def one_by_one() -> AsyncIterator[Any]:
    for row in ROWS:
        yield row


KINDS: dict[str, Callable[[], Any]] = {
    "tuples": lambda: ROWS,
    "lists": lambda: [list(row) for row in ROWS],
    "namedtuples": lambda: [Pair(*row) for row in ROWS],
    "dicts": lambda: [{"price": price, "id": id, "name": name} for id, name, price in ROWS],
    "dataclass": lambda: [Plain(*row) for row in ROWS],
    "slotted dataclass": lambda: [Slotted(*row) for row in ROWS],
    "attrs": lambda: [Attrs(row[2], row[0], row[1]) for row in ROWS],
    "properties": lambda: [Lazy(row) for row in ROWS],
    "objects of a Model": lambda: [Item(id=row[0], name=row[1], price=row[2]) for row in ROWS],
    "generator": lambda: (row for row in ROWS),
    "function's generator": one_by_one,
    "set": lambda: set(ROWS),
}


WAYS: list[dict[str, Any]] = [{}, {"atomic": False, "chunks": 2}, {"errors": "report"}]


@pytest.mark.parametrize("target", ["item", Item], ids=["name", "Model"])
async def test_rows_of_all_kinds_go_in(db: AsyncDatabase, target: Any) -> None:
    await db.execute(TABLE)
    for name, source in KINDS.items():
        for way in WAYS:
            assert (await db.copy_in(target, source(), **way)).rows == 3, (name, way)
            assert await db.fetch("select * from item order by id") == ROWS, (name, way)
            await db.execute("delete from item")


async def test_what_was_fetched_goes_in_again(db: AsyncDatabase) -> None:
    await db.execute(TABLE)
    await db.copy_in("item", ROWS)
    for source in (await db.fetch("select * from item"), await db.fetch("select * from item", into=Item)):
        await db.execute("truncate item")
        assert (await db.copy_in("item", source)).rows == 3


# --- columns ----------------------------------------------------------------------------------------------------------

MADE = """
create table made (
    id int generated always as identity primary key, name text not null, at timestamptz not null default '2024-01-01',
    note text default 'none', size int generated always as (length(name)) stored
)"""


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Made(Model, table="made"):
    id: int = field(primary_key=True, generated=True)
    title: str = field(column="name")
    at: datetime = field(server_default="'2024-01-01'")
    note: Color | None = field(server_default="'none'")
    size: int = field(computed="length(name)")


DAY = datetime(2024, 1, 1, tzinfo=UTC)


async def test_the_server_makes_what_no_row_has(db: AsyncDatabase) -> None:
    await db.execute(MADE)
    sources: list[tuple[Any, dict[str, Any], list[Any]]] = [
        ([{"name": "a"}, {"name": "b"}], {}, [("a", True, "none", 1), ("b", True, "none", 1)]),
        ([{"id": None, "name": "abc", "note": None}], {}, [("abc", True, None, 3)]),
        ([("x",)], {"columns": ["name"]}, [("x", True, "none", 1)]),
        ([(7, "y", DAY, "n")], {}, [("y", True, "n", 1)]),
    ]
    for source, options, expected in sources:
        await db.copy_in("made", source, **options)
        found = "select name, at = '2024-01-01' as at, note, size from made order by id"
        assert await db.fetch(found) == expected
        await db.execute("truncate made")


async def test_objects_of_a_model_go_to_its_columns(db: AsyncDatabase) -> None:
    await db.execute(MADE)
    await db.copy_in(Made, [Made(title="one", note=Color.RED), Made(title="two", note=None)])
    found = await db.fetch("select name, note, size from made order by id")
    assert found == [("one", "red", 3), ("two", None, 3)]
    await db.execute("truncate made")
    await db.copy_in(Made, [(9, "three", DAY, Color.BLUE)])
    await db.copy_in(Made, [{"title": "four"}])
    await db.copy_in(Made, [("five",)], columns=["title"])
    await db.copy_in(Made, [("six",)], columns=[Made.title])
    assert await db.fetch("select name, note from made order by name") == [
        ("five", "none"),
        ("four", "none"),
        ("six", "none"),
        ("three", "blue"),
    ]


class Counted(Model, table="counted"):
    id: int = field(primary_key=True)
    text: str
    version: int = field(version=True)


async def test_the_key_and_version_of_a_model_rule_its_update(db: AsyncDatabase) -> None:
    await db.create_tables(Counted)
    await db.copy_in(Counted, [Counted(id=1, text="a"), Counted(id=2, text="b")])
    report = await db.copy_in(Counted, [Counted(id=2, text="c"), Counted(id=3, text="d")], on_conflict="update")
    assert report.rows == 2
    assert await db.fetch("select id, text, version from counted order by id") == [
        (1, "a", 1),
        (2, "c", 2),
        (3, "d", 1),
    ]


UNFIT: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ([{"name": "a"}, {"name": "b", "id": 5}], {}, UsageError, "row 1 has a value for 'id', which the first row left"),
    ([{"name": "a"}, {"nam": "b"}], {}, UsageError, "row 1 of class dict has no value for column 'name'"),
    ([{"note": "a"}], {}, UsageError, "row 0 of class dict has no value for column 'name'"),
    ([(1, "a")], {}, UsageError, "row 0 has 2 values, but 4 columns are copied"),
    ([{"name": "a"}, {"name": 5}], {}, EncodeError, r"row 1, column name \(text\)"),
    ([("a",), {"name": "b"}], {"columns": ["name"]}, UsageError, "row 1 is of class dict, but those before it"),
    ([("a", 1)], {"columns": ["name", "size"]}, Exception, "generated column"),
]


@pytest.mark.parametrize(("source", "options", "kind", "text"), UNFIT)
async def test_rows_that_do_not_fit_are_told(
    db: AsyncDatabase, source: Any, options: dict[str, Any], kind: type[Exception], text: str
) -> None:
    await db.execute(MADE)
    for way in ({}, {"atomic": False}):
        with pytest.raises(kind, match=text) as caught:
            await db.copy_in("made", source, **options, **way)
        assert not isinstance(caught.value, BulkError)
    assert await db.fetchval("select count(*) from made") == 0


# --- frames -----------------------------------------------------------------------------------------------------------

FRAMED = "create table framed (id int8, name text, price float8, day date, at timestamp, ok bool, made int default 7)"
COLUMNS: dict[str, list[Any]] = {
    "name": ["one", None, "three"],
    "id": [1, 2, 3],
    "price": [1.5, None, 3.25],
    "ok": [True, False, None],
    "day": [date(2024, 1, 2), None, date(1999, 12, 31)],
    "at": [datetime(2024, 1, 2, 3, 4, 5, 6), datetime(2000, 1, 1), None],
}
EXPECTED = [
    (1, "one", 1.5, date(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5, 6), True, 7),
    (2, None, None, None, datetime(2000, 1, 1), False, 7),
    (3, "three", 3.25, date(1999, 12, 31), None, None, 7),
]


class Stream:
    """Somebody's object that gives an Arrow stream, and nothing else."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


def pandas_frame() -> Any:
    return pytest.importorskip("pandas").DataFrame(COLUMNS)


def polars_frame() -> Any:
    return pytest.importorskip("polars").DataFrame(COLUMNS)


def arrow_table() -> Any:
    return pytest.importorskip("pyarrow").table(COLUMNS)


FRAMES: dict[str, Callable[[], Any]] = {
    "pandas": pandas_frame,
    "polars": polars_frame,
    "polars lazy": lambda: polars_frame().lazy(),
    "arrow table": arrow_table,
    "arrow batch": lambda: arrow_table().to_batches()[0],
    "arrow reader": lambda: arrow_table().to_reader(),
    "arrow stream": lambda: Stream(arrow_table()),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
async def test_a_frame_goes_to_the_columns_that_it_names_or_that_are_chosen(
    db: AsyncDatabase, frame: Callable[[], Any]
) -> None:
    await db.execute(FRAMED)
    for way in WAYS:
        assert (await db.copy_in("framed", frame(), **way)).rows == 3
        assert await db.fetch("select * from framed order by id") == EXPECTED
        await db.execute("delete from framed")
    assert (await db.copy_in("framed", frame(), columns=["id", "name"])).rows == 3
    assert await db.fetch("select id, name, price from framed order by id") == [
        (1, "one", None),
        (2, None, None),
        (3, "three", None),
    ]
    with pytest.raises(UsageError, match="the frame has no column 'made'"):
        await db.copy_in("framed", frame(), columns=["id", "made"])


@pytest.mark.parametrize("names", [["id", "id"], ["1", 1]])
async def test_a_frame_with_two_columns_of_one_name_is_refused(db: AsyncDatabase, names: list[Any]) -> None:
    frame = pytest.importorskip("pandas").DataFrame([[1, 2]], columns=names)
    with pytest.raises(UsageError, match=f"the frame has two columns '{names[0]}'"):
        await db.copy_in("framed", frame)


async def test_an_arrow_stream_without_pyarrow_is_told(db: AsyncDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    await db.execute(FRAMED)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="install pyarrow"):
        await db.copy_in("framed", Stream(None))
