"""Queries: the SQL and the arguments that they become, that this is done once for each shape, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.model.library import Author, Book, Cell, Kind, Note, Part, Tag

from stretto import (
    Model,
    and_,
    any_of,
    asc,
    avg,
    between,
    count,
    delete,
    desc,
    exists,
    field,
    ilike,
    is_not_null,
    is_null,
    like,
    max_,
    min_,
    not_,
    or_,
    outer,
    raw,
    select,
    some,
    sum_,
    update,
)
from stretto.errors import ModelError, UsageError
from stretto.model import statements
from stretto.model.compile import Scope, Writer
from stretto.model.keys import key_of, keys_of
from stretto.model.operators import narrowed
from stretto.model.rawsql import cut
from stretto.model.statements import statement_of
from stretto.protocol.lexer import tokenize


class Thing(Model, table="thing"):
    id: int = field(primary_key=True)
    a: int | None = None
    b: str = ""
    c: bool = False


class Paged(Model, table="paged"):
    id: int = field(primary_key=True)
    text: str = ""
    note: str | None = None
    edition: int = field(version=True)


def sql_of(query: Any) -> tuple[str, tuple[Any, ...]]:
    sql, args, _ = statement_of(query)
    return sql, args


# --- conditions -------------------------------------------------------------------------------------------------------

CONDITIONS: list[tuple[Any, str, tuple[Any, ...]]] = [
    (Thing.a == 1, '"thing"."a" = $1', (1,)),
    (Thing.a != 1, '"thing"."a" <> $1', (1,)),
    (some(Thing.a) < 1, '"thing"."a" < $1', (1,)),
    (some(Thing.a) <= 1, '"thing"."a" <= $1', (1,)),
    (some(Thing.a) > 1, '"thing"."a" > $1', (1,)),
    (some(Thing.a) >= 1, '"thing"."a" >= $1', (1,)),
    (some(Thing.a) > 1, '"thing"."a" > $1', (1,)),
    (Thing.a == None, '"thing"."a" is null', ()),  # noqa: E711  # an operator of SQL here
    (Thing.a != None, '"thing"."a" is not null', ()),  # noqa: E711  # as above
    (is_null(Thing.a), '"thing"."a" is null', ()),
    (is_not_null(Thing.a), '"thing"."a" is not null', ()),
    (Thing.c, '"thing"."c"', ()),
    (~Thing.c, 'not ("thing"."c")', ()),
    (not_(Thing.c), 'not ("thing"."c")', ()),
    (Thing.a == Thing.id, '"thing"."a" = "thing"."id"', ()),
    (any_of(Thing.id, [3, 4]), '"thing"."id" = any($1)', ([3, 4],)),
    (any_of(Thing.id, []), '"thing"."id" = any($1)', ([],)),
    (any_of(Thing.id, (i for i in (1, 2))), '"thing"."id" = any($1)', ([1, 2],)),
    (like(Thing.b, "x%"), '"thing"."b" like $1', ("x%",)),
    (ilike(Thing.b, "x%"), '"thing"."b" ilike $1', ("x%",)),
    (between(Thing.id, 1, 9), '"thing"."id" between $1 and $2', (1, 9)),
    (and_(Thing.id == 1, Thing.b == "x"), '("thing"."id" = $1) and ("thing"."b" = $2)', (1, "x")),
    (or_(Thing.id == 1, Thing.b == "x"), '("thing"."id" = $1) or ("thing"."b" = $2)', (1, "x")),
    ((Thing.id == 1) | Thing.c, '("thing"."id" = $1) or "thing"."c"', (1,)),
    ((Thing.id == 1) & Thing.c, '("thing"."id" = $1) and "thing"."c"', (1,)),
    (and_(), "true", ()),
    (or_(), "false", ()),
    (not_(Thing.id == 1) == Thing.c, '(not ("thing"."id" = $1)) = "thing"."c"', (1,)),
    (Thing.id + 1 == Thing.a, '("thing"."id" + $1) = "thing"."a"', (1,)),
    (1 - Thing.id == 2 / Thing.id, '($1 - "thing"."id") = ($2 / "thing"."id")', (1, 2)),
    (Thing.id * 2 - 1 == 5, '(("thing"."id" * $1) - $2) = $3', (2, 1, 5)),
    (Thing.b + "!" == "x!", '("thing"."b" || $1) = $2', ("!", "x!")),
    (raw("lower(b) = $1", "x"), "lower(b) = $1", ("x",)),
    (raw("f($2, $1, $2)", 7, Thing.b), 'f("thing"."b", $1, "thing"."b")', (7,)),
    (Thing.id == raw("nextval($1)", "s"), '"thing"."id" = (nextval($1))', ("s",)),
]


@pytest.mark.parametrize(("condition", "sql", "args"), CONDITIONS, ids=[sql for _, sql, _ in CONDITIONS])
def test_a_condition_is_sql_and_arguments(condition: Any, sql: str, args: tuple[Any, ...]) -> None:
    found, values = sql_of(select(Thing).where(condition))
    assert found == f'select "thing"."id", "thing"."a", "thing"."b", "thing"."c" from "thing" where {sql}'
    assert values == args


# --- selects ----------------------------------------------------------------------------------------------------------

THING = 'select "thing"."id", "thing"."a", "thing"."b", "thing"."c" from "thing"'
PART = 'from "Stock room"."part"'
SELECTS: list[tuple[Any, str, tuple[Any, ...]]] = [
    (select(Thing), THING, ()),
    (
        select(Thing).where(Thing.id == 1).where(Thing.c, Thing.b == "x"),
        f'{THING} where ("thing"."id" = $1) and "thing"."c" and ("thing"."b" = $2)',
        (1, "x"),
    ),
    (
        select(Thing).order_by(Thing.b, desc(Thing.id)).order_by(asc(Thing.a, nulls="first"), raw("b desc")),
        f'{THING} order by "thing"."b", "thing"."id" desc, "thing"."a" nulls first, b desc',
        (),
    ),
    (select(Thing).limit(3).offset(4), f"{THING} limit $1 offset $2", (3, 4)),
    (select(Thing).limit(3).limit(None), THING, ()),
    (select(Thing).offset(4), f"{THING} offset $1", (4,)),
    (select(Thing).distinct(), THING.replace("select", "select distinct"), ()),
    (
        select(Thing).distinct(Thing.b).order_by(Thing.b),
        THING.replace("select", 'select distinct on ("thing"."b")') + ' order by "thing"."b"',
        (),
    ),
    (select(Thing).for_update(), f'{THING} for update of "thing"', ()),
    (select(Thing).for_update(skip_locked=True), f'{THING} for update of "thing" skip locked', ()),
    (select(Thing).for_update(nowait=True, key=False), f'{THING} for no key update of "thing" nowait', ()),
    (select(Thing).for_share(), f'{THING} for share of "thing"', ()),
    (select(Thing).for_share(key=True), f'{THING} for key share of "thing"', ()),
    (select(Thing).only(Thing.b), 'select "thing"."id", "thing"."b" from "thing"', ()),
    (select(Thing).only(), 'select "thing"."id" from "thing"', ()),
    (select(Paged).only(Paged.text), 'select "paged"."id", "paged"."text", "paged"."edition" from "paged"', ()),
    (delete(Thing).where(or_()), 'delete from "thing" where false', ()),
    (delete(Thing).where(and_(), Thing.a == 1), 'delete from "thing" where (true) and ("thing"."a" = $1)', (1,)),
    (delete(Thing).where(and_()).all(), 'delete from "thing" where true', ()),
    (select(Cell).only(Cell.word), 'select "cell"."x", "cell"."y", "cell"."word" from "cell"', ()),
    (
        select(Thing.b, n=select(Thing).where(Thing.a == outer(Thing.id)).count()),
        'select "thing"."b", (select count(*) from "thing" as "thing_2" where "thing_2"."a" = "thing"."id") as "n"'
        ' from "thing"',
        (),
    ),
    (
        select(Part.id).where(exists(select(Part).where(Part.id == outer(Part.whole.whole_id), Part.id > 3))),
        f'select "part"."id" {PART} left join "Stock room"."part" as "part_3" on "part_3"."id" = "part"."whole_id"'
        ' where exists (select 1 from "Stock room"."part" as "part_2" where ("part_2"."id" = "part_3"."whole_id") and'
        ' ("part_2"."id" > $1))',
        (3,),
    ),
    (
        select(Thing.b).where(Thing.id == select(Thing).columns(max_(outer(Thing.b) + Thing.b))),
        'select "thing"."b" from "thing" where "thing"."id" = (select max("thing"."b" || "thing_2"."b") from "thing" as'
        ' "thing_2")',
        (),
    ),
    (select(Thing.b, Thing.id), 'select "thing"."b", "thing"."id" from "thing"', ()),
    (select(Book.kind), 'select "book"."sort" as "kind" from "book"', ()),
    (
        select(Thing.b, count(), n=count(Thing.a, distinct=True)).group_by(Thing.b).having(count() > 1),
        'select "thing"."b", count(*), count(distinct "thing"."a") as "n" from "thing" group by "thing"."b"'
        " having count(*) > $1",
        (1,),
    ),
    (
        select(sum_(Thing.id), avg(Thing.id), min_(Thing.id), max_(Thing.id)),
        'select sum("thing"."id"), avg("thing"."id"), min("thing"."id"), max("thing"."id") from "thing"',
        (),
    ),
    (select(Thing).columns(raw("now()"), n=Thing.id + 1), 'select now(), "thing"."id" + $1 as "n" from "thing"', (1,)),
    (select(Thing).where(Thing.c).order_by(Thing.b).count(), 'select count(*) from "thing" where "thing"."c"', ()),
    (
        select(Thing).limit(2).count(),
        f'select count(*) from ({THING} limit $1) as "counted"',
        (2,),
    ),
    (
        select(Thing.b).distinct().count(),
        'select count(*) from (select distinct "thing"."b" from "thing") as "counted"',
        (),
    ),
    (
        select(Thing).where(Thing.id == 1).order_by(Thing.b).exists(),
        'select exists (select 1 from "thing" where "thing"."id" = $1)',
        (1,),
    ),
    # across relations
    (
        select(Book.id).where(Book.author.name == "x", Book.author.age == 3).order_by(Book.author.country.name),
        'select "book"."id" from "book" left join "author" on "author"."id" = "book"."author_id"'
        ' left join "country" on "country"."code" = "author"."country_code"'
        ' where ("author"."name" = $1) and ("author"."age" = $2) order by "country"."name"',
        ("x", 3),
    ),
    (
        select(Book.title, author=Book.author.name),
        'select "book"."title", "author"."name" as "author" from "book"'
        ' left join "author" on "author"."id" = "book"."author_id"',
        (),
    ),
    (
        select(Author.id).where(exists(Author.books, Book.price > 5, Book.title == "t")),
        'select "author"."id" from "author" where exists (select 1 from "book" where "book"."author_id" = "author"."id"'
        ' and ("book"."price" > $1) and ("book"."title" = $2))',
        (5, "t"),
    ),
    (
        select(Author.id).where(not_(exists(Author.books)), is_null(Author.books), is_null(Author.country)),
        'select "author"."id" from "author" where'
        ' (not (exists (select 1 from "book" where "book"."author_id" = "author"."id")))'
        ' and (not exists (select 1 from "book" as "book_2" where "book_2"."author_id" = "author"."id"))'
        ' and ("author"."country_code" is null)',
        (),
    ),
    (
        select(Book.id).where(exists(Book.tags, Tag.label == "t")),
        'select "book"."id" from "book" where exists (select 1 from "tag" join "book_tag" on "book_tag"."tag_id" ='
        ' "tag"."id" where "book_tag"."book_id" = "book"."id" and ("tag"."label" = $1))',
        ("t",),
    ),
    (
        select(Book.id).where(exists(Book.author.books, Book.title == "t")),
        'select "book"."id" from "book" left join "author" on "author"."id" = "book"."author_id" where exists'
        ' (select 1 from "book" as "book_2" where "book_2"."author_id" = "author"."id" and ("book_2"."title" = $1))',
        ("t",),
    ),
    (
        select(Part.id).where(Part.whole.whole.id == 1, exists(Part.parts, Part.id == 2)),
        f'select "part"."id" {PART} left join "Stock room"."part" as "part_2" on "part_2"."id" = "part"."whole_id"'
        ' left join "Stock room"."part" as "part_3" on "part_3"."id" = "part_2"."whole_id"'
        ' where ("part_3"."id" = $1)'
        ' and exists (select 1 from "Stock room"."part" as "part_4" where "part_4"."whole_id" = "part"."id"'
        ' and ("part_4"."id" = $2))',
        (1, 2),
    ),
    (
        select(Note.id).where(Note.cell.word == "w", Note.cell == Cell(x=1, y=2)),
        'select "note"."id" from "note" left join "cell" on "cell"."x" = "note"."x" and "cell"."y" = "note"."y"'
        ' where ("cell"."word" = $1) and ("note"."x" = $2 and "note"."y" = $3)',
        ("w", 1, 2),
    ),
    (
        select(Note.id).where(Note.cell != None),  # noqa: E711  # an operator of SQL here
        'select "note"."id" from "note" where not ("note"."x" is null or "note"."y" is null)',
        (),
    ),  # an operator of SQL
    (
        select(Book.id).where(any_of(Book.author, [Author(id=3, name=""), Author(id=4, name="")])),
        'select "book"."id" from "book" where "book"."author_id" = any($1)',
        ([3, 4],),
    ),
    # nested selects
    (
        select(Book.id).where(any_of(Book.author_id, select(Author).where(Author.name == "n").limit(2))),
        'select "book"."id" from "book" where "book"."author_id" in (select "author"."id" from "author"'
        ' where "author"."name" = $1 limit $2)',
        ("n", 2),
    ),
    (
        select(Book.id).where(any_of(Book.author, select(Author))),
        'select "book"."id" from "book" where "book"."author_id" in (select "author"."id" from "author")',
        (),
    ),
    (
        select(Author.id).where(any_of(Author.id, select(Book.author_id).where(Book.title == "t")), Author.name == "n"),
        'select "author"."id" from "author" where ("author"."id" in (select "book"."author_id" from "book"'
        ' where "book"."title" = $1)) and ("author"."name" = $2)',
        ("t", "n"),
    ),
    (
        select(Book.id).where(Book.price > select(avg(Book.price)).where(Book.author_id == 2)),
        'select "book"."id" from "book" where "book"."price" > (select avg("book_2"."price") from "book" as "book_2"'
        ' where "book_2"."author_id" = $1)',
        (2,),
    ),
    (
        select(Author.id, n=select(Book).where(Book.author_id == Author.id).count()),
        'select "author"."id", (select count(*) from "book" where "book"."author_id" = "author"."id") as "n"'
        ' from "author"',
        (),
    ),
    (
        select(Author.id).where(exists(select(Book).where(Book.author_id == Author.id).limit(1))),
        'select "author"."id" from "author" where exists (select 1 from "book"'
        ' where "book"."author_id" = "author"."id" limit $1)',
        (1,),
    ),
    # changes
    (
        update(Thing).set(b="x", a=Thing.id * 2).where(Thing.id == 1).set(c=None),
        'update "thing" set "b" = $1, "a" = "thing"."id" * $2, "c" = $3 where "thing"."id" = $4',
        ("x", 2, None, 1),
    ),
    (update(Thing).set(a=1).all(), 'update "thing" set "a" = $1', (1,)),
    (
        update(Thing).set(a=1).all().returning(Thing.id, n=Thing.a),
        'update "thing" set "a" = $1 returning "thing"."id", "thing"."a" as "n"',
        (1,),
    ),
    (
        delete(Thing).where(Thing.c).returning(),
        'delete from "thing" where "thing"."c" returning "thing"."id", "thing"."a", "thing"."b", "thing"."c"',
        (),
    ),
    (
        update(Book).set(title="t", kind=Kind.POEM).where(Book.author.country.name == "x"),
        'update "book" set "title" = $1, "sort" = $2, "revision" = "book"."revision" + $3 where (select'
        ' "country"."name" from "author" left join "country" on "country"."code" = "author"."country_code"'
        ' where "author"."id" = "book"."author_id") = $4',
        ("t", "poem", 1, "x"),
    ),
    (
        delete(Book).where(exists(Book.author.books, Book.title == "t")),
        'delete from "book" where exists (select 1 from "author" where "author"."id" = "book"."author_id" and exists'
        ' (select 1 from "book" as "book_2" where "book_2"."author_id" = "author"."id" and ("book_2"."title" = $1)))',
        ("t",),
    ),
    (delete(Part).where(Part.id == 1), 'delete from "Stock room"."part" where "part"."id" = $1', (1,)),
]


@pytest.mark.parametrize(("query", "sql", "args"), SELECTS, ids=[repr(query) for query, _, _ in SELECTS])
def test_a_query_is_sql_and_arguments(query: Any, sql: str, args: tuple[Any, ...]) -> None:
    assert sql_of(query) == (sql, args)
    assert str(query) == sql


# --- compiled once ----------------------------------------------------------------------------------------------------


def test_a_query_is_compiled_once_for_each_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_compiled", {})

    def ask(n: int) -> Any:
        return select(Thing).where(Thing.id == n, any_of(Thing.b, ["x"] * n)).order_by(desc(Thing.a)).limit(n)

    first = statement_of(ask(1))
    again = statement_of(ask(2))
    assert first[0] is again[0]
    assert first[2] is again[2]
    assert again[1] == (2, ["x", "x"], 2)
    assert len(statements._compiled) == 1


@pytest.mark.parametrize(
    "other",
    [
        select(Thing).where(Thing.id == None),  # noqa: E711  # an operator of SQL
        select(Thing).where(Thing.a == 1),
        select(Thing).where(Thing.id != 1),
        select(Thing).where(Thing.id == 1, Thing.id == 1),
        select(Thing).where(Thing.id == 1).limit(1),
        select(Thing).where(Thing.id == 1).offset(1),
        select(Thing).where(Thing.id == 1).order_by(Thing.id),
        select(Thing).where(Thing.id == 1).only(Thing.b),
        select(Thing).where(Thing.id == 1).distinct(),
        select(Thing).where(Thing.id == 1).for_update(),
        select(Thing).where(Thing.id == raw("1")),
        select(Thing.id).where(Thing.id == 1),
    ],
    ids=repr,
)
def test_another_shape_is_another_statement(other: Any) -> None:
    assert sql_of(other)[0] != sql_of(select(Thing).where(Thing.id == 1))[0]


def test_the_statements_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_compiled", {})
    monkeypatch.setattr(statements, "_SHAPES", 3)
    for n in range(10):
        statement_of(select(Thing).where(*([Thing.id == 1] * n)))
        assert len(statements._compiled) <= 3


def test_queries_are_not_changed_by_their_methods() -> None:
    begun = select(Thing).where(Thing.c)
    before = sql_of(begun)
    begun.where(Thing.id == 1), begun.order_by(Thing.id), begun.limit(1), begun.offset(1), begun.distinct()
    begun.only(Thing.id), begun.for_update(), begun.columns(Thing.id), begun.group_by(Thing.id), begun.having(Thing.c)
    assert sql_of(begun) == before
    change = update(Thing).where(Thing.c).set(a=1)
    before = sql_of(change)
    change.set(a=2, b="x"), change.where(Thing.id == 1), change.returning()
    assert sql_of(change) == before


def test_a_field_may_be_named_self() -> None:
    class Ego(Model, table="ego"):
        id: int = field(primary_key=True)
        self: str = ""

    assert Ego(id=1, self="me").self == "me"
    changed = update(Ego).set(self="x").all().returning(self=Ego.self)
    assert sql_of(changed) == ('update "ego" set "self" = $1 returning "ego"."self"', ("x",))
    assert sql_of(select(Ego).columns(self=Ego.self))[0] == 'select "ego"."self" from "ego"'


def test_an_outer_field_is_of_a_select_around_another() -> None:
    assert repr(Thing.id == outer(Thing.a)) == "Thing.id == outer(Thing.a)"
    with pytest.raises(ModelError, match=r"outer\(Thing\.id\): there is no select around"):
        sql_of(select(Thing).where(Thing.a == outer(Thing.id)))
    with pytest.raises(ModelError, match=r"Thing\.id is not a field of Book"):
        sql_of(select(Book).where(exists(select(Thing).where(Thing.a == outer(Thing.id)))))
    for wrong in (5, Part.whole, count(), outer(Thing.id)):
        with pytest.raises(UsageError, match=r"outer\(\) takes a field, as outer\(Author\.id\), not "):
            outer(wrong)


def test_a_query_shows_itself_without_values() -> None:
    query = select(Book).where(Book.author.name == "secret", or_(Book.price > 5, is_null(Book.price))).limit(77)
    assert repr(query) == (
        "select(Book).where(Book.author.name == ?, or_(Book.price > ?, is_null(Book.price))).limit(?)"
    )
    assert repr(update(Thing).set(b="secret").all()) == "update(Thing).set(b=?).all()"
    assert (
        repr(select(Thing.b, n=count()).group_by(Thing.b))
        == "select(Thing).columns(Thing.b, count()).group_by(Thing.b)"
    )


def test_included_relations_are_kept() -> None:
    query = select(Author).include(Author.books).include(Author.country, strategy="trip")
    assert [repr(one) for one in query.includes] == ["Author.books", "Author.country"]
    assert query.strategy == "trip"
    assert select(Author).includes == ()


# --- raw --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "args", "then"),
    [
        ("$1", (7,), "$2"),
        ("$2 + $1", (7, 8), "$2 + $3"),
        ("'$1' || $1", (7,), "'$1' || $2"),
        ("'it''s $1' || $1", (7,), "'it''s $1' || $2"),
        (r"E'\'$1' || $1", (7,), r"E'\'$1' || $2"),
        ("e'a'\n '\\'$1' || $1", (7,), "e'a'\n '\\'$1' || $2"),
        (r"xE'\' || $1", (7,), r"xE'\' || $2"),
        ('"a""$1" = $1', (7,), '"a""$1" = $2'),
        ("$$ $1 $$ || $x$ $1 $$ $x$ || $1", (7,), "$$ $1 $$ || $x$ $1 $$ $x$ || $2"),
        ("/* $1 /* $1 */ */ $1", (7,), "/* $1 /* $1 */ */ $2"),
        ("1 -- $1 '\n + $1", (7,), "1  \n + $2"),
        ("a$1 = $1", (7,), "a$1 = $2"),
        ("1", (), "1"),
    ],
)
def test_the_parameters_of_raw_sql_get_their_numbers(sql: str, args: tuple[Any, ...], then: str) -> None:
    found, values = sql_of(select(Thing).where(Thing.id == 99).order_by(raw(sql, *args)))
    assert found == f'{THING} where "thing"."id" = $1 order by {then}'
    assert sorted(values) == sorted((99, *args))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (raw("x = $1"), r"has the parameters \$1, and 0 arguments"),
        (raw("x = 1", 5), "has the parameters none, and 1 arguments"),
        (raw("$1 = $3", 5, 6), r"has the parameters \$1, \$3, and 2 arguments"),
        (raw("$0", 5), "has the parameters"),
        (raw("x = 'abc"), "has no end"),
        (raw('x = "abc'), "has no end"),
        (raw("x = $q$abc"), "has no end"),
        (raw("x /* abc"), "a comment has no end"),
    ],
)
def test_raw_sql_that_does_not_fit_is_refused(bad: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        statement_of(select(Thing).where(bad))


# --- what is refused --------------------------------------------------------------------------------------------------

REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: select(5), UsageError, "5 is not a Model"),
    (lambda: select(dict), ModelError, "is not a Model"),
    (lambda: select(), UsageError, "no column says of which Model"),
    (lambda: select(count()), UsageError, "no column says of which Model"),
    (lambda: select(Thing).where(True), UsageError, "where.. takes conditions.* not True: two plain values"),
    (lambda: select(Thing).where("x"), UsageError, "where.. takes conditions"),
    (lambda: select(Thing).where(desc(Thing.id)), UsageError, "where.. takes conditions"),
    (lambda: select(Thing).having(True), UsageError, "having.. takes conditions"),
    (lambda: select(Thing).order_by("id"), UsageError, "order_by.. takes fields"),
    (lambda: select(Thing).limit("1"), UsageError, "limit.. takes a number of rows, not a value of type str"),
    (lambda: select(Thing).limit(-1), UsageError, "limit.. takes a number of rows, not -1"),
    (lambda: select(Thing).offset(True), UsageError, "offset.. takes a number of rows, not True"),
    (lambda: select(Thing).only(Book.title), UsageError, "only.. takes fields of Thing, not Book.title"),
    (lambda: select(Book).only(Book.author.name), UsageError, "only.. takes fields of Book, not Book.author.name"),
    (lambda: select(Book).only(Book.author), UsageError, "only.. takes fields of Book"),
    (lambda: select(Thing.id).only(Thing.id), UsageError, "only.. is for objects"),
    (lambda: select(Thing).columns(), UsageError, "columns.. needs one"),
    (lambda: select(Thing).for_update(skip_locked=True, nowait=True), UsageError, "exclude each other"),
    (lambda: select(Thing).include(strategy="x"), UsageError, "strategy='x'"),
    (lambda: select(Thing).include("books"), UsageError, "include.. takes relations.* not .books.; it has: none"),
    (lambda: select(Book).include(Book.title), UsageError, "include.. takes relations.* not Book.title"),
    (lambda: asc(Thing.id, nulls="x"), UsageError, "nulls='x'"),
    (lambda: any_of(Thing.b, "abc"), UsageError, "takes a list of values, not one str"),
    (lambda: select(Thing).where(Book.title == "x"), ModelError, "Book.title is not a field of Thing"),
    (lambda: select(Thing).order_by(Book.author.name), ModelError, "Book.author.name is not a field of Thing"),
    (lambda: select(Book).where(Book.author.nome == "x"), ModelError, "Author has neither a field nor a relation"),
    (lambda: select(Author).where(Author.books.title == "x"), ModelError, "is a list: ask by exists.Author.books"),
    (lambda: select(Author).where(Author.books == None), ModelError, "ask by exists.Author.books"),  # noqa: E711  # an operator of SQL
    (lambda: select(Book).where(Book.author == 5), UsageError, "is compared with objects of Author"),
    (lambda: select(Book).where(Book.author > 5), ModelError, "compare one of its fields"),
    (lambda: select(Book).order_by(Book.author), ModelError, "Book.author is a relation: name one of its fields"),
    (lambda: select(Book).where(exists(Book.title)), UsageError, "exists.. takes a relation"),
    (lambda: select(Book).where(exists(select(Book), Book.title == "x")), UsageError, "no further conditions"),
    (lambda: select(Thing).where(Thing.a < None), UsageError, "None with '<' is never true"),
    *[
        (lambda begun=begun, empty=empty: statement_of(begun.where(empty)), UsageError, "every row: add .where")
        for begun in (update(Thing).set(a=1), delete(Thing))
        for empty in (and_(), and_(and_(), not_(or_())), or_(Thing.a == 1, and_()), not_(and_(Thing.a == 1, or_())))
    ],
    (lambda: update(Thing).set(d=1), UsageError, "Thing has no field 'd', but id, a, b, c"),
    (lambda: update(Book).set(words=1), UsageError, "Book.words is always made by the server"),
    (lambda: update(Thing).where(Thing.c), UsageError, "changes nothing"),
    (lambda: update(Thing).set(a=1), UsageError, r"would update every row: add .where\(...\), or .all\(\)"),
    (lambda: delete(Thing), UsageError, r"would delete every row: add .where\(...\), or .all\(\)"),
    (lambda: update(int), ModelError, "is not a Model"),
    (lambda: b"select 1", UsageError, r"SQL must be a str, not bytes; values go into arguments.*as select"),
    (lambda: bool(select(Thing)), UsageError, "is a query and neither true nor false"),
    (lambda: bool(Thing.id == 1), UsageError, "neither true nor false"),
]


@pytest.mark.parametrize(("make", "kind", "says"), REFUSED, ids=[says for _, _, says in REFUSED])
def test_what_makes_no_sense_is_refused(make: Callable[[], Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        statement_of(make())


# --- the writer, as graphs use it -------------------------------------------------------------------------------------


def test_a_select_can_hold_nested_selects_with_arguments_of_their_own() -> None:
    values: list[Any] = []
    key = select(Author).only(Author.name).where(Author.name == "x")._key(values)
    nested = keys_of([Book.title == "y"], values), keys_of([desc(Book.price)], values), key_of(3, values)

    def books(writer: Writer, outer: Scope) -> list[str]:
        scope, tied = writer.follow(Author.__table__.relations["books"], outer.alias, outer)
        columns = ", ".join(writer.columns(scope.table, scope.alias, ["id"]))
        tail = f"{writer.all_of(nested[0], scope)}{writer.order_by(nested[1], scope)}{writer.limits(nested[2], None)}"
        return [f"array(select row({columns}) from {scope.source()} where {tied} and {tail})"]

    writer = Writer()
    assert writer.select(key, extra=books) == (
        'select "author"."id", "author"."name", array(select row("book"."id") from "book"'
        ' where "book"."author_id" = "author"."id" and "book"."title" = $1 order by "book"."price" desc limit $2)'
        ' from "author" where "author"."name" = $3'
    )
    assert [values[place] for place in writer.order] == ["y", 3, "x"]


def test_a_select_can_be_narrowed_to_what_another_one_needs() -> None:
    values: list[Any] = []
    key = select(Book).where(Book.title == "x").order_by(desc(Book.price)).limit(2)._key(values)
    assert Writer().select(narrowed(key, ["author_id"])) == (
        'select "book"."author_id" from "book" where "book"."title" = $1 order by "book"."price" desc limit $2'
    )


def test_aliases_are_never_taken_twice() -> None:
    writer = Writer()
    assert [writer.alias("a"), writer.alias("a"), writer.alias("a_2"), writer.alias('q"')] == [
        '"a"',
        '"a_2"',
        '"a_2_2"',
        '"q"""',
    ]
    assert writer.alias("ä" * 40) == '"t"'


PIECES = ["\n", " ", *["'", '"', "$1", "$2", "$$", "$a$", "e", "E'", "\\", "--", "/*", "*/", "x", "1", "U&", "é", "''"]]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_raw_sql_is_cut_as_the_drivers_lexer_reads_it(sql: str) -> None:
    tokens, ended = tokenize(sql)
    if not ended:
        with pytest.raises(UsageError, match="has no end"):
            cut(sql)
        return
    parameters = [one for one in cut(sql) if isinstance(one, int)]
    assert len(parameters) == sum(a == "$" and b == "0" for a, b in itertools.pairwise(tokens))
