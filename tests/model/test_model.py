"""The class of a Model and its objects: what a definition says, what is refused, and what an object is."""

from __future__ import annotations

import copy
import dataclasses
import enum
import functools
import gc
import importlib.util
import inspect
import json
import pickle
import pydoc
import re
import sys
import typing
import weakref
from datetime import date, datetime
from decimal import Decimal
from functools import singledispatch
from typing import Any, ClassVar, Generic, Self, TypeVar

import msgspec
import pytest

import stretto
from stretto import Model, field, relation
from stretto.codecs.jsonb import default_dumps
from stretto.errors import ModelError, NotLoaded, UsageError
from stretto.model.base import Origin, complete, settle, slot_of, values_of
from stretto.model.fields import UNSET, Field
from stretto.model.loading import maker_of
from stretto.model.table import table_of

T = TypeVar("T")
MIDNIGHT = datetime(2020, 1, 1)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Author(Model, table="author"):
    id: int = field(primary_key=True, generated=True)
    name: str
    created: datetime = field(server_default="now()")
    date: date | None = None
    born: date | None = field(default=None, column="date_of_birth")
    books: list[Book] = relation("author_id")

    kind: ClassVar[str] = "person"

    @property
    def loud(self) -> str:
        return self.name.upper()

    @classmethod
    def named(cls, name: str) -> Self:
        return cls(name=name)

    def greet(self) -> str:
        return f"I am {self.name}"


class Book(Model, table="book", schema="library"):
    id: int = field(primary_key=True, generated=True)
    author_id: int = field(references="author.id")
    title: str
    price: Decimal | None = None
    tags: list[str] = field(default_factory=list)
    author: Author = relation("author_id")


class Point(Model, table="point"):
    x: int = field(primary_key=True)
    y: int
    secret: str = field(default="hidden", repr=False)
    note: str = field(default="", compare=False)


def whole(**values: Any) -> Author:
    return Author(**{"id": 1, "name": "Ann", "created": MIDNIGHT, **values})


def fetched(model: Any, text: str = "select 1", **values: Any) -> Any:
    """An object as it comes from the server."""
    return maker_of(table_of(model), list(values), text).make(list(values.values()))


def joined(model: Any, name: str) -> Any:
    return table_of(model).relations[name].join


# Definition -----------------------------------------------------------------------------------------------------------


def test_a_class_attribute_is_the_field_and_an_objects_attribute_the_value() -> None:
    name: Any = Author.name
    assert isinstance(name, Field)
    assert (name.name, name.column, name.model, name.annotation) == ("name", "name", Author, str)
    assert repr(name) == "Author.name"
    assert repr(Author.books) == "Author.books"
    assert whole().name == "Ann"


def test_annotations_are_evaluated_where_they_are_written() -> None:
    table = table_of(Author)
    assert table.fields["date"].annotation == date | None  # a field of the same name does not hide the type
    assert table.fields["born"].annotation == date | None
    assert table.relations["books"].annotation == list[Book]
    assert table.fields["date"].nullable
    assert not table.fields["name"].nullable


def test_a_column_may_have_another_name() -> None:
    table = table_of(Author)
    assert table.columns["date_of_birth"] is table.fields["born"]
    assert "born" not in table.columns


def test_methods_properties_and_class_variables_are_as_in_any_class() -> None:
    author = Author.named("Bo")
    assert (author.loud, author.greet(), Author.kind, author.kind) == ("BO", "I am Bo", "person", "person")
    assert list(table_of(Author).fields) == ["id", "name", "created", "date", "born"]


def test_a_class_in_a_function_may_name_what_is_there() -> None:
    class Mood(enum.Enum):
        GOOD = "good"

    class Parent(Model, table="parent"):
        id: int = field(primary_key=True)
        mood: Mood
        children: list[Child] = relation("parent_id")

    class Child(Model, table="child"):
        id: int = field(primary_key=True)
        parent_id: int
        parent: Parent = relation("parent_id")

    assert table_of(Parent).fields["mood"].annotation is Mood
    assert joined(Parent, "children").target is Child
    assert joined(Child, "parent").target is Parent


def test_a_later_class_of_the_same_name_is_meant_where_it_is_nearer() -> None:
    def make() -> tuple[Any, Any]:
        class Author(Model, table="other"):
            id: int = field(primary_key=True)
            books: list[Book] = relation("writer")

        class Book(Model, table="other_book"):
            id: int = field(primary_key=True)
            writer: int

        return Author, Book

    first, second = make(), make()
    assert joined(first[0], "books").target is first[1]
    assert joined(second[0], "books").target is second[1]
    assert joined(Author, "books").target is Book


def test_names_that_others_use_are_free() -> None:
    class Odd(Model, table="odd"):
        self: int
        cls: int = 2
        type: str = "t"
        match: int = field(server_default="1")
        settle: int = field(default_factory=lambda: 5)
        mro: int = 6
        values: int = 7
        table: str = "t"
        property: int = 8

    odd = Odd(self=1)
    assert dataclasses.asdict(odd) == {
        "self": 1, "cls": 2, "type": "t", "settle": 5, "mro": 6, "values": 7, "table": "t", "property": 8,
    }  # fmt: skip
    assert Odd(self=1, match=3).match == 3
    assert isinstance(Odd.mro, Field)
    assert issubclass(Odd, Model)


def test_defaults() -> None:
    one, other = (Book(author_id=1, title="t") for _ in range(2))
    assert one.price is None
    assert (one.tags, other.tags) == ([], [])
    assert one.tags is not other.tags
    assert Book(author_id=1, title="t", tags=["a"]).tags == ["a"]


def test_arguments_are_checked() -> None:
    with pytest.raises(TypeError, match="'name'"):
        Author()  # type: ignore[call-arg]  # that is the point
    with pytest.raises(TypeError, match="'nam'"):
        Author(name="x", nam="y")  # type: ignore[call-arg]  # that is the point
    with pytest.raises(TypeError, match="positional"):
        Author("x")  # type: ignore[misc,call-arg]  # that is the point


def test_post_init_runs_at_the_end() -> None:
    class Named(Model, table="named"):
        id: int = field(primary_key=True, generated=True)
        name: str

        def __post_init__(self) -> None:
            self.name = self.name.strip()
            assert not hasattr(self, "id")

    class Heir(Model, abstract=True):
        name: str

        def __post_init__(self) -> None:
            self.name += "!"

    class Last(Heir, table="last"):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.name += "?"

    class Silent(Heir, table="silent"):
        pass

    assert Named(name=" a ").name == "a"
    assert Last(name="a").name == "a!?"
    assert Silent(name="a").name == "a!"


def test_an_init_of_ones_own_may_leave_values_out() -> None:
    class Own(Model, table="own"):
        id: int = field(primary_key=True, generated=True)
        name: str
        length: int

        def __init__(self, name: str) -> None:
            self.name = name

    own = Own("abc")
    assert own.name == "abc"
    with pytest.raises(NotLoaded, match=r"Own\.length has no value: it was never set"):
        own.length  # noqa: B018  # reading is the test
    with pytest.raises(NotLoaded, match="the server makes the value"):
        own.id  # noqa: B018  # reading is the test
    assert list(inspect.signature(Own).parameters) == ["name"]


def test_subclasses_may_have_keywords_of_their_own() -> None:
    seen: list[tuple[str, str]] = []

    class Registered(Model, abstract=True):
        def __init_subclass__(cls, *, label: str = "", **keywords: Any) -> None:
            super().__init_subclass__(**keywords)
            seen.append((cls.__name__, label))

    class One(Registered, table="one", label="first", unique=[("a",)]):
        a: int = field(primary_key=True)

    assert seen == [("One", "first")]  # the hidden class is none of its subclasses
    assert table_of(One).options == {"unique": [("a",)]}


# Inheritance ----------------------------------------------------------------------------------------------------------


class Identified(Model, abstract=True):
    id: int = field(primary_key=True, generated=True)


class Stamped(Model, abstract=True):
    made: datetime = field(server_default="now()")
    made_by: Author | None = relation("maker_id")
    maker_id: int | None = field(default=None, references="author.id")


class Base(Identified, Stamped, abstract=True):
    name: str

    def title(self) -> str:
        return f"{self.name} {self.id}"


class Ship(Base, table="ship"):
    length: float = 1.0


class Boat(Base, table="boat"):
    name: str = "boat"


def test_fields_of_abstract_bases_come_first() -> None:
    assert list(table_of(Ship).fields) == ["made", "maker_id", "id", "name", "length"]
    assert [one.model for one in table_of(Ship).fields.values()] == [Ship] * 5
    assert table_of(Ship).relations["made_by"].join.target is Author
    assert table_of(Ship).relations["made_by"].join.local == (table_of(Ship).fields["maker_id"],)
    assert Ship(id=2, name="s").title() == "s 2"
    assert Boat().name == "boat"
    assert isinstance(Ship(name="x"), Base)


def test_the_annotation_of_an_inherited_field_is_of_its_own_module() -> None:
    source = (
        "from __future__ import annotations\nfrom decimal import Decimal as Money\nfrom stretto import Model\n"
        "class Priced(Model, abstract=True):\n    price: Money | None = None\n"
    )
    module = type(sys)("a_module_of_its_own")
    sys.modules[module.__name__] = module
    try:
        exec(source, vars(module))

        class Thing(module.Priced, table="thing"):  # type: ignore[misc,name-defined]  # made at run time
            pass

        assert table_of(Thing).fields["price"].annotation == Decimal | None
        assert table_of(Thing).fields["price"].nullable
    finally:
        del sys.modules[module.__name__]


def test_generic_bases() -> None:
    class Box(Model, Generic[T], abstract=True):
        item: T
        more: list[T] = field(default_factory=list)

    class Numbers(Box[int], table="numbers"):
        id: int = field(primary_key=True)

    class Anything(Box[T], Generic[T]):
        pass

    assert table_of(Numbers).fields["item"].annotation is int
    assert table_of(Numbers).fields["more"].annotation == list[int]
    assert Numbers(id=1, item=2).item == 2
    assert Anything[str](item="a").item == "a"


def test_a_relation_to_the_class_itself() -> None:
    class Linked(Model, abstract=True):
        id: int = field(primary_key=True)
        next_id: int | None = None
        next: Self | None = relation("next_id")

    class Bead(Linked, table="bead"):
        pass

    assert joined(Bead, "next").target is Bead


def test_a_model_without_a_table_lends_its_columns_too() -> None:
    class Count(Model):
        number: int

    class Named(Count):
        name: str = field(column="called")

    named = Named(number=1, name="a")
    assert repr(named).endswith("Named(number=1, name='a')")
    assert list(table_of_any(Named).columns) == ["number", "called"]
    with pytest.raises(ModelError, match="has no table: give its class table="):
        table_of(Named)
    with pytest.raises(ModelError, match="is not a Model"):
        table_of(int)


def table_of_any(model: Any) -> Any:
    return model.__table__


def body(**attributes: Any) -> dict[str, Any]:
    return {"__module__": __name__, "__qualname__": "X", **attributes}


def make(attributes: dict[str, Any], bases: Any = (Model,), **keywords: Any) -> Any:
    return type(Model)("X", bases, body(**attributes), **keywords)


def noted(annotations: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    return {"__annotations__": annotations, **attributes}


class Apart(Model):
    a: int


class Aside(Model):
    b: int


REFUSED: list[tuple[Any, str]] = [
    (lambda: make(noted({"a": "list[int]"}, a=[])), r"X.a: all objects would share this list: use field\(default_fac"),
    (lambda: make(noted({"a": "Author"}, a=whole())), r"X.a: all objects would share this Author"),
    (lambda: make(noted({"_a": "int"})), r"X._a: an attribute can't begin with an underscore: .* by column="),
    (lambda: make({"a": field()}), r"X.a has no annotation: write a: <type> = ..."),
    (lambda: make({"a": relation("b")}), r"X.a has no annotation"),
    (lambda: make(noted({"a": "InitVar[int]"})), r"X.a: a Model has no InitVar"),
    (lambda: make(noted({"a": dataclasses.InitVar[int]})), r"X.a: a Model has no InitVar"),
    (lambda: make({}, (Author,)), r"X inherits from Author, which is a table: .* abstract=True"),
    (lambda: make({}, (Apart, Aside)), r"X: only one base may have columns of its own: make the others abstract=True"),
    (lambda: make({"name": property(lambda self: 1)}, (Base,)), r"X.name hides a field of a base: give it an annotat"),
    (lambda: make(noted({"name": "ClassVar[str]"}, name="x"), (Base,)), r"X.name hides a field of a base"),
    (lambda: make({}, table="x", abstract=True), r"X: an abstract base has no table"),
    (
        lambda: make(noted({"a": "int", "b": "int"}, b=field(column="a"))),
        r"X: a and b are both of column 'a'",
    ),
    (
        lambda: make(noted({"a": "int", "b": "int"}, a=field(version=True), b=field(version=True))),
        r"X: a and b are both version=True: there can be one",
    ),
    (
        lambda: make(noted({"a": "str"}, a=field(version=True))),
        r"X.a: version=True is for an int, which each update counts up, not str",
    ),
    (
        lambda: make(noted({"a": "bool | None"}, a=field(version=True))),
        r"X.a: version=True is for an int, which each update counts up, not bool",
    ),
    (
        lambda: make(noted({"a": "list[int]"}, a=field(version=True))),
        r"X.a: version=True is for an int, which each update counts up, not list",
    ),
    (lambda: make(noted({"a": "int"}), table="a\0b"), r"is no name that a table or column can have"),
    (lambda: make(noted({"a": "int"}, a=field(column="b\0")), table="a"), r"is no name that a table or column can"),
    (lambda: Base(name="x"), r"Base is abstract: it only lends its fields to others"),
    (lambda: field(default=1, default_factory=int), "default= and default_factory= exclude each other"),  # type: ignore[call-overload]  # that is the point
    (lambda: field(computed="1", server_default="2"), "computed= excludes"),  # type: ignore[call-overload]  # as above
    (lambda: field(generated=True, server_default="2"), "generated= and server_default= exclude"),  # type: ignore[call-overload]  # as above
    (lambda: field(default={}), "all objects would share a default of dict: use default_factory=dict"),
    (lambda: field(references="author"), r"references='author': give \"table.column\", or a field as Author.id"),
    (lambda: field(references=".id"), r"references='.id': give"),
    (lambda: field(references=5), r"references=5: give"),
    (lambda: field(references=Apart.a), r"references=Apart.a is no field of a Model with a table"),
    (lambda: field(on_delete="cascade"), r"on_delete= is said of a foreign key: give references= too"),
    (lambda: field(references="a.b", on_delete="explode"), r"on_delete='explode' is none of 'cascade', "),  # type: ignore[call-overload]  # as above
    (lambda: setattr(Author, "name", 5), r"Author.name is a field of all objects, and can't be set on the class"),
    (lambda: delattr(Author, "name"), r"Author.name is a field of all objects, and can't be deleted from the class"),
]


@pytest.mark.parametrize(("act", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_a_class_can_not_be(act: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        act()


def test_unknown_words_are_type_errors() -> None:
    with pytest.raises(TypeError, match="tabel"):
        make(noted({"a": "int"}), tabel="x")
    with pytest.raises(TypeError, match=r"field\(\) has no option uniqe"):
        field(uniqe=True)  # type: ignore[call-overload]  # that is the point


def test_an_annotation_that_names_nothing_is_told_when_it_is_needed() -> None:
    unknown = make(noted({"a": "Nowhere"}))
    said = f"X.a: the annotation 'Nowhere' names 'Nowhere', which is not known in {__name__}"
    with pytest.raises(ModelError, match=re.escape(said)):
        unknown.a.annotation  # noqa: B018  # reading is the test


def module_of(source: str, name: str) -> Any:
    """A module that is run as an import does."""
    spec = importlib.util.spec_from_loader(name, loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec("from __future__ import annotations\nfrom stretto import Model, relation, field\n" + source, vars(module))
    return module


NODE = "class {0}(Model, table='{0}'):\n    id: int = field(primary_key=True)\n    other_id: int = 0\n"
NAMING = NODE + "    other: {1} = relation('other_id')\n"


def test_a_model_of_another_module_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    one = module_of(NAMING.format("Hen", "EggOfOne"), "farm_one")
    with pytest.raises(ModelError, match="names 'EggOfOne', which is not known in farm_one"):
        joined(one.Hen, "other")
    two = module_of(NODE.format("EggOfOne"), "farm_two")
    one.__spec__._initializing = True
    with pytest.raises(ModelError, match="which is not known in farm_one"):  # it may come there yet
        joined(one.Hen, "other")
    one.__spec__._initializing = False
    three = module_of(NODE.format("EggOfOne"), "farm_three")
    with pytest.raises(
        ModelError, match=r"'EggOfOne' is a Model of several modules \(farm_three, farm_two\), and none"
    ):
        joined(one.Hen, "other")
    del three
    gc.collect()
    sys.modules.pop("farm_three")
    gc.collect()
    assert joined(one.Hen, "other").target is two.EggOfOne


# Objects --------------------------------------------------------------------------------------------------------------


def test_a_value_that_the_server_makes_is_not_there_before() -> None:
    author = Author(name="Ann")
    with pytest.raises(NotLoaded) as caught:
        author.id  # noqa: B018  # reading is the test
    assert str(caught.value) == (
        "Author.id has no value: this object was not inserted yet, and the server makes the value: "
        "db.insert(obj) fills it in"
    )
    assert isinstance(caught.value, AttributeError | UsageError)
    assert (caught.value.name, caught.value.obj) == ("id", author)
    twin = pickle.loads(pickle.dumps(caught.value))
    assert (str(twin), twin.name, twin.obj) == (str(caught.value), "id", None)
    assert not hasattr(author, "id")
    assert getattr(author, "id", 7) == 7


def test_versions_and_computed_columns_are_not_there_before() -> None:
    class Page(Model, table="page"):
        id: int = field(primary_key=True)
        text: str
        size: int = field(computed="length(text)")
        version: int = field(version=True)

    page = Page(id=1, text="a")
    assert values_of(page) == {"id": 1, "text": "a"}
    for name in ("size", "version"):
        with pytest.raises(NotLoaded, match=rf"Page\.{name} has no value: this object was not inserted yet"):
            getattr(page, name)


def test_a_relation_that_was_not_set() -> None:
    with pytest.raises(NotLoaded) as caught:
        whole().books  # noqa: B018  # reading is the test
    assert str(caught.value) == (
        "Author.books has no value: this object was made in Python: set it, or db.load([obj], Author.books) when its "
        "keys are set"
    )


def test_what_a_statement_has_not_fetched() -> None:
    author = fetched(Author, "select id, name from author", id=1, name="Ann")
    with pytest.raises(NotLoaded) as caught:
        author.created  # noqa: B018  # reading is the test
    assert str(caught.value) == (
        "Author.created was not loaded: add Author.created to only(), or leave only() out. "
        "The object is from select id, name from author"
    )
    with pytest.raises(NotLoaded) as caught:
        author.books  # noqa: B018  # reading is the test
    assert str(caught.value) == (
        "Author.books was not loaded: add .include(Author.books) to the select, or db.load(objects, Author.books). "
        "The object is from select id, name from author"
    )
    assert author._loaded_ == (1, "Ann")


def test_an_object_is_of_its_class_whatever_it_lacks() -> None:
    @singledispatch
    def kind(obj: object) -> str:
        return "something"

    @kind.register
    def _(obj: Author) -> str:
        return "an author"

    for author in (whole(), Author(name="x"), fetched(Author, name="x")):
        assert author.__class__ is Author
        assert isinstance(author, Author)
        assert kind(author) == "an author"
    assert type(whole()) is Author
    assert issubclass(type(Author(name="x")), Author)  # hidden: the only class with __getattr__


def test_setting_what_is_missing_makes_an_object_whole() -> None:
    author = Author(name="Ann")
    author.id = 1
    assert author.id == 1
    assert type(author) is not Author
    author.created = MIDNIGHT
    assert type(author) is Author
    assert author == whole()


def test_settle_gives_the_class_after_slots_were_filled() -> None:
    author = Author(name="Ann")
    for name, value in (("id", 1), ("created", MIDNIGHT)):
        slot_of(table_of(Author), name).__set__(author, value)
    assert complete(author)
    settle(author)
    assert type(author) is Author
    slot_of(table_of(Author), "name").__delete__(author)
    settle(author)
    with pytest.raises(NotLoaded):
        author.name  # noqa: B018  # reading is the test


def test_deleting() -> None:
    author = whole(books=[])
    del author.books
    with pytest.raises(NotLoaded):
        author.books  # noqa: B018  # reading is the test
    del author.name
    with pytest.raises(AttributeError):
        author.name  # noqa: B018  # reading is the test
    assert values_of(author) == {"id": 1, "created": MIDNIGHT, "date": None, "born": None}
    assert "name" not in repr(author)


@pytest.mark.parametrize("author", [whole(), Author(name="x")], ids=["whole", "partial"])
def test_a_wrong_attribute_is_an_error(author: Any) -> None:
    assert not hasattr(author, "__dict__")
    with pytest.raises(AttributeError, match="'Author' object has no attribute 'nmae'"):
        author.nmae = "x"
    with pytest.raises(AttributeError, match="'Author' object has no attribute 'nmae'") as caught:
        author.nmae  # noqa: B018  # reading is the test
    assert not isinstance(caught.value, NotLoaded)
    with pytest.raises(TypeError, match="weak"):
        weakref.ref(author)


def test_slots_beside_the_columns() -> None:
    class Kept(Model, table="kept"):
        __slots__ = ("__weakref__", "_cache")
        id: int = field(primary_key=True, generated=True)
        name: str

    kept: Any = Kept(name="x")
    kept._cache = [1]
    assert weakref.ref(kept)() is kept
    twin = copy.deepcopy(kept)
    assert (twin._cache, twin.name) == ([1], "x")
    kept.id = 1
    assert type(kept) is Kept
    assert kept._cache == [1]


def test_a_getattr_of_the_class_is_asked_for_what_is_no_field() -> None:
    class Open(Model, table="open"):
        id: int = field(primary_key=True, generated=True)

        def __getattr__(self, name: str) -> str:
            if name.startswith("any_"):
                return name
            raise AttributeError(name)

    for one in (Open(), Open(id=1)):
        assert one.any_thing == "any_thing"
        assert not hasattr(one, "other")
    assert not hasattr(Open(), "id")


def test_equality_is_that_of_the_columns() -> None:
    assert whole() == whole(books=[])
    assert whole() != whole(name="Bo")
    assert Author(name="x") == Author(name="x")
    assert Author(name="x") != whole(name="x")
    assert whole() != 1
    assert Point(x=1, y=2, note="a") == Point(x=1, y=2, note="b")
    assert Point(x=1, y=2, secret="a") != Point(x=1, y=2)
    with pytest.raises(TypeError, match="unhashable"):
        hash(whole())


def test_repr_shows_what_is_there_and_ends() -> None:
    assert repr(Point(x=1, y=2)) == "Point(x=1, y=2, note='')"
    assert repr(Author(name="x")) == "Author(name='x', date=None, born=None)"
    author = whole()
    author.books = [Book(id=2, author_id=1, title="t", author=author)]
    assert repr(author).endswith("books=[Book(id=2, author_id=1, title='t', price=None, tags=[], author=...)])")


def test_pattern_matching() -> None:
    def name(obj: object) -> str:
        match obj:
            case Author(id=int(), name=name):
                return f"saved {name}"
            case Author(name=name):
                return f"new {name}"
            case _:
                return "none"

    assert [name(one) for one in (whole(), Author(name="Bo"), 5)] == ["saved Ann", "new Bo", "none"]


# The standard library -------------------------------------------------------------------------------------------------


def samples() -> list[tuple[str, Any]]:
    author = whole()
    author.books = [Book(id=2, author_id=1, title="t", author=author)]
    return [
        ("whole", whole()),
        ("new", Author(name="x")),
        ("fetched", fetched(Author, "a statement", id=1, name="x", created=MIDNIGHT, date=None, born=None)),
        ("narrow", fetched(Author, "a statement", id=1)),
        ("related", author),
    ]


COPIES = [
    ("copy", copy.copy),
    ("deepcopy", copy.deepcopy),
    *((f"pickle {n}", lambda obj, n=n: pickle.loads(pickle.dumps(obj, n))) for n in PROTOCOLS),
]


@pytest.mark.parametrize("how", [how for _, how in COPIES], ids=[name for name, _ in COPIES])
@pytest.mark.parametrize("obj", [obj for _, obj in samples()], ids=[name for name, _ in samples()])
def test_copies(obj: Any, how: Any) -> None:
    twin = how(obj)
    assert twin is not obj
    assert twin == obj
    assert set(values_of(twin)) == set(values_of(obj))
    assert type(twin) is type(obj)
    assert getattr(twin, "_loaded_", None) == getattr(obj, "_loaded_", None)
    assert str(getattr(twin, "_origin_", None)) == str(getattr(obj, "_origin_", None))
    if hasattr(twin, "books") and how is not copy.copy:
        assert twin.books[0].author is twin


def test_an_origin_is_shared_by_copies() -> None:
    obj = fetched(Author, id=1)
    assert copy.deepcopy(obj)._origin_ is obj._origin_
    assert pickle.loads(pickle.dumps(obj._origin_)).names == ("id",)
    assert isinstance(obj._origin_, Origin)
    assert copy.deepcopy(UNSET) is pickle.loads(pickle.dumps(UNSET)) is UNSET


def test_dataclasses_take_what_is_there() -> None:
    author = Author(name="x")
    assert dataclasses.is_dataclass(Author)
    assert dataclasses.is_dataclass(author)
    assert [one.name for one in dataclasses.fields(Author)] == ["id", "name", "created", "date", "born", "books"]
    assert [one.name for one in dataclasses.fields(author)] == ["name", "date", "born"]
    assert dataclasses.asdict(author) == {"name": "x", "date": None, "born": None}
    assert dataclasses.astuple(author) == ("x", None, None)
    other = whole(books=[Book(id=2, author_id=1, title="t")])
    assert dataclasses.asdict(other)["books"] == [{"id": 2, "author_id": 1, "title": "t", "price": None, "tags": []}]


def test_replace_makes_a_new_object() -> None:
    origin = fetched(Author, id=1, name="x", date=None)
    changed = dataclasses.replace(origin, name="y", born=date(2000, 1, 1))
    assert values_of(changed) == {"id": 1, "name": "y", "date": None, "born": date(2000, 1, 1)}
    assert not hasattr(changed, "_origin_")
    origin = fetched(Author, id=1, name="x", date=None, born=None)
    assert origin.__replace__(name="z").name == "z"
    assert dataclasses.replace(whole(), name="y") == whole(name="y")


def test_replace_makes_nothing_up_that_was_not_loaded() -> None:
    book = fetched(Book, "the query", id=1, title="t", author_id=2)
    for replace in (dataclasses.replace, Book.__replace__):
        with pytest.raises(NotLoaded, match=r"Book\.price was not loaded: add .* is from the query"):
            replace(book, title="u")
        with pytest.raises(NotLoaded, match=r"Book\.tags was not loaded"):
            replace(book, title="u", price=None)
        assert values_of(replace(book, price=None, tags=["a"])) == {**values_of(book), "price": None, "tags": ["a"]}
        with pytest.raises(NotLoaded, match=r"Book\.author_id was not loaded"):
            replace(fetched(Book, id=1, title="t", price=None, tags=[]), title="u")
    assert [one.name for one in dataclasses.fields(book)] == ["id", "author_id", "title"]
    assert dataclasses.asdict(book) == {"id": 1, "author_id": 2, "title": "t"}
    assert json.loads(default_dumps(book)) == msgspec.to_builtins(book) == dataclasses.asdict(book)
    book.price, book.tags = None, []
    assert dataclasses.replace(book, title="u") == Book(id=1, author_id=2, title="u")


def test_what_introspection_sees() -> None:
    assert str(inspect.signature(Author)) == "(*, id=UNSET, name, created=UNSET, date=None, born=None, books=UNSET)"
    hints = typing.get_type_hints(Author)
    assert hints == {
        "id": int, "name": str, "created": datetime, "date": date | None, "born": date | None, "books": list[Book],
        "kind": ClassVar[str],
    }  # fmt: skip
    assert {"id", "name", "books", "greet"} <= set(dir(Author)) & set(dir(whole())) & set(dir(Author(name="x")))
    assert "I am" not in pydoc.render_doc(Author)
    assert "class Author" in pydoc.render_doc(Author)
    assert Author.__doc__ is None
    assert stretto.Model.__doc__


class Greeting:
    """A mixin as people write them, without ``__slots__``."""

    name: str

    @functools.cached_property
    def greeting(self) -> str:
        return f"Hi {self.name}"


class Guest(Model, Greeting, table="guest"):
    id: int = field(primary_key=True, generated=True)
    name: str
    room: int | None = None


def test_a_mixin_may_bring_a_dict() -> None:
    for guest in (Guest(name="Ann"), fetched(Guest, id=1, name="Ann"), fetched(Guest, id=1, name="Ann", room=None)):
        assert isinstance(guest, Guest)
        assert guest.greeting == "Hi Ann"
        assert vars(guest) == {"greeting": "Hi Ann"}
        guest.seat = 5
        for copied in (
            copy.copy(guest),
            copy.deepcopy(guest),
            *[pickle.loads(pickle.dumps(guest, p)) for p in PROTOCOLS],
        ):
            assert (copied, vars(copied)) == (guest, vars(guest))
            assert getattr(copied, "_loaded_", None) == getattr(guest, "_loaded_", None)
            assert weakref.ref(copied)() is copied
        assert "seat" not in dataclasses.asdict(guest)
    guest = fetched(Guest, id=1, name="Ann")
    with pytest.raises(NotLoaded, match=r"Guest\.room"):
        _ = guest.room
    guest.room = 7
    assert type(guest) is Guest


def test_a_new_of_its_own_is_refused_as_rows_do_not_call_it() -> None:
    with pytest.raises(ModelError, match="Made: rows become objects without its __new__"):

        class Made(Model, table="made"):
            id: int = field(primary_key=True)

            def __new__(cls, **values: Any) -> Self:
                return super().__new__(cls)


def test_a_class_that_nobody_has_is_collected() -> None:
    def make() -> weakref.ref[Any]:
        class Gone(Model, table="gone"):
            id: int = field(primary_key=True, generated=True)
            other: list[Gone] = relation("id")

        Gone()
        assert joined(Gone, "other")
        return weakref.ref(Gone)

    reference = make()
    gc.collect()
    assert reference() is None


def test_an_object_is_as_large_as_a_slotted_dataclass_and_two_slots() -> None:
    @dataclasses.dataclass(slots=True)
    class Plain:
        id: int
        name: str
        created: datetime
        date: date | None
        born: date | None
        books: list[Any]

    one = Plain(1, "x", MIDNIGHT, None, None, [])
    assert sys.getsizeof(whole()) == sys.getsizeof(Author(name="x")) == sys.getsizeof(one) + 16
