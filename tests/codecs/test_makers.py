"""Row and the makers, without a server: a list of values in, an object out. Both builds must agree."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stretto import _core
from stretto.codecs import makers
from stretto.codecs.makers import (
    AnyMaker,
    ArrangedMaker,
    AttributeMaker,
    CallMaker,
    CompositeMaker,
    DictMaker,
    KeywordMaker,
    Maker,
    Row,
    RowMaker,
    ScalarMaker,
    SlotsMaker,
    TupleMaker,
    ValidateMaker,
    row_class,
)
from stretto.errors import DecodeError

COMPILED = _core.is_compiled(makers)

HOSTILE = [
    "__class__",
    "__slots__",
    "__init__",
    "__getitem__",
    "__reduce__",
    "__dict__",
    "__match_args__",
    "_fields",
    "_places",
    "_asdict",
    '"); import os #',
    "",
    " ",
    "?column?",
    "a b",
    "1st",
    "x\n\r\t\x1b[31m",
    "class",
    "None",
    "self",
    "cls",
    "mro",
    "count",
    "index",
    "keys",
    "values",
    "items",
    "get",
    "имя",
    "名前",
    "😀",
    "ﬁ",
    "＿private",
    "x" * 63,
]
METHODS = ["keys", "values", "items", "get", "count", "index", "mro"]


def row(**values: Any) -> Any:
    return RowMaker(row_class(tuple(values))).make(list(values.values()))


def row_of(names: list[str], values: list[Any]) -> Any:
    return RowMaker(row_class(tuple(names))).make(values)


# Row


def test_a_row_is_read_by_position_slice_name_and_attribute() -> None:
    r = row(id=7, name="x", price=None)
    assert (r[0], r[-1], r[1:3], r[::-1]) == (7, None, ("x", None), (None, "x", 7))
    assert (r["id"], r["name"], r["price"]) == (7, "x", None)
    assert (r.id, r.name, r.price) == (7, "x", None)
    assert type(r[0:2]) is tuple
    with pytest.raises(IndexError):
        r[3]
    with pytest.raises(TypeError):
        r[1.5]


def test_a_row_equals_and_hashes_as_its_tuple() -> None:
    r = row(a=1, b="x")
    assert r == (1, "x") == r
    assert r == row(c=1, d="x")
    assert r != (1, "y")
    assert r < (2, "a")
    assert hash(r) == hash((1, "x"))
    assert {(1, "x"): "found"}[r] == "found"
    assert isinstance(r, tuple)
    assert isinstance(r, Row)
    assert 1 in r
    assert "a" not in r
    assert list(r) == [1, "x"]
    assert type(r.__add__((3,))) is tuple


def test_a_row_gives_its_names_and_values_as_a_mapping_would() -> None:
    r = row(a=1, b="x")
    assert r.keys() == ("a", "b")
    assert r.values() == (1, "x")
    assert type(r.values()) is tuple
    assert r.items() == (("a", 1), ("b", "x"))
    assert (r.get("a"), r.get("c"), r.get("c", 5)) == (1, None, 5)
    assert r._asdict() == dict(r) == {**r} == {"a": 1, "b": "x"}


def test_a_row_is_immutable() -> None:
    r = row(a=1)
    with pytest.raises(AttributeError, match="immutable"):
        r.a = 2
    with pytest.raises(AttributeError, match="immutable"):
        del r.a
    with pytest.raises(AttributeError):
        r.b = 2
    with pytest.raises(TypeError):
        r[0] = 2
    assert not hasattr(r, "__dict__")
    assert r == (1,)


def test_a_missing_name_says_which_there_are() -> None:
    r = row(id=1, name="x")
    with pytest.raises(KeyError, match=r"no column 'nmae'; it has: 'id', 'name'"):
        r["nmae"]
    with pytest.raises(AttributeError, match=r"no column 'nmae'; it has: 'id', 'name'"):
        r.nmae  # noqa: B018  # reading it is the test
    assert not hasattr(r, "nmae")


def test_a_name_of_two_columns_is_ambiguous_and_says_where_they_are() -> None:
    r = row_of(["id", "x", "id", "count", "count"], [1, 2, 3, 4, 5])
    assert r[0] == 1
    assert r[2] == 3
    assert r.x == 2
    for read in (lambda: r["id"], lambda: r.get("id"), r._asdict, lambda: dict(r)):
        with pytest.raises(KeyError, match="'id', at the positions 0, 2"):
            read()
    with pytest.raises(AttributeError, match="'id', at the positions 0, 2"):
        r.id  # noqa: B018  # reading it is the test
    with pytest.raises(AttributeError, match="'count', at the positions 3, 4"):
        r.count  # noqa: B018  # reading it is the test
    assert repr(r) == "Row(id=1, x=2, id=3, count=4, count=5)"
    assert pickle.loads(pickle.dumps(r)) == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_a_key_and_only_a_harmless_one_an_attribute(name: str) -> None:
    r = row_of(["first", name], [1, "mine"])
    assert r[name] == r[1] == Row.get(r, name) == "mine"
    assert r._asdict() == {"first": 1, name: "mine"}
    assert r._fields == ("first", name)
    assert isinstance(r, Row)
    assert type(r).__name__ == "Row"
    assert type(r).__slots__ == ()
    assert not hasattr(r, "__dict__")
    assert "\n" not in repr(r)
    assert (getattr(r, name, None) == "mine") == (name.isidentifier() and not name.startswith("_"))
    again = pickle.loads(pickle.dumps(r))
    assert (again, again._fields) == (r, r._fields)


@pytest.mark.parametrize("name", METHODS)
def test_a_column_called_like_a_method_hides_it_on_rows_of_that_shape_alone(name: str) -> None:
    assert getattr(row_of([name], [5]), name) == 5
    assert getattr(row_of([name], [5]), "_asdict")() == {name: 5}  # noqa: B009  # beside the getattr above
    assert name == "mro" or callable(getattr(row(other=1), name))


def test_a_row_of_1600_columns() -> None:
    names = [f"c{i}" for i in range(1600)]
    r = row_of(names, list(range(1600)))
    assert (r.c0, r.c1599, r["c800"], r[-1]) == (0, 1599, 800, 1599)
    assert r._asdict() == dict(zip(names, range(1600), strict=True))
    with pytest.raises(KeyError, match="and 1560 more"):
        r["c1600"]


def test_a_row_without_columns() -> None:
    r = row_of([], [])
    assert r == ()
    assert repr(r) == "Row()"
    assert r._asdict() == {}


def test_a_row_prints_as_what_makes_it() -> None:
    r = row(id=1, name="x")
    assert repr(r) == "Row(id=1, name='x')"
    assert eval(repr(r)) == r
    assert eval(repr(r))._fields == r._fields
    assert repr(row_of(["?column?", "a"], [1, 2])) == "Row('?column?'=1, a=2)"
    assert Row() == ()
    with pytest.raises(TypeError):
        Row(1, 2)  # type: ignore[call-arg]  # that it has no positional arguments is the test


def test_rows_are_matched_by_position_and_by_name() -> None:
    r = row(id=1, name="x")
    match r:
        case Row(id=1, name=name):
            assert name == "x"
        case _:
            pytest.fail("no match by name")
    shape = type(r)
    match r:
        case shape(1, name):
            assert name == "x"
        case _:
            pytest.fail("no match by position")
    assert row_class(("a", "?", "b")).__match_args__ == ("a",)
    assert row_class(("a", "b", "a")).__match_args__ == ()


def test_rows_of_the_same_names_share_a_class() -> None:
    assert type(row(a=1)) is type(row(a=2))
    assert type(row(a=1)) is not type(row(b=1))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_rows_survive_pickle_and_copy(protocol: int) -> None:
    r = row(id=1, tags=["a", "b"])
    for again in (pickle.loads(pickle.dumps(r, protocol)), copy.copy(r), copy.deepcopy(r)):
        assert again == r
        assert type(again) is type(r)
    assert copy.copy(r).tags is r.tags
    assert copy.deepcopy(r).tags is not r.tags


OTHER = """
import pickle, sys
import stretto.codecs.makers as makers
from stretto import _core
r = pickle.loads(bytes.fromhex(sys.argv[1]))
assert r.id == 1 and r["?column?"] == "x" and type(r) is makers.row_class(("id", "?column?"))
print("c" if _core.is_compiled(makers) else "py", pickle.dumps(r).hex())
"""


@pytest.mark.parametrize("core", ["py", "c"])
def test_a_row_pickled_in_one_build_loads_in_the_other(core: str) -> None:
    r = row_of(["id", "?column?"], [1, "x"])
    source = Path(makers.__file__).parents[2]
    if core == "c" and not list((source / "stretto/codecs").glob("makers.*.so")):
        pytest.skip("the core is not compiled")
    done = subprocess.run(
        [sys.executable, "-c", OTHER, pickle.dumps(r).hex()],
        env={**os.environ, "STRETTO_CORE": core, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    build, back = done.stdout.split()
    assert build == core
    again = pickle.loads(bytes.fromhex(back))
    assert again == r
    assert type(again) is type(r)
    assert back == pickle.dumps(r).hex()


def test_a_pickle_of_a_row_that_was_tampered_with_is_refused() -> None:
    function, arguments = row(a=1).__reduce__()
    with pytest.raises(ValueError, match="1 columns can't have 2 values"):
        function(arguments[0], (1, 2))


# The makers


@dataclass(slots=True)
class Slotted:
    a: int
    b: str


@dataclass(slots=True, frozen=True)
class Frozen:
    a: int
    b: str


@dataclass(slots=True)
class Rest:
    a: int
    b: str = field(default="b", init=False)
    c: list[int] = field(default_factory=list, init=False)


@dataclass
class Plain:
    a: int
    b: str


@dataclass(frozen=True)
class FrozenPlain:
    a: int
    b: str


class Named(NamedTuple):
    a: int
    b: str


def slots(cls: Any, *names: str) -> list[Any]:
    return [vars(cls)[name] for name in names]


MAKERS: list[tuple[Maker, Any]] = [
    (TupleMaker(), (1, "x")),
    (RowMaker(row_class(("a", "b"))), (1, "x")),
    (RowMaker(Named), Named(1, "x")),
    (DictMaker(["a", "b"]), {"a": 1, "b": "x"}),
    (AnyMaker(), 1),
    (ScalarMaker(int, "a", "int4"), 1),
    (SlotsMaker(Slotted, slots(Slotted, "a", "b"), [], [], False), Slotted(1, "x")),
    (SlotsMaker(Frozen, slots(Frozen, "a", "b"), [], [], True), Frozen(1, "x")),
    (AttributeMaker(Plain, ["a", "b"], [], []), Plain(1, "x")),
    (AttributeMaker(FrozenPlain, ["a", "b"], [], []), FrozenPlain(1, "x")),
    (AttributeMaker(Plain, ["a"], [("b", "x")], []), Plain(1, "x")),
    (AttributeMaker(Plain, ["a"], [], [("b", lambda: "x")]), Plain(1, "x")),
    (CallMaker(Plain), Plain(1, "x")),
    (KeywordMaker(Plain, ["a", "b"]), Plain(1, "x")),
    (ValidateMaker(lambda d: Plain(**d), ["a", "b"]), Plain(1, "x")),
    (ArrangedMaker(TupleMaker(), [1, 0], [str.upper, None]), ("X", 1)),
]


@pytest.mark.parametrize(("maker", "expected"), MAKERS, ids=lambda p: type(p).__name__)
def test_a_maker_makes_its_object_and_leaves_the_values_alone(maker: Maker, expected: Any) -> None:
    values = [1, "x"]
    first = maker.make(values)
    assert type(first) is type(expected) or isinstance(first, Row)
    assert first == expected
    assert values == [1, "x"]
    values[:] = [2, "y"]  # the row loop uses the list again
    assert first == expected
    assert maker.make(values) != expected


def test_slots_that_no_column_fills_get_a_constant_or_a_fresh_value() -> None:
    maker = SlotsMaker(
        Rest, slots(Rest, "a"), [(vars(Rest)["b"], "b")], [(vars(Rest)["c"], lambda: list[int]())], False
    )
    one, two = maker.make([1]), maker.make([1])
    assert one == two == Rest(1)
    assert one.c is not two.c


def test_a_slot_that_nothing_fills_is_unset_not_garbage() -> None:
    obj = SlotsMaker(Slotted, slots(Slotted, "b"), [], [], False).make(["x"])
    assert obj.b == "x"
    with pytest.raises(AttributeError):
        obj.a  # noqa: B018  # reading it is the test


class WithNew:
    __slots__ = ("a",)

    def __new__(cls) -> WithNew:
        return super().__new__(cls)


UNSOUND = [
    ("another class's slot", Slotted, slots(Frozen, "a")),
    ("no slot", Slotted, [property(lambda self: 1)]),
    ("a value", Slotted, [None]),
    ("a slot that is no object's", Slotted, [slice.start]),
    ("a __dict__", Plain, []),
    ("a __new__", WithNew, slots(WithNew, "a")),
    ("a tuple", Named, []),
    ("a list", list, []),
]


@pytest.mark.parametrize(("cls", "descriptors"), [u[1:] for u in UNSOUND], ids=[u[0] for u in UNSOUND])
def test_slots_are_written_only_where_that_is_sound(cls: Any, descriptors: list[Any]) -> None:
    with pytest.raises(TypeError):
        SlotsMaker(cls, descriptors, [], [], False)


def test_makers_of_tuples_and_attributes_refuse_classes_of_another_layout() -> None:
    with pytest.raises(TypeError):
        RowMaker(list)  # type: ignore[arg-type]  # that it is refused is the test
    with pytest.raises(TypeError):
        AttributeMaker(WithNew, ["a"], [], [])


@pytest.mark.parametrize("maker", [m for m, _ in MAKERS if not isinstance(m, TupleMaker | RowMaker | CallMaker)])
def test_too_few_values_are_an_error_not_a_read_past_the_end(maker: Maker) -> None:
    with pytest.raises((IndexError, ValueError)):
        maker.make([])


SCALARS = [
    (int, 1, True),
    (int, None, True),
    (int, True, False),
    (int, "1", False),
    (int, Decimal(1), False),
    (float, 1.5, True),
    (float, 1, False),
    (bool, True, True),
    (bool, 1, False),
    (str, "x", True),
    (bytes, "x", False),
    (datetime, datetime(2000, 1, 1, tzinfo=UTC), True),
    (datetime(2000, 1, 1).date().__class__, datetime(2000, 1, 1, tzinfo=UTC), False),
    (datetime(2000, 1, 1).date().__class__, datetime(2000, 1, 1).date(), True),
    (list, [1], True),
    (tuple, row(a=1), True),
]


@pytest.mark.parametrize(("cls", "value", "fits"), SCALARS)
def test_a_scalar_is_of_the_class_that_was_asked_for(cls: type, value: Any, fits: bool) -> None:
    maker = ScalarMaker(cls, "n", "sometype")
    if fits:
        assert maker.make([value]) is value
    else:
        with pytest.raises(DecodeError, match=f"into={cls.__name__} .* column 'n' of type sometype, which gives"):
            maker.make([value])


def test_the_error_for_a_scalar_does_not_show_the_value() -> None:
    with pytest.raises(DecodeError) as caught:
        ScalarMaker(int, "password", "text").make(["s3cret"])
    assert "s3cret" not in str(caught.value)


def test_a_composite_row_is_made_from_its_attributes_and_null_is_none() -> None:
    maker = CompositeMaker(RowMaker(Named))
    assert maker.make([(1, "x")]) == Named(1, "x")
    assert maker.make([row(a=1, b="x")]) == Named(1, "x")
    assert maker.make([None]) is None


def test_null_is_not_converted() -> None:
    assert ArrangedMaker(TupleMaker(), [0, 1], [str.upper, None]).make([None, None]) == (None, None)


class Open(tuple[Any, ...]):
    """A subclass of tuple with a ``__dict__``, which can hold a cycle at any time."""


TRACKED = [
    ("row of values", RowMaker(row_class(("a", "b"))), [1, "x"], False),
    ("row of more values", RowMaker(row_class(("a", "b"))), [datetime.now(UTC), None], False),
    ("row with a list", RowMaker(row_class(("a", "b"))), [1, []], True),
    ("row with a dict", RowMaker(row_class(("a", "b"))), [1, {}], True),
    ("row with a row", RowMaker(row_class(("a", "b"))), [1, row(a=1)], False),
    ("NamedTuple", RowMaker(Named), [1, "x"], False),
    ("tuple with a __dict__", RowMaker(Open), [1, "x"], True),
    ("slotted", SlotsMaker(Slotted, slots(Slotted, "a", "b"), [], [], False), [1, "x"], True),
    ("frozen", SlotsMaker(Frozen, slots(Frozen, "a", "b"), [], [], True), [1, "x"], False),
    ("frozen with a list", SlotsMaker(Frozen, slots(Frozen, "a", "b"), [], [], True), [1, []], True),
]


@pytest.mark.skipif(not COMPILED, reason="only C can take an object from the collector")
@pytest.mark.parametrize(("maker", "values", "tracked"), [t[1:] for t in TRACKED], ids=[t[0] for t in TRACKED])
def test_what_can_not_hold_a_cycle_is_not_the_collectors_business(
    maker: Maker, values: list[Any], tracked: bool
) -> None:
    assert gc.is_tracked(maker.make(values)) is tracked


def test_makers_neither_leak_nor_lose_references() -> None:
    marker = object()
    for maker, _ in MAKERS[:4] + MAKERS[6:13]:
        maker.make([marker, "x"])
        before = sys.getrefcount(marker)
        made = [maker.make([marker, "x"]) for _ in range(50)]
        assert sys.getrefcount(marker) == before + 50
        del made
        assert sys.getrefcount(marker) == before


def test_the_classes_of_rows_are_bounded_however_many_shapes_there_are() -> None:
    kept = row(kept=1)
    for i in range(3000):
        assert row(**{f"shape{i}": i}) == (i,)
    assert type(row(kept=2)) is type(kept)
    gc.collect()
    assert len(Row.__subclasses__()) < 1500
