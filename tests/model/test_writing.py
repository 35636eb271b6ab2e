"""What objects of Models are written by: SQL for the columns that have values, what has changed, and typed JSON."""

from __future__ import annotations

import enum
from collections import namedtuple
from dataclasses import dataclass
from dataclasses import field as part
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pydantic
import pytest

from stretto import Model, Range, field
from stretto.codecs.arrays import NESTS_LISTS, Array, Rows
from stretto.codecs.composite import Composite
from stretto.codecs.jsonb import default_dumps, default_loads
from stretto.codecs.scalars import scalar_codecs
from stretto.codecs.slots import Slots
from stretto.errors import DatabaseError, DecodeError, EncodeError, UsageError
from stretto.model import dml
from stretto.model.base import reader_of as reader_of_slots
from stretto.model.base import slot_of
from stretto.model.fields import UNSET
from stretto.model.values import is_fixed, is_same, reader_of
from stretto.model.writing import writer_for
from stretto.protocol.lexer import number_names
from stretto.wire.buffer import WriteBuffer


class Author(Model, table="author", schema="my"):
    id: int = field(primary_key=True, generated=True)
    name: str
    born: date | None = None
    created: datetime = field(server_default="now()")
    loud: str = field(computed="upper(name)")


class Ticket(Model, table="ticket"):
    number: int = field(primary_key=True, generated="always")
    holder: str | None = None
    version: int = field(version=True)


class Everywhere(Model, table='odd"%'):
    a: int = field(primary_key=True, column="A %s")
    b: int = field(primary_key=True)


NOW = datetime(2024, 1, 2, tzinfo=UTC)

# What is inserted, its SQL, its arguments.
INSERTS: list[tuple[Any, str, tuple[Any, ...]]] = [
    (
        Author(name="x"),
        'insert into "my"."author" as t ("name", "born") values ($1, $2) returning t."id", t."created", t."loud"',
        ("x", None),
    ),
    (
        Author(id=5, name="x", created=NOW, loud="ignored"),
        'insert into "my"."author" as t ("id", "name", "born", "created") values ($1, $2, $3, $4) returning t."loud"',
        (5, "x", None, NOW),
    ),
    (
        Ticket(holder="x"),
        'insert into "ticket" as t ("holder", "version") values ($1, 1) returning t."number", t."version"',
        ("x",),
    ),
    (
        Ticket(holder="x", version=7),
        'insert into "ticket" as t ("holder", "version") values ($1, $2) returning t."number"',
        ("x", 7),
    ),
    (Everywhere(a=1, b=2), 'insert into "odd""%" as t ("A %s", "b") values ($1, $2) returning 1', (1, 2)),
]


@pytest.mark.parametrize(("obj", "sql", "args"), INSERTS)
def test_an_insert_gives_what_is_set_and_asks_for_the_rest(obj: Any, sql: str, args: tuple[Any, ...]) -> None:
    writer = writer_for(obj)
    values = writer.values(obj)
    plan = writer.insertion(values)
    assert (plan.sql, writer.encoded(plan.given, values)) == (sql, args)
    assert writer.insertion(writer.values(obj)) is plan


def test_many_are_one_statement_that_fails_where_a_row_is_missing() -> None:
    writer = writer_for(Everywhere(a=1, b=2))
    plan = writer.insertion([1, 2])
    assert plan.many == (
        'with n as (insert into "odd""%" as t ("A %s", "b") select u."A %s", u."b" from rows from'
        ' (generate_subscripts($1::"odd""%"[], 1), unnest($1::"odd""%"[])) as u("stretto number")'
        ' order by "stretto number" returning 1) select 1 from (select count(*) as found from n) as g'
        " where case when g.found = $2::int8 then true else ('stretto: missing ' || ($2::int8 - g.found))::bool end"
    )
    assert plan.columns == ("A %s", "b")


ERRORS: list[tuple[str, str, int | None]] = [
    ("22P02", 'invalid input syntax for type boolean: "stretto: missing 3"', 3),
    ("22P02", "ungültige Eingabesyntax für Typ boolean: »stretto: missing -1«", -1),
    ("22P02", "syntaxe en entrée invalide pour le type boolean : « stretto: missing 1 »", 1),
    ("22P02", 'invalid input syntax for type boolean: "3"', None),
    ("23505", 'the key "stretto: missing 3" is there already', None),
]


@pytest.mark.parametrize(("sqlstate", "message", "missing"), ERRORS)
def test_the_guards_error_is_told_from_others(sqlstate: str, message: str, missing: int | None) -> None:
    assert dml.missing_of(DatabaseError(message, fields={"C": sqlstate})) == missing


def loaded(cls: Any, **values: Any) -> Any:
    """An object as it is when it was fetched."""
    obj = cls(**values)
    writer = writer_for(obj)
    writer.remember(obj, writer.values(obj))
    return obj


def test_an_update_writes_what_has_changed_by_the_key_as_loaded() -> None:
    ticket = loaded(Ticket, number=1, holder="x", version=3)
    writer = writer_for(ticket)
    assert writer.change(ticket) is None
    ticket.holder = "y"
    ticket.version = 99
    change = writer.change(ticket)
    assert change is not None
    assert change.plan.sql == (
        'update "ticket" as t set "holder" = $1, "version" = t."version" + 1'
        ' where "number" = $2 and "version" = $3 returning t."version"'
    )
    assert change.args == ("y", 1, 3)
    other = loaded(Everywhere, a=1, b=2)
    other.a = 5
    change = writer_for(other).change(other)
    assert change is not None
    assert change.args == (5, 1, 2)
    assert change.plan.many == ""


def test_an_upsert_leaves_the_key_alone_and_takes_the_version_on() -> None:
    author = Author(id=4, name="x")
    writer = writer_for(author)
    plan = writer.upsertion(writer.values(author), Author.name)
    assert 'on conflict ("name") do update set "born" = excluded."born" returning t."id", t."name"' in plan.sql
    ticket = Ticket(holder="x")
    plan = writer_for(ticket).upsertion(writer_for(ticket).values(ticket), Ticket.holder)
    assert '("holder") do update set "version" = t."version" + 1 returning' in plan.sql


class Hit(Model, table="hit"):
    id: int = field(primary_key=True, generated="always")
    n: int = 0
    double: int = field(computed="n * 2")
    tags: list[str] = field(computed="array[n::text]")


class Spot(Model, table="spot"):
    id: int = field(primary_key=True, generated="always")
    n: int = field(server_default="7")


class Coded(Model, table="coded"):
    id: int | None = field(primary_key=True, generated=True, default=None)
    code: str = field(unique=True)


class Folded(Model, table="folded", insert="insert into folded (name) values (lower(:name))", update="select :name"):
    name: str = field(primary_key=True)


# What is upserted, on what, the beginning of its SQL, its arguments.
UPSERTS: list[tuple[Any, Any, str, tuple[Any, ...]]] = [
    (
        Hit(id=1, n=2, double=9),
        None,
        'insert into "hit" as t ("id", "n") overriding system value values ($1, $2) on conflict ("id")'
        ' do update set "n" = excluded."n" returning',
        (1, 2),
    ),
    (
        Spot(id=1),
        None,
        'insert into "spot" as t ("id") overriding system value values ($1) on conflict ("id")'
        ' do update set "n" = t."n" returning',
        (1,),
    ),
    (
        Hit(n=2),
        None,
        'insert into "hit" as t ("n") values ($1) on conflict ("id") do update set "n" = excluded."n" returning',
        (2,),
    ),
    (
        Coded(code="a"),
        Coded.code,
        'insert into "coded" as t ("code") values ($1) on conflict ("code") do update set "code" = t."code" returning',
        ("a",),
    ),
]


@pytest.mark.parametrize(("obj", "on", "sql", "args"), UPSERTS)
def test_an_upsert_gives_the_key_that_the_object_has(obj: Any, on: Any, sql: str, args: tuple[Any, ...]) -> None:
    writer = writer_for(obj)
    values = writer.values(obj)
    plan = writer.upsertion(values, on)
    assert plan.sql.startswith(sql)
    assert writer.encoded(plan.given, values) == args
    assert writer.upsertion(writer.values(obj), on) is plan


def test_a_value_that_only_the_server_makes_can_not_be_given() -> None:
    writer = writer_for(Hit())
    for _ in range(2):
        with pytest.raises(UsageError, match=r'insert: Hit\.id is generated="always"'):
            writer.insertion(writer.values(Hit(id=7)))
    hit = loaded(Hit, id=1, n=1, double=2, tags=["1"])
    hit.double, hit.tags = int("2"), ["1"]
    assert writer.change(hit) is None
    hit.n = 2
    for name, why in (("id", 'generated="always"'), ("double", "computed"), ("tags", "computed")):
        was = getattr(hit, name)
        setattr(hit, name, [] if name == "tags" else 99)
        with pytest.raises(UsageError, match=rf"update: Hit\.{name} is {why}, so its value is the server's"):
            writer.change(hit)
        setattr(hit, name, was)
    change = writer.change(hit)
    assert change is not None
    assert change.args == (2, 1)
    change = writer.change(Hit(id=1, n=3, double=99))
    assert change is not None
    assert change.args == (3, 1)


def test_an_upsert_of_a_model_with_its_own_statements_is_refused() -> None:
    with pytest.raises(UsageError, match="what the insert= and update= of Folded would do: call insert or update"):
        writer_for(Folded(name="A")).upsertion(["A"], None)


ONS: list[Any] = ["name", Ticket.number, (Author.name, 5), ()]


@pytest.mark.parametrize("on", ONS)
def test_on_takes_fields_of_the_model(on: Any) -> None:
    with pytest.raises(UsageError, match="on="):
        writer_for(Author(name="x")).upsertion([1, "x", None, NOW, "X"], on)


def test_slots_are_read_at_once_and_only_of_their_own_class() -> None:
    slots = reader_of_slots(Ticket.__table__)
    assert slots.values(Ticket(holder="x")) == [UNSET, "x", UNSET]
    assert not slots.complete(Ticket(holder="x"))
    assert slots.complete(Ticket(number=1, holder="x", version=1))
    with pytest.raises(TypeError, match="a Ticket is needed, not a Everywhere"):
        slots.values(Everywhere(a=1, b=2))
    with pytest.raises(TypeError, match="is not a slot of Ticket"):
        Slots(Ticket, [slot_of(Everywhere.__table__, "a")], UNSET)


# Changes ----------------------------------------------------------------------------------------------------------


class Color(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Frozen:
    items: Any


Pair = namedtuple("Pair", "a b")

FIXED: list[tuple[Any, bool]] = [
    (1, True),
    ("x", True),
    (b"x", True),
    (None, True),
    (Decimal("1.0"), True),
    (timedelta(1), True),
    (ip_address("::1"), True),
    (Color.RED, True),
    (Range(1, 2), True),
    ((1, "x"), True),
    (Pair(1, 2), True),
    (Frozen((1, 2)), True),
    (Frozen([1]), False),
    (Range([1], [2]), False),
    ((1, [2]), False),
    ([1], False),
    ({}, False),
    (bytearray(b"x"), False),
    (object(), False),
]


@pytest.mark.parametrize(("value", "fixed"), FIXED)
def test_what_can_change_in_place(value: Any, fixed: bool) -> None:
    assert is_fixed(value) is fixed


SAME: list[tuple[Any, Any, bool]] = [
    (1, 1, True),
    ("x" * 100, "x" * 99 + "x", True),
    (NOW, datetime(2024, 1, 2, tzinfo=UTC), True),
    (1, True, False),
    (1, 1.0, False),
    (Decimal("1.0"), Decimal("1.00"), False),
    (float("nan"), float("nan"), False),
    ([1], [1], False),
    (None, 1, False),
    (NOW, NOW.replace(fold=1), False),
    (NOW, NOW.astimezone(timezone(timedelta(hours=1))), True),
    (time(1, 2), time(1, 2), True),
    (time(1, 2), time(1, 2, fold=1), False),
    (time(1, tzinfo=UTC), time(2, tzinfo=timezone(timedelta(hours=1))), False),
    (0.0, -0.0, False),
    (-0.0, -0.0, True),
    (1.5, 1.5, True),
]


@pytest.mark.parametrize(("now", "then", "same"), SAME)
def test_what_is_written_alike(now: Any, then: Any, same: bool) -> None:
    assert is_same(now, then) is same


# Rows of a composite type -----------------------------------------------------------------------------------------


def row_type(*names: str) -> Array:
    """An array of a table's rows, all columns int4."""
    int4 = next(codec for codec in scalar_codecs() if codec.name == "int4")
    return Array("t[]", 99, Composite("t", 98, names, [int4] * len(names)), 98, NESTS_LISTS)


def test_rows_are_put_in_the_order_of_the_type_when_they_are_encoded() -> None:
    by_names, by_order = WriteBuffer(), WriteBuffer()
    row_type("c", "x", "a").encode(by_names, Rows(("a", "c"), [(1, 3), (4, 6)]))
    row_type("c", "x", "a").encode(by_order, [(3, None, 1), (6, None, 4)])
    assert by_names.getvalue() == by_order.getvalue()
    alone, listed = WriteBuffer(), WriteBuffer()
    row_type("a").encode(alone, Rows(("a",), [(1,)]))
    row_type("a").encode(listed, [(1,)])
    assert alone.getvalue() == listed.getvalue()
    with pytest.raises(EncodeError, match=r"t\[\] has no column b"):
        row_type("a").encode(WriteBuffer(), Rows(("a", "b"), [(1, 2)]))


# Named parameters -------------------------------------------------------------------------------------------------

NAMED: list[tuple[str, str, list[str]]] = [
    ("insert into g (a, b) values (:a, :b)", "insert into g (a, b) values ($1, $2)", ["a", "b"]),
    (":b + :a + :b", "$1 + $2 + $1", ["b", "a"]),
    ("select :a::int, b::text, '::c'", "select $1::int, b::text, '::c'", ["a"]),
    ("select ':a', E'\\':a', $$ :a $$, $x$ :a $x$, \":a\"", "select ':a', E'\\':a', $$ :a $$, $x$ :a $x$, \":a\"", []),
    ("select 1 -- :a\n, :b /* :c /* :d */ :e */ , :f", "select 1 -- :a\n, $1 /* :c /* :d */ :e */ , $2", ["b", "f"]),
    ("select a[1:2], a[x : y], a := 1", "select a[1:2], a[x : y], a := 1", []),
    ("select :größe, :A", "select $1, $2", ["größe", "A"]),
    ("select ':a", "select ':a", []),
    ("", "", []),
    (":a", "$1", ["a"]),
    ("a:", "a:", []),
]


@pytest.mark.parametrize(("sql", "text", "names"), NAMED)
def test_named_parameters_are_numbered_and_nothing_else_is(sql: str, text: str, names: list[str]) -> None:
    assert number_names(sql) == (text, names)


# Typed JSON -------------------------------------------------------------------------------------------------------


@dataclass
class Street:
    name: str
    since: date | None = None


@dataclass
class Home:
    street: Street
    worth: Decimal = Decimal(0)
    colors: list[Color] = part(default_factory=list)
    by_year: dict[str, Street] = part(default_factory=dict)


class Struct(msgspec.Struct):
    homes: list[Home]
    id: UUID | None = None


class Validated(pydantic.BaseModel):
    day: date
    streets: list[Street] = []


class Named(NamedTuple):
    b: int
    a: str


HOME = Home(Street("x", date(2020, 1, 2)), Decimal("1.50"), [Color.RED], {"1": Street("y")})

DOCUMENTS: list[tuple[Any, Any]] = [
    (Home, HOME),
    (list[Home], [HOME, Home(Street("z"))]),
    (dict[str, Home | None], {"a": HOME, "b": None}),
    (Struct, Struct([HOME], UUID(int=7))),
    (Validated, Validated(day=date(2020, 1, 2), streets=[Street("x")])),
    (Author, Author(id=1, name="x", created=NOW, loud="X")),
]


@pytest.mark.parametrize(("annotation", "value"), DOCUMENTS)
def test_typed_json_comes_back_as_it_went(annotation: Any, value: Any) -> None:
    read = reader_of(annotation)
    assert read is not None
    assert read(default_loads(str(default_dumps(value)))) == value


def test_json_of_plain_annotations_is_not_touched() -> None:
    for annotation in (int, str, dict, list, dict[str, int], list[str], Any, object, dict[str, Any], int | None):
        assert reader_of(annotation) is None


def test_a_document_may_have_more_and_must_not_have_less() -> None:
    read = reader_of(Home)
    assert read is not None
    assert read({"street": {"name": "x", "surplus": 1}, "other": []}) == Home(Street("x"))
    assert reader_of(Named)({"a": "x", "b": 1}) == Named(1, "x")  # type: ignore[misc]  # it is not None


WRONG: list[tuple[Any, Any, str]] = [
    (Home, {"worth": "1"}, "the JSON of a Home lacks 'street'"),
    (Home, {"street": {"name": "x"}, "worth": "secret"}, r"the JSON has a value \(str\) that is no Decimal"),
    (Home, {"street": "secret"}, r"the JSON has a value \(str\) where the fields of Street must be"),
    (list[Home], {"secret": 1}, r"the JSON has a value \(dict\) where a list must be"),
    (Home, {"street": {"name": "x"}, "colors": [5]}, r"the JSON has a value \(int\) that is no Color"),
]


@pytest.mark.parametrize(("annotation", "document", "text"), WRONG)
def test_a_document_that_does_not_fit_is_named_and_not_shown(annotation: Any, document: Any, text: str) -> None:
    with pytest.raises(DecodeError, match=text) as caught:
        reader_of(annotation)(document)  # type: ignore[misc]  # it is not None
    assert "secret" not in str(caught.value)
