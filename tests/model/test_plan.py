"""From a target and columns to objects: what each kind of class becomes, and what is said where the two do not fit."""

from __future__ import annotations

import collections
import dataclasses
import enum
import os
import subprocess
import sys
import typing
from abc import ABC, abstractmethod
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

from stretto.codecs import makers
from stretto.codecs.base import Codec
from stretto.codecs.makers import Row
from stretto.errors import DecodeError, UsageError
from stretto.model.plan import plan_for


class Composite(Codec):
    """What plan looks at of a composite's codec."""

    def __init__(self, name: str, /, **attributes: Codec) -> None:
        super().__init__(name)
        self.names = tuple(attributes)
        self.codecs = tuple(attributes.values())


class Array(Codec):
    """What plan looks at of an array's codec."""

    def __init__(self, element: Codec) -> None:
        super().__init__(f"{element.name}[]")
        self.element = element


INT = Codec("int4", 23)
TEXT = Codec("text", 25)
ADDRESS = Composite("address", street=TEXT, number=INT)
NAMES = ("id", "name")


def columns(*names: str, **typed: Codec) -> tuple[tuple[str, Codec], ...]:
    return tuple((name, TEXT) for name in names) + tuple(typed.items())


def make(target: Any, names: tuple[str, ...] | dict[str, Codec], *values: Any) -> Any:
    cols = columns(**names) if isinstance(names, dict) else columns(*names)
    return plan_for(target, cols).make(list(values))


def kind(target: Any, *names: str) -> str:
    return type(plan_for(target, columns(*(names or NAMES)))).__name__


# Every kind of class, with the maker that it gets


@dataclass(slots=True)
class Slotted:
    id: int
    name: str


@dataclass(slots=True, frozen=True)
class Frozen:
    id: int
    name: str


@dataclass(slots=True, weakref_slot=True, kw_only=True)
class KwOnly:
    id: int
    name: str = "default"


@dataclass
class Plain:
    id: int
    name: str


@dataclass(frozen=True)
class FrozenPlain:
    id: int
    name: str


@dataclass(slots=True)
class Base:
    id: int


@dataclass(slots=True)
class Derived(Base):
    name: str


class Undecorated(Slotted):
    """A subclass of a slotted class; its objects have a ``__dict__``."""


@dataclass(slots=True)
class PostInit:
    id: int
    name: str

    def __post_init__(self) -> None:
        self.name = self.name.upper()


@dataclass
class WithInitVar:
    id: int
    name: InitVar[str]
    upper: str = field(init=False)

    def __post_init__(self, name: str) -> None:
        self.upper = name.upper()


@dataclass
class OwnInit:
    id: int
    name: str

    def __init__(self, id: int, name: str) -> None:
        self.id = id
        self.name = name.upper()


@dataclass
class OwnSetattr:
    id: int
    name: str

    def __setattr__(self, key: str, value: Any) -> None:
        object.__setattr__(self, key, value.upper() if key == "name" else value)


@dataclass
class OwnNew:
    id: int
    name: str

    def __new__(cls, *args: Any) -> OwnNew:
        self = super().__new__(cls)
        self.seen = True  # type: ignore[attr-defined]  # an attribute beside the fields
        return self


class Counting(type):
    calls: ClassVar[int] = 0

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        Counting.calls += 1
        return super().__call__(*args, **kwargs)


@dataclass(slots=True)
class OwnCall(metaclass=Counting):
    id: int
    name: str


def upper(text: str) -> str:
    return text.upper()


@attrs.define
class AttrsSlotted:
    id: int
    name: str


@attrs.frozen
class AttrsFrozen:
    id: int
    name: str


@attrs.define(slots=False)
class AttrsPlain:
    id: int
    name: str


@attrs.define
class AttrsConverter:
    id: int
    name: str = attrs.field(converter=upper)


@attrs.define
class AttrsValidator:
    id: int = attrs.field(validator=attrs.validators.ge(0))
    name: str


@attrs.define
class AttrsPostInit:
    id: int
    name: str

    def __attrs_post_init__(self) -> None:
        self.name = self.name.upper()


@attrs.frozen(cache_hash=True)
class AttrsCacheHash:
    id: int
    name: str


@attrs.define
class AttrsPrivate:
    _id: int
    name: str


@attrs.define
class AttrsPrivateConverter:
    _id: int
    name: str = attrs.field(converter=upper, kw_only=True)


class Struct(msgspec.Struct):
    id: int
    name: str


class StructKwOnly(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    name: str = "default"
    the_id: int


class Tuple(NamedTuple):
    id: int
    name: str = "default"


class TupleNew(Tuple):
    def __new__(cls, id: int, name: str) -> TupleNew:
        return super().__new__(cls, id, name.upper())


Collected = collections.namedtuple("Collected", ["id", "name"])


class Typed(TypedDict):
    id: int
    name: str


class Pydantic(pydantic.BaseModel):
    id: int
    name: str


@pydantic.dataclasses.dataclass
class PydanticDataclass:
    id: int
    name: str


class Hand:
    def __init__(self, id: int, name: str = "default") -> None:
        self.id = id
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hand) and vars(self) == vars(other)


class HandKwOnly(Hand):
    def __init__(self, *, id: int, name: str) -> None:
        super().__init__(id, name)


KINDS = [
    (Slotted, "SlotsMaker", Slotted(1, "x")),
    (Frozen, "SlotsMaker", Frozen(1, "x")),
    (KwOnly, "SlotsMaker", KwOnly(id=1, name="x")),
    (Derived, "SlotsMaker", Derived(1, "x")),
    (Plain, "AttributeMaker", Plain(1, "x")),
    (FrozenPlain, "AttributeMaker", FrozenPlain(1, "x")),
    (Undecorated, "AttributeMaker", Undecorated(1, "x")),
    (PostInit, "CallMaker", PostInit(1, "x")),
    (OwnInit, "CallMaker", OwnInit(1, "x")),
    (OwnSetattr, "CallMaker", OwnSetattr(1, "x")),
    (OwnNew, "CallMaker", OwnNew(1, "x")),
    (OwnCall, "CallMaker", OwnCall(1, "x")),
    (AttrsSlotted, "SlotsMaker", AttrsSlotted(1, "x")),
    (AttrsFrozen, "SlotsMaker", AttrsFrozen(1, "x")),
    (AttrsPlain, "AttributeMaker", AttrsPlain(1, "x")),
    (AttrsConverter, "CallMaker", AttrsConverter(1, "x")),
    (AttrsValidator, "CallMaker", AttrsValidator(1, "x")),
    (AttrsPostInit, "CallMaker", AttrsPostInit(1, "x")),
    (AttrsCacheHash, "CallMaker", AttrsCacheHash(1, "x")),
    (Struct, "CallMaker", Struct(1, "x")),
    (Tuple, "RowMaker", Tuple(1, "x")),
    (TupleNew, "CallMaker", TupleNew(1, "x")),
    (Collected, "RowMaker", Collected(1, "x")),
    (Typed, "DictMaker", {"id": 1, "name": "x"}),
    (Pydantic, "ValidateMaker", Pydantic(id=1, name="x")),
    (PydanticDataclass, "CallMaker", PydanticDataclass(1, "x")),
    (Hand, "CallMaker", Hand(1, "x")),
    (HandKwOnly, "KeywordMaker", HandKwOnly(id=1, name="x")),
    (dict, "DictMaker", {"id": 1, "name": "x"}),
    (dict[str, Any], "DictMaker", {"id": 1, "name": "x"}),
    (tuple, "TupleMaker", (1, "x")),
    (tuple[int, str], "TupleMaker", (1, "x")),
    (tuple[Any, ...], "TupleMaker", (1, "x")),
    (Row, "RowMaker", Row(id=1, name="x")),
    (None, "RowMaker", Row(id=1, name="x")),
]
KIND_IDS = [str(getattr(k[0], "__name__", k[0])) for k in KINDS]


@pytest.mark.parametrize(("target", "maker", "expected"), KINDS, ids=KIND_IDS)
def test_each_kind_of_class_is_made_as_it_would_make_itself(target: Any, maker: str, expected: Any) -> None:
    assert kind(target) == maker
    made = make(target, NAMES, 1, "x")
    assert made == expected
    assert type(made) is type(expected)
    if hasattr(expected, "__dict__"):
        assert vars(made) == vars(expected)


@pytest.mark.parametrize("target", [k[0] for k in KINDS if isinstance(k[0], type) and k[0] not in (tuple, Row)])
def test_columns_meet_fields_by_name_in_any_order(target: Any) -> None:
    assert make(target, ("name", "id"), "x", 1) == make(target, NAMES, 1, "x")


@pytest.mark.parametrize(
    "target", [k[0] for k in KINDS if isinstance(k[0], type) and k[0] not in (dict, tuple, Row, HandKwOnly)]
)
def test_missing_and_surplus_columns_are_all_named_at_once(target: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        plan_for(target, columns("naem", "extra"))
    text = str(caught.value)
    assert target.__qualname__ in text
    assert "Missing: 'id', 'name'" in text
    assert "Surplus: 'naem', 'extra'" in text
    assert "'naem' for 'name'" in text


def test_the_objects_of_classes_that_run_code_went_through_it() -> None:
    assert make(PostInit, NAMES, 1, "x").name == "X"
    assert make(OwnInit, NAMES, 1, "x").name == "X"
    assert make(OwnSetattr, NAMES, 1, "x").name == "X"
    assert make(OwnNew, NAMES, 1, "x").seen
    assert make(WithInitVar, NAMES, 1, "x").upper == "X"
    assert make(AttrsConverter, NAMES, 1, "x").name == "X"
    assert make(AttrsPostInit, NAMES, 1, "x").name == "X"
    assert make(TupleNew, NAMES, 1, "x").name == "X"
    with pytest.raises(ValueError, match="'id' must be >= 0"):
        make(AttrsValidator, NAMES, -1, "x")
    with pytest.raises(pydantic.ValidationError):
        make(Pydantic, NAMES, "one", "x")
    with pytest.raises(pydantic.ValidationError):
        make(PydanticDataclass, NAMES, "one", "x")
    assert hash(make(AttrsCacheHash, NAMES, 1, "x")) == hash(AttrsCacheHash(1, "x"))
    before = Counting.calls
    make(OwnCall, NAMES, 1, "x")
    assert Counting.calls == before + 1


# Fields with defaults, fields outside __init__, aliases


@dataclass(slots=True)
class RestSlotted:
    id: int
    name: str = field(init=False, default="n")
    tags: list[str] = field(init=False, default_factory=list)
    unset: int = field(init=False)
    kind: ClassVar[str] = "k"


@dataclass
class RestPlain:
    id: int
    name: str = field(init=False, default="n")
    tags: list[str] = field(init=False, default_factory=list)
    unset: int = field(init=False)


@attrs.define
class RestAttrs:
    id: int
    name: str = attrs.field(init=False, default="n")
    tags: list[str] = attrs.field(init=False, factory=list)


@attrs.define(slots=False)
class RestAttrsPlain:
    id: int
    name: str = attrs.field(init=False, default="n")
    tags: list[str] = attrs.field(init=False, factory=list)


@pytest.mark.parametrize("target", [RestSlotted, RestPlain, RestAttrs, RestAttrsPlain])
def test_fields_outside_init_have_their_defaults_unless_a_column_fills_them(target: Any) -> None:
    one, two = make(target, ("id",), 1), make(target, ("id",), 1)
    assert one.tags is not two.tags
    assert (one.id, one.name, one.tags) == (1, "n", [])
    assert not hasattr(one, "unset")
    if hasattr(one, "__dict__"):
        assert vars(one) == vars(target(1))
    filled = make(target, ("tags", "name", "id"), ["t"], "x", 1)
    assert (filled.id, filled.name, filled.tags) == (1, "x", ["t"])


@attrs.define
class TakesSelf:
    id: int
    double: int = attrs.field(init=False, default=attrs.Factory(lambda self: self.id * 2, takes_self=True))


def test_a_default_that_needs_the_object_is_left_to_the_class() -> None:
    assert make(TakesSelf, ("id",), 2).double == 4


@pytest.mark.parametrize("target", [KwOnly, Tuple, Hand, Struct, Pydantic, Typed])
def test_a_field_with_a_default_needs_its_column_all_the_same(target: Any) -> None:
    with pytest.raises(DecodeError, match="Missing: 'name'"):
        plan_for(target, columns("id"))


class PydanticAlias(pydantic.BaseModel):
    id: int = pydantic.Field(alias="theId")
    name: str = pydantic.Field(validation_alias=pydantic.AliasChoices("nom", "nome"))


class PydanticByName(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(validate_by_name=True, validate_by_alias=False)
    id: int = pydantic.Field(alias="theId")
    name: str = "n"


ALIASES = [
    (PydanticAlias, ("id", "name")),
    (PydanticAlias, ("theId", "nom")),
    (PydanticAlias, ("theId", "nome")),
    (PydanticByName, ("id", "name")),
    (PydanticByName, ("theId", "name")),
    (StructKwOnly, ("the_id", "name")),
    (StructKwOnly, ("theId", "name")),
    (AttrsPrivate, ("_id", "name")),
    (AttrsPrivate, ("id", "name")),
    (AttrsPrivateConverter, ("_id", "name")),
    (AttrsPrivateConverter, ("id", "name")),
]


@pytest.mark.parametrize(("target", "names"), ALIASES)
def test_a_column_may_have_a_fields_own_name_or_its_alias(target: Any, names: tuple[str, ...]) -> None:
    made = make(target, names, 1, "x")
    ident = next(v for v in (getattr(made, n, None) for n in ("id", "the_id", "_id")) if v is not None)
    assert (ident, made.name.lower()) == (1, "x")


class SwappedAlias(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(validate_by_name=True, validate_by_alias=False)
    a: int = pydantic.Field(alias="b")
    b: int = pydantic.Field(alias="a")


def test_a_fields_own_name_comes_before_anothers_alias() -> None:
    made = make(SwappedAlias, ("a", "b"), 1, 2)
    assert (made.a, made.b) == (1, 2)


def test_two_columns_for_one_field_are_refused() -> None:
    with pytest.raises(DecodeError, match="'the_id' at 0, 1"):
        plan_for(StructKwOnly, columns("the_id", "theId", "name"))


class Partial(TypedDict, total=False):
    id: typing.Required[int]
    name: str


class PartialByKey(TypedDict):
    id: int
    name: NotRequired[str]


@pytest.mark.parametrize("target", [Partial, PartialByKey])
def test_keys_of_a_typed_dict_that_are_not_required_may_be_absent(target: Any) -> None:
    assert make(target, ("id",), 1) == {"id": 1}
    assert make(target, NAMES, 1, "x") == {"id": 1, "name": "x"}
    with pytest.raises(DecodeError, match="Missing: 'id'"):
        plan_for(target, columns("name"))
    with pytest.raises(DecodeError, match="Surplus: 'other'"):
        plan_for(target, columns("id", "other"))


class Extra(pydantic.BaseModel, extra="allow"):
    id: int


class Keywords:
    def __init__(self, id: int, **rest: Any) -> None:
        self.id = id
        self.rest = rest


def test_a_class_that_takes_anything_gets_the_surplus_columns() -> None:
    assert make(Extra, NAMES, 1, "x").model_extra == {"name": "x"}
    assert make(Keywords, NAMES, 1, "x").rest == {"name": "x"}


# Single values

MOODS = ("sad", "happy")


class Mood(enum.Enum):
    SAD = "sad"
    HAPPY = "happy"


class Period:
    """A class of the codecs' own, such as Range, which is one value though its ``__init__`` has parameters."""

    __module__ = "stretto.codecs.ranges"

    def __init__(self, lower: int, upper: int) -> None:
        self.bounds = lower, upper

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Period) and self.bounds == other.bounds


class Level(enum.IntEnum):
    LOW = 1


class Bits(enum.Flag):
    A = 1
    B = 2


UserId = NewType("UserId", int)

SCALARS = [
    (int, 1, 1),
    (str, "x", "x"),
    (bool, False, False),
    (float, 1.5, 1.5),
    (Decimal, Decimal(1), Decimal(1)),
    (datetime, datetime(2000, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)),
    (date, date(2000, 1, 1), date(2000, 1, 1)),
    (UUID, UUID(int=1), UUID(int=1)),
    (bytes, b"x", b"x"),
    (list, [1], [1]),
    (list[int], [1], [1]),
    (list[Mood], ["sad", None], [Mood.SAD, None]),
    (Any, "x", "x"),
    (object, 1, 1),
    (int | None, 1, 1),
    (Period, Period(1, 2), Period(1, 2)),
    (Optional[int], None, None),  # noqa: UP045  # the old spelling is meant
    (Annotated[int, "note"], 1, 1),
    (UserId, 1, 1),
    (Mood, "sad", Mood.SAD),
    (Mood, None, None),
    (Level, 1, Level.LOW),
    (Bits, 3, Bits.A | Bits.B),
]


@pytest.mark.parametrize(("target", "value", "expected"), SCALARS)
def test_a_scalar_target_takes_the_only_column(target: Any, value: Any, expected: Any) -> None:
    made = make(target, ("n",), value)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize("target", [int, Any, Mood, list[int]])
@pytest.mark.parametrize("names", [(), ("a", "b")])
def test_a_scalar_target_refuses_any_other_number_of_columns(target: Any, names: tuple[str, ...]) -> None:
    with pytest.raises(DecodeError, match=f"takes one column, the statement has {len(names)}"):
        plan_for(target, columns(*names))


def test_a_scalar_of_another_class_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(
        DecodeError, match="into=int does not fit column 'n' of type text, which gives str: use into=str"
    ):
        make(int, ("n",), "1")


def test_a_tuple_target_with_items_says_how_many_columns() -> None:
    assert make(tuple[int, Mood], NAMES, 1, "sad") == (1, Mood.SAD)
    assert make(tuple[Mood, ...], NAMES, "happy", "sad") == (Mood.HAPPY, Mood.SAD)
    with pytest.raises(DecodeError, match="takes 1 columns, the statement has 2: 'id', 'name'"):
        plan_for(tuple[int], columns(*NAMES))


# Conversions of columns


@dataclass(slots=True)
class Address:
    street: str
    number: int


class AddressTuple(NamedTuple):
    number: int
    street: str


class AddressDict(TypedDict):
    street: str
    number: int


class AddressModel(pydantic.BaseModel):
    street: str
    number: int


@dataclass(slots=True)
class Person:
    id: int
    home: Address
    others: list[Address]
    best: AddressTuple | None
    mood: Mood


PERSON = {"id": INT, "home": ADDRESS, "others": Array(ADDRESS), "best": ADDRESS, "mood": TEXT}


def test_composites_and_enums_become_what_the_annotations_say() -> None:
    values = [1, ("a", 1), [("b", 2), None, ("c", 3)], ("d", 4), "happy"]
    person = plan_for(Person, columns(**PERSON)).make(values)
    assert (person.id, person.home, person.mood) == (1, Address("a", 1), Mood.HAPPY)
    assert person.others == [Address("b", 2), None, Address("c", 3)]
    assert person.best == AddressTuple(4, "d")
    assert values[1] == ("a", 1)
    empty = plan_for(Person, columns(**PERSON)).make([None] * 5)
    assert dataclasses.astuple(empty) == (None,) * 5


def test_a_class_without_conversions_pays_for_none() -> None:
    assert kind(Person, "id", "home", "others", "best", "mood") == "ArrangedMaker"
    assert kind(Slotted) == "SlotsMaker"


def one_field(annotation: Any) -> Any:
    return dataclasses.make_dataclass("Holder", [("x", annotation)], slots=True)


@dataclass
class Tree:
    name: str
    parent: Tree | None


PAIR = ("a", 1)
CONVERSIONS = [
    (Address, ADDRESS, PAIR, Address("a", 1)),
    (Address | None, ADDRESS, PAIR, Address("a", 1)),
    (Annotated[Address, 1], ADDRESS, PAIR, Address("a", 1)),
    (Address, ADDRESS, Row(street="a", number=1), Address("a", 1)),
    (AddressTuple, ADDRESS, PAIR, AddressTuple(1, "a")),
    (AddressDict, ADDRESS, PAIR, {"street": "a", "number": 1}),
    (AddressModel, ADDRESS, PAIR, AddressModel(street="a", number=1)),
    (dict, ADDRESS, PAIR, {"street": "a", "number": 1}),
    (dict[str, Any], ADDRESS, PAIR, {"street": "a", "number": 1}),
    (tuple, ADDRESS, PAIR, PAIR),
    (Any, ADDRESS, PAIR, PAIR),
    ("Unknown", ADDRESS, PAIR, PAIR),
    (complex | str, ADDRESS, PAIR, PAIR),
    (list[Address], Array(ADDRESS), [PAIR, None], [Address("a", 1), None]),
    (list[list[Address]], Array(ADDRESS), [[PAIR], None], [[Address("a", 1)], None]),
    (typing.Sequence[Address | None], Array(ADDRESS), [PAIR], [Address("a", 1)]),
    (list[int], Array(INT), [1], [1]),
    (list[Mood], Array(TEXT), ["sad"], [Mood.SAD]),
    (Mood, TEXT, "sad", Mood.SAD),
    ("Nowhere | None", TEXT, "sad", "sad"),  # a name that no module has
    (Mood, TEXT, Mood.SAD, Mood.SAD),
    (Level, INT, 1, Level.LOW),
    (Bits, INT, 3, Bits.A | Bits.B),
    (Tree, Composite("t", name=TEXT, parent=TEXT), ("a", None), Tree("a", None)),
    (
        Tree,
        Composite("t", name=TEXT, parent=Composite("u", name=TEXT, parent=TEXT)),
        ("a", ("b", None)),
        Tree("a", Tree("b", None)),
    ),
    (Address, TEXT, "not composite", "not composite"),
]


@pytest.mark.parametrize(("annotation", "codec", "value", "expected"), CONVERSIONS)
def test_a_field_is_converted_by_its_annotation(annotation: Any, codec: Codec, value: Any, expected: Any) -> None:
    made = make(one_field(annotation), {"x": codec}, value).x
    assert made == expected
    assert type(made) is type(expected)
    assert make(one_field(annotation), {"x": codec}, None).x is None


def test_every_kind_of_class_converts() -> None:
    class Pyd(pydantic.BaseModel):
        home: AddressModel
        mood: Mood

    class Stru(msgspec.Struct):
        home: Address
        mood: Mood

    @attrs.define
    class Att:
        home: Address
        mood: Mood

    class Tup(NamedTuple):
        home: Address
        mood: Mood

    class Dic(TypedDict):
        home: Address
        mood: Mood

    class Called:
        def __init__(self, mood: Mood, home: Address) -> None:
            self.home, self.mood = home, mood

    for target in (Pyd, Stru, Att, Tup, Dic, Called):
        made = make(target, {"home": ADDRESS, "mood": TEXT}, PAIR, "sad")
        home, mood = (made["home"], made["mood"]) if isinstance(made, dict) else (made.home, made.mood)
        assert (home.street, home.number, mood) == ("a", 1, Mood.SAD), target
        assert isinstance(home, Address | AddressModel)


def test_a_class_of_a_function_with_a_name_that_can_not_be_found_is_made_without_it() -> None:
    @dataclass(slots=True)
    class Local:
        id: Missing  # type: ignore[name-defined]  # noqa: F821  # that nobody knows it is the test
        mood: Mood
        me: Local | None
        final: Final[int] = 1

    values = [1, "sad", ("a", "sad", None, 2), 3]
    local = Composite("local", id=INT, mood=TEXT, me=TEXT, final=INT)
    made = make(Local, {"id": INT, "mood": TEXT, "me": local, "final": INT}, 1, "sad", (1, "sad", None, 2), 3)
    assert made == Local(1, Mood.SAD, Local(1, Mood.SAD, None, 2), 3)
    assert values[0] == 1


def test_a_value_that_no_member_has_is_an_error_without_the_value() -> None:
    with pytest.raises(DecodeError) as caught:
        make(one_field(Mood), {"x": TEXT}, "s3cret")
    assert "column 'x' has a value that no member of Mood has; they have 'sad', 'happy'" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_nested_class_that_does_not_fit_says_in_which_column() -> None:
    with pytest.raises(DecodeError, match=r"column 'x' of type person: Address does not fit .*Missing: 'street'"):
        plan_for(one_field(Address), columns(x=Composite("person", number=INT)))


# A whole row as one composite


def test_a_row_selected_as_one_composite_becomes_the_class() -> None:
    for target in (Address, AddressTuple, AddressDict, AddressModel):
        made = make(target, {"a": ADDRESS}, PAIR)
        assert isinstance(made, dict if target is AddressDict else target)
        assert make(target, {"a": ADDRESS}, None) is None
    assert make(Address, {"a": ADDRESS}, PAIR) == Address("a", 1)
    assert make(Person, {"p": Composite("person", **PERSON)}, (1, PAIR, [], None, "sad")) == Person(
        1, Address("a", 1), [], None, Mood.SAD
    )


@dataclass(slots=True)
class Wrapper:
    address: Address


@dataclass(slots=True)
class Tag:
    tag: str


def test_a_composite_column_is_a_field_or_the_whole_row_as_the_class_says() -> None:
    assert make(Wrapper, {"address": ADDRESS}, PAIR) == Wrapper(Address("a", 1))
    assert make(Tag, {"tag": Composite("tag", tag=TEXT)}, ("x",)) == Tag("x")
    assert make(Tag, {"tag": TEXT}, "x") == Tag("x")
    with pytest.raises(
        DecodeError, match="column 'p' of type address: Tag does not fit the columns 'street', 'number'"
    ):
        plan_for(Tag, columns(p=ADDRESS))


def test_rows_and_tuples_and_dicts_keep_a_composite_column() -> None:
    assert make(None, {"a": ADDRESS}, PAIR).a == PAIR
    assert make(dict, {"a": ADDRESS}, PAIR) == {"a": PAIR}
    assert make(tuple, {"a": ADDRESS}, PAIR) == (PAIR,)


def test_arrays_of_composites_become_lists_of_objects() -> None:
    assert make(list[Address], {"a": Array(ADDRESS)}, [PAIR]) == [Address("a", 1)]


# What can't be


class Abstract(ABC):
    @abstractmethod
    def run(self) -> None: ...


class Nothing: ...


NO_TARGETS = [5, "int", Nothing, Abstract, int | str, [], {}, print, lambda: 1, set, typing, Slotted(1, "x")]


@pytest.mark.parametrize("target", NO_TARGETS, ids=lambda target: getattr(target, "__name__", str(target)))
def test_what_is_no_class_of_values_is_a_usage_error(target: Any) -> None:
    with pytest.raises(UsageError, match="into="):
        plan_for(target, columns(*NAMES))


@pytest.mark.parametrize("target", [dict, Slotted, Typed, Pydantic])
def test_columns_of_one_name_are_refused_where_one_would_be_lost(target: Any) -> None:
    with pytest.raises(DecodeError, match=r"columns of one name \('id' at 0, 2; 'name' at 1, 3"):
        plan_for(target, columns("id", "name", "id", "name"))


def test_columns_of_one_name_are_kept_where_none_is_lost() -> None:
    assert make(None, ("id", "id"), 1, 2) == (1, 2)
    assert make(tuple, ("id", "id"), 1, 2) == (1, 2)


def test_an_expression_without_a_name_gets_the_advice_to_name_it() -> None:
    with pytest.raises(DecodeError, match="gets its name with AS"):
        plan_for(Slotted, columns("id", "?column?"))


def test_1600_columns_that_do_not_fit_make_a_short_message() -> None:
    with pytest.raises(DecodeError) as caught:
        plan_for(Slotted, columns(*(f"c{i}" for i in range(1600))))
    assert len(str(caught.value)) < 2000


def test_1600_columns_that_fit() -> None:
    names = tuple(f"c{i}" for i in range(1600))
    wide = dataclasses.make_dataclass("Wide", [(name, int) for name in names], slots=True)
    made = make(wide, tuple(reversed(names)), *reversed(range(1600)))
    assert dataclasses.astuple(made) == tuple(range(1600))


@pytest.mark.parametrize("name", ["__class__", "__slots__", "__init__", "__dict__", '"); import os #', "", "a\nb"])
def test_a_hostile_column_name_is_only_a_surplus_column(name: str) -> None:
    for target in (Slotted, Plain, Tuple, Struct, Pydantic, Hand):
        with pytest.raises(DecodeError) as caught:
            plan_for(target, columns("id", "name", name))
        assert f"Surplus: {name!r}" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert make(dict, (name,), 1) == {name: 1}
    assert make(Keywords, ("id", name), 1, 2).rest == {name: 2}


# Other subjects


T = TypeVar("T")


@dataclass(slots=True)
class Box(Generic[T]):
    id: T
    name: str


def test_a_generic_class_is_made_as_itself() -> None:
    assert make(Box[int], NAMES, 1, "x") == make(Box, NAMES, 1, "x") == Box(1, "x")


def test_the_same_target_and_columns_have_the_same_maker() -> None:
    assert plan_for(Slotted, columns(*NAMES)) is plan_for(Slotted, columns(*NAMES))
    assert plan_for(Slotted, columns(*NAMES)) is not plan_for(Slotted, columns("name", "id"))
    assert plan_for(Slotted, columns(id=INT, name=TEXT)) is not plan_for(Slotted, columns(id=TEXT, name=TEXT))


def test_subclasses_of_tuple_and_dict_that_name_nothing_are_refused() -> None:
    class Odd(tuple[int, ...]): ...

    with pytest.raises(UsageError):
        plan_for(Odd, columns(*NAMES))


WITHOUT = """
import sys
from dataclasses import dataclass
from stretto.codecs.base import Codec
from stretto.model.plan import plan_for

@dataclass
class Own:
    id: int
    def __init__(self, id):
        self.id = id * 2

assert plan_for(Own, (("id", Codec("int4")),)).make([1]).id == 2, "the class's own __init__ was left out"
assert not {"attr", "attrs", "msgspec", "pydantic"} & set(sys.modules), "a library was imported"
"""


def test_no_library_is_imported_and_no_code_is_left_out_for_where_it_came_from() -> None:
    source = str(Path(makers.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
