"""The classes for what Python has no class for."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from stretto.codecs.values import (
    INFINITY,
    BitString,
    Box,
    Circle,
    Infinity,
    Interval,
    LineSegment,
    Path,
    Point,
    Polygon,
    Snapshot,
)

ALL: list[Any] = [
    INFINITY,
    -INFINITY,
    Interval(1, 2, 3),
    BitString("0101"),
    Point(1, 2),
    Box(Point(1, 2), Point(0, 0)),
    Circle(Point(1, 2), 3),
    Path((1, 2), (3, 4)),
    Path((1, 2), (3, 4), is_closed=True),
    Polygon((1, 2), (3, 4)),
    Snapshot(1, 2, (1,)),
]


@pytest.mark.parametrize("value", ALL, ids=repr)
def test_values_are_equal_to_their_copies_alone(value: Any) -> None:
    for twin in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert twin == value
        assert type(twin) is type(value)
        assert hash(twin) == hash(value)
        assert repr(twin) == repr(value)
    assert [other for other in ALL if other == value] == [value]


@pytest.mark.parametrize("value", [INFINITY, Interval(), BitString("1"), Path((1, 2)), Polygon((1, 2))], ids=repr)
def test_values_cannot_be_changed(value: Any) -> None:
    for name in ("sign", "months", "_value", "points", "is_closed", "new"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(value, name, 1)


@pytest.mark.parametrize(
    "other",
    [date.max, date.min, datetime.max, datetime.min.replace(tzinfo=UTC), timedelta.max],
)
def test_infinity_is_after_everything_and_its_negative_before(other: Any) -> None:
    assert -INFINITY < other < INFINITY
    assert -INFINITY <= other <= INFINITY
    assert INFINITY > other > -INFINITY
    assert INFINITY >= other >= -INFINITY
    assert other != INFINITY
    assert sorted([INFINITY, other, -INFINITY]) == [-INFINITY, other, INFINITY]


def test_infinity_is_itself() -> None:
    assert INFINITY == Infinity(-1).__neg__() == Infinity(1)
    assert not INFINITY < INFINITY
    assert INFINITY <= INFINITY
    assert repr(-INFINITY) == "-INFINITY"
    with pytest.raises(TypeError):
        assert INFINITY > 5


@pytest.mark.parametrize(
    ("start", "interval", "end"),
    [
        (date(2024, 1, 31), Interval(months=1), date(2024, 2, 29)),
        (date(2023, 12, 31), Interval(months=2, days=1), date(2024, 3, 1)),
        (date(2024, 3, 31), Interval(months=-1), date(2024, 2, 29)),
        (datetime(2024, 1, 31, 23), Interval(1, 1, 3_600_000_000), datetime(2024, 3, 2)),
        (datetime(2024, 12, 31), Interval(months=12), datetime(2025, 12, 31)),
    ],
)
def test_an_interval_adds_as_postgresql_adds(start: date, interval: Interval, end: date) -> None:
    assert start + interval == end
    assert start - (-interval) == end


def test_days_are_by_the_calendar_and_microseconds_by_the_clock() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2024, 3, 30, 12, tzinfo=berlin)  # the night has 23 hours
    assert (before + Interval(days=1)).isoformat() == "2024-03-31T12:00:00+02:00"
    assert (before + Interval(microseconds=86_400_000_000)).isoformat() == "2024-03-31T13:00:00+02:00"


def test_an_interval_with_a_time_does_not_add_to_a_date() -> None:
    with pytest.raises(TypeError):
        date(2024, 1, 1) + Interval(microseconds=1)
    with pytest.raises(TypeError):
        5 + Interval()  # type: ignore[operator]
    with pytest.raises(OverflowError):
        date(9999, 12, 1) + Interval(months=1)


@pytest.mark.parametrize("bits", ["", "0", "1", "0001", "10000000", "101010101", "1" * 1000])
def test_a_bit_string_in_its_forms(bits: str) -> None:
    value = BitString(bits)
    assert value.as_string() == bits
    assert len(value) == len(bits)
    assert list(value) == [int(bit) for bit in bits]
    assert BitString.frombytes(value.bytes, len(bits)) == value
    assert BitString.from_int(value.to_int(), len(bits)) == value
    assert BitString.from_int(value.to_int("little"), len(bits), "little") == value
    assert BitString.from_int(value.to_int(signed=True), len(bits), signed=True) == value


def test_a_bit_string_knows_its_order_and_sign() -> None:
    assert BitString("1000").to_int() == 8
    assert BitString("1000").to_int("little") == 1
    assert BitString("1000").to_int(signed=True) == -8
    assert BitString("1000 0001").bytes == b"\x81"
    assert BitString("10")[0] == 1
    assert BitString("1") != BitString("01")


@pytest.mark.parametrize(
    "make",
    [
        lambda: BitString("012"),
        lambda: BitString.frombytes(b"a", 9),
        lambda: BitString.frombytes(b"a", -1),
        lambda: BitString.from_int(8, 3),
        lambda: BitString.from_int(-1, 3),
        lambda: BitString.from_int(4, 3, signed=True),
        lambda: BitString.from_int(1, 0),
        lambda: BitString.from_int(1, -1),
    ],
)
def test_what_is_no_bit_string(make: Any) -> None:
    with pytest.raises(ValueError):
        make()


def test_a_path_is_a_sequence_of_points() -> None:
    path = Path((1, 2), Point(3, 4))
    assert list(path) == [Point(1, 2), Point(3, 4)]
    assert len(path) == 2
    assert path[1].y == 4
    assert repr(path) == "Path((1, 2), (3, 4), is_closed=False)"
    assert Polygon((1, 2)).is_closed


FIGURES: list[tuple[type[Any], tuple[Any, ...], str, type[Any]]] = [
    (Box, ((1, 2), (3, 4)), "high low", asyncpg.Box),
    (LineSegment, ((1, 2), (3, 4)), "p1 p2", asyncpg.LineSegment),
    (Circle, ((1, 2), 3.0), "center radius", asyncpg.Circle),
]


@pytest.mark.parametrize(("cls", "args", "names", "peer"), FIGURES, ids=[case[0].__name__ for case in FIGURES])
def test_figures_make_points_of_pairs_as_asyncpgs_do(
    cls: type[Any], args: tuple[Any, ...], names: str, peer: type[Any]
) -> None:
    name, other = names.split()
    made, twin = cls(*args), peer(*args)
    assert cls.__match_args__ == cls._fields == (name, other)
    assert type(getattr(made, name)) is Point
    assert (getattr(made, name).x, getattr(made, name).y) == (1, 2)
    assert made == args == tuple(twin)
    assert made == cls(**{name: args[0], other: args[1]}) == cls._make(args) == copy.deepcopy(made)
    assert type(pickle.loads(pickle.dumps(made))) is cls
    changed = made._replace(**{name: (7, 8)})
    assert (type(changed), getattr(changed, name)) == (cls, Point(7, 8))
    assert repr(made).startswith(f"{cls.__name__}({name}=Point(x=1, y=2), {other}=")
    with pytest.raises(TypeError):
        cls(1, 2)
