"""Random conditions: the server finds those rows of which Python says the same, by SQL's logic of three values."""

from __future__ import annotations

import contextlib
import itertools
import operator
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stretto import Model, and_, any_of, between, delete, field, is_not_null, is_null, not_, or_, raw, select
from stretto._sync.database import Database

Row = tuple[int | None, int | None, bool]
Told = tuple[Any, Callable[[Row], Any]]  # an expression, and what it is of a row


class Point(Model, table="point"):
    id: int = field(primary_key=True)
    x: int | None = None
    y: int | None = None
    flag: bool = False


ROWS: list[Row] = list(itertools.product([None, 0, 1, 2], [None, 0, 1, 2], [True, False]))
SMALL = st.integers(-1, 3)
COMPARED = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


def lifted(function: Callable[..., Any], *operands: Callable[[Row], Any]) -> Callable[[Row], Any]:
    """A function that gives NULL for any NULL."""

    def apply(row: Row) -> Any:
        values = [operand(row) for operand in operands]
        return None if None in values else function(*values)

    return apply


def constant(value: Any) -> Callable[[Row], Any]:
    return lambda row: value


numbers: st.SearchStrategy[Told] = st.deferred(
    lambda: st.sampled_from([(Point.x, lambda row: row[0]), (Point.y, lambda row: row[1])]) | calculated
)
operands: st.SearchStrategy[Told] = numbers | SMALL.map(lambda n: (n, constant(n)))
calculated = st.builds(
    lambda f, a, b: (f(a[0], b[0]), lifted(f, a[1], b[1])),
    st.sampled_from([operator.add, operator.sub, operator.mul]),
    numbers,
    operands,
)


def _any(values: list[int]) -> Callable[[int], bool]:
    return lambda n: n in values


def _all(told: list[Told], stop: bool, end: bool) -> Callable[[Row], Any]:
    def apply(row: Row) -> Any:
        values = [one[1](row) for one in told]
        return stop if stop in values else None if None in values else end

    return apply


simple: st.SearchStrategy[Told] = st.one_of(
    st.just((Point.flag, lambda row: row[2])),
    st.builds(lambda f, a, b: (f(a[0], b[0]), lifted(f, a[1], b[1])), st.sampled_from(COMPARED), numbers, operands),
    numbers.map(lambda a: (a[0] == None, lambda row: a[1](row) is None)),  # noqa: E711  # an operator of SQL
    numbers.map(lambda a: (is_null(a[0]), lambda row: a[1](row) is None)),
    numbers.map(lambda a: (is_not_null(a[0]), lambda row: a[1](row) is not None)),
    st.builds(
        # NULL is not known to be one of some values, but surely none of no values
        lambda a, v: (any_of(a[0], v), lifted(_any(v), a[1]) if v else constant(False)),
        numbers,
        st.lists(SMALL, max_size=3),
    ),
    st.builds(
        lambda a, low, high: (between(a[0], low, high), lifted(lambda n: low <= n <= high, a[1])), numbers, SMALL, SMALL
    ),
    st.builds(lambda a, n: (raw("$1 /* $2 ' */ >= $2 -- '", a[0], n), lifted(lambda m: m >= n, a[1])), numbers, SMALL),
)
conditions: st.SearchStrategy[Told] = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda told: (and_(*[one[0] for one in told]), _all(told, False, True))),
        st.lists(inner, max_size=3).map(lambda told: (or_(*[one[0] for one in told]), _all(told, True, False))),
        inner.map(lambda told: (not_(told[0]), lifted(operator.not_, told[1]))),
        st.builds(lambda a, b: (a[0] & b[0], _all([a, b], False, True)), inner, inner),
        st.builds(lambda a, b: (a[0] | b[0], _all([a, b], True, False)), inner, inner),
        st.builds(lambda a, b: (a[0] == b[0], lifted(operator.eq, a[1], b[1])), inner, inner),
    ),
    max_leaves=6,
)


class Undone(Exception):
    """Rolls a transaction back."""


def test_conditions_are_true_of_the_rows_that_python_says(open_db: Callable[..., Database]) -> None:
    db = open_db(connections=1)
    db.execute("create table point (id int primary key, x int, y int, flag bool not null)")
    db.executemany("insert into point values ($1, $2, $3, $4)", [(i, *row) for i, row in enumerate(ROWS)])

    @settings(max_examples=150, deadline=None)
    @given(st.lists(conditions, min_size=1, max_size=3))
    def check(told: list[Told]) -> None:
        expected = [i for i, row in enumerate(ROWS) if all(one[1](row) is True for one in told)]
        query = select(Point).where(*[one[0] for one in told]).order_by(Point.id)
        assert [point.id for point in db.fetch(query)] == expected
        assert db.fetchval(query.count()) == len(expected)
        with contextlib.suppress(Undone), db.transaction():
            chosen = delete(Point).where(*[one[0] for one in told]).all()  # an empty and_() needs it
            gone = db.fetch(chosen.returning(Point.id), into=int)
            raise Undone
        assert sorted(gone) == expected

    check()
