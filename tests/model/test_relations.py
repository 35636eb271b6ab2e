"""How relations are followed, and what is said of those of which that can't be told."""

from __future__ import annotations

import typing
from typing import Annotated, Any, Optional

import pytest

from stretto import Model, field, relation
from stretto.errors import ModelError
from stretto.model.relations import Through


class Author(Model, table="author"):
    id: int = field(primary_key=True, generated=True)
    boss_id: int | None = field(default=None, references="author.id")
    boss: Author | None = relation("boss_id")
    boss_again: Author | None = relation()
    team: list[Author] = relation("boss_id")
    books: list[Book] = relation("author_id")
    books_again: list[Book] = relation()
    profile: Profile | None = relation("author_id")
    profile_again: Optional[Profile] = relation()  # noqa: UP045  # it is written so, too
    friends: list[Author] = relation(through="friendship", through_keys=("one_id", "other_id"))
    awards: list[Award] = relation(through="prizes.author_award")


class Book(Model, table="book", schema="library"):
    id: int = field(primary_key=True, generated=True)
    author_id: int = field(references=Author.id, column="written_by")
    author: Author = relation("author_id")
    author_again: Annotated[Author, "the writer"] = relation()
    tags: list[Tag] = relation(through="book_tag")
    labels: list[Tag] = relation(through="book_tag", through_keys=("b", "t"))


class Profile(Model, table="profile"):
    author_id: int = field(primary_key=True, references="author.id")
    author: Author = relation("author_id")


class Award(Model, table="award"):
    id: int = field(primary_key=True)


class Tag(Model, table="tag"):
    name: str = field(primary_key=True)
    code: str = field(unique=True)


class Tagging(Model, table="tagging", schema="library"):
    book_id: int = field(primary_key=True, references="library.book.id", column="b_id")
    tag_name: str = field(primary_key=True, references="tag.name")


class Marked(Model, table="marked"):
    id: int = field(primary_key=True)
    code: str = field(references="tag.code")
    tag: Tag = relation("code")


class City(Model, table="city"):
    country: str = field(primary_key=True)
    name: str = field(primary_key=True)
    people: list[Person] = relation("country", "town")
    people_again: list[Person] = relation()
    lines: list[Line] = relation(through="stop", through_keys=(("country", "city"), "line"))


class Person(Model, table="person"):
    id: int = field(primary_key=True)
    town: str = field(references="city.name")
    country: str = field(references="city.country")
    city: City = relation("country", "town")
    city_again: City = relation()


class Line(Model, table="line"):
    id: int = field(primary_key=True)
    cities: list[City] = relation(through=None)


class Stop(Model, table="stop"):
    line_id: int = field(primary_key=True, references="line.id")
    city_name: str = field(primary_key=True, references="city.name")
    country: str = field(primary_key=True, references="city.country")


class Route(Model, table="line"):
    id: int = field(primary_key=True)
    cities: list[City] = relation(through=Stop)
    books: list[Book] = relation(through=Tagging, through_keys=("tag_name", "book_id"))


class Shelf(Model, table="book", schema="library"):
    id: int = field(primary_key=True)
    tags: list[Tag] = relation(through=Tagging)


def known(path: Any) -> Any:
    """The relation of a Model that its class attribute stands for."""
    model, _, name = repr(path).rpartition(".")
    return globals()[model].__table__.relations[name]


def followed(one: Any) -> tuple[str, str, list[str], list[str], bool]:
    join = one.join
    local, remote = ([repr(key) for key in keys] for keys in (join.local, join.remote))
    return join.kind, join.target.__name__, local, remote, join.many


FOLLOWED: list[tuple[Any, Any]] = [
    (Author.boss, ("many-to-one", "Author", ["Author.boss_id"], ["Author.id"], False)),
    (Author.boss_again, ("many-to-one", "Author", ["Author.boss_id"], ["Author.id"], False)),
    (Author.team, ("one-to-many", "Author", ["Author.id"], ["Author.boss_id"], True)),
    (Author.books, ("one-to-many", "Book", ["Author.id"], ["Book.author_id"], True)),
    (Author.books_again, ("one-to-many", "Book", ["Author.id"], ["Book.author_id"], True)),
    (Author.profile, ("one-to-one", "Profile", ["Author.id"], ["Profile.author_id"], False)),
    (Author.profile_again, ("one-to-one", "Profile", ["Author.id"], ["Profile.author_id"], False)),
    (Profile.author, ("many-to-one", "Author", ["Profile.author_id"], ["Author.id"], False)),
    (Book.author, ("many-to-one", "Author", ["Book.author_id"], ["Author.id"], False)),
    (Book.author_again, ("many-to-one", "Author", ["Book.author_id"], ["Author.id"], False)),
    (Marked.tag, ("many-to-one", "Tag", ["Marked.code"], ["Tag.code"], False)),
    (City.people, ("one-to-many", "Person", ["City.country", "City.name"], ["Person.country", "Person.town"], True)),
    (
        City.people_again,
        ("one-to-many", "Person", ["City.name", "City.country"], ["Person.town", "Person.country"], True),
    ),
    (Person.city, ("many-to-one", "City", ["Person.country", "Person.town"], ["City.country", "City.name"], False)),
    (
        Person.city_again,
        ("many-to-one", "City", ["Person.town", "Person.country"], ["City.name", "City.country"], False),
    ),
]


@pytest.mark.parametrize(("one", "expected"), FOLLOWED, ids=[repr(one) for one, _ in FOLLOWED])
def test_a_relation_is_followed_by_its_keys(one: Any, expected: Any) -> None:
    assert followed(known(one)) == expected
    assert known(one).join is known(one).join


THROUGH: list[tuple[Any, Through]] = [
    (Book.tags, Through("book_tag", None, ("book_id",), ("tag_id",))),
    (Book.labels, Through("book_tag", None, ("b",), ("t",))),
    (Author.friends, Through("friendship", None, ("one_id",), ("other_id",))),
    (Author.awards, Through("author_award", "prizes", ("author_id",), ("award_id",))),
    (City.lines, Through("stop", None, ("country", "city"), ("line",))),
    (Route.cities, Through("stop", None, ("line_id",), ("country", "city_name"))),
    (Shelf.tags, Through("tagging", "library", ("b_id",), ("tag_name",))),
    (Route.books, Through("tagging", "library", ("tag_name",), ("b_id",))),
]


@pytest.mark.parametrize(("one", "through"), THROUGH, ids=[repr(one) for one, _ in THROUGH])
def test_a_relation_through_a_table(one: Any, through: Through) -> None:
    one = known(one)
    join = one.join
    assert (join.kind, join.many, join.through) == ("many-to-many", True, through)
    assert join.local == one.model.__table__.primary_key
    assert join.remote == join.target.__table__.primary_key


class Plain(Model):
    id: int


class Loose(Model, table="loose"):
    id: int = field(primary_key=True)
    other_id: int
    book_id: int = field(references="library.book.pages")
    city: str = field(references="city.name")
    wrong_id: int = field(references="planet.id")
    first_id: int = field(references="author.id")
    second_id: int = field(references="author.id")
    here: Author = relation("nowhere")
    many: list[Author] = relation("other_id")
    unlinked: Award = relation()
    unlinked_many: list[Award] = relation()
    ambiguous: Author = relation()
    no_model: int = relation("other_id")
    no_list: set[Author] = relation("other_id")
    two: Author | Book = relation("other_id")
    no_table: Plain = relation("other_id")
    unknown: Nobody = relation("other_id")  # type: ignore[name-defined]  # noqa: F821  # that is the point
    unknown_many: list[Nobody] = relation("other_id")  # type: ignore[name-defined]  # noqa: F821  # as above
    too_few: City = relation("other_id")
    half: City = relation("city")
    no_column: Book = relation("book_id")
    elsewhere: Author = relation("wrong_id")
    one_through: Tag = relation(through="loose_tag")
    one_key: list[Tag] = relation(through="loose_tag", through_keys="tag_id")
    selves: list[Loose] = relation(through="pair")
    no_reference: list[Author] = relation(through=Tagging)
    no_field: list[Author] = relation(through=Tagging, through_keys=("book", "tag_name"))
    composite: list[City] = relation(through="loose_city")


class Pairs(Model, table="pairs"):
    one_id: int = field(primary_key=True, references="author.id")
    other_id: int = field(primary_key=True, references="author.id")


class Paired(Model, table="author"):
    id: int = field(primary_key=True)
    others: list[Paired] = relation(through=Pairs)
    tags: list[Tag] = relation(through=Pairs)
    single: list[Paired] = relation(through=Profile)
    named: list[Paired] = relation(through=Pairs, through_keys=("one_id", "other_id"))


UNCLEAR: list[tuple[Any, str]] = [
    (
        Loose.here,
        "Loose.here: nowhere is a field neither of Loose nor of Author: relation() takes the name of the field that is"
        " the foreign key",
    ),
    (Loose.many, "Loose.many is a list, so other_id must be a field of Author, which points to Loose"),
    (
        Loose.unlinked,
        "Loose.unlinked: no field of Loose references award, and none of Award references loose: give relation() the"
        " name of the foreign key's field",
    ),
    (
        Loose.unlinked_many,
        "Loose.unlinked_many: no field of Award references loose: give relation() the name of the foreign key's field",
    ),
    (
        Loose.ambiguous,
        "Loose.ambiguous is ambiguous: Loose.first_id, Loose.second_id are foreign keys: give relation() the name of"
        " one",
    ),
    (Loose.no_model, "Loose.no_model: its annotation is no Model with a table, nor a list of one, but <class 'int'>"),
    (Loose.no_list, "Loose.no_list: its annotation is no Model with a table, nor a list of one, but set["),
    (Loose.two, "Loose.two: its annotation is no Model with a table, nor a list of one, but "),
    (Loose.no_table, "Loose.no_table: its annotation is no Model with a table, nor a list of one, but <class"),
    (Loose.unknown, "Loose.unknown: the annotation 'Nobody' names 'Nobody', which is not known in "),
    (Loose.unknown_many, "Loose.unknown_many: the annotation 'list[Nobody]' names 'Nobody', which is not known in "),
    (
        Loose.too_few,
        "Loose.too_few: 1 fields (other_id) can't point to the 2 of City's primary key: name as many, or give them"
        " references=",
    ),
    (
        Loose.no_column,
        "Loose.no_column: Loose.book_id references 'library.book.pages', which is no column of book",
    ),
    (Loose.elsewhere, "Loose.elsewhere: Loose.wrong_id references 'planet.id', which is not of table author"),
    (Loose.one_through, "Loose.one_through: a relation through a table is a list"),
    (Loose.one_key, "Loose.one_key: through_keys= are two, the one to loose and the one to tag"),
    (Loose.selves, "Loose.selves: both sides are loose: name the columns of each by through_keys="),
    (Loose.no_reference, "Loose.no_reference: no field of Tagging references loose"),
    (Loose.no_field, "Loose.no_field: Tagging has no field book"),
    (
        Loose.composite,
        "Loose.composite: City has a primary key of 2 fields, and loose_city points to it by 1 columns: name them by"
        " through_keys=",
    ),
    (Paired.others, "Paired.others is ambiguous: one_id, other_id of Pairs all reference author: name them by "),
    (Paired.single, "Paired.single: both sides are author: name the fields of each by through_keys="),
    (Paired.tags, "Paired.tags is ambiguous: one_id, other_id of Pairs all reference author: name them by "),
]


@pytest.mark.parametrize(("one", "said"), UNCLEAR, ids=[repr(one) for one, _ in UNCLEAR])
def test_what_can_not_be_told(one: Any, said: str) -> None:
    for _ in range(2):  # it is not remembered as something else
        with pytest.raises(ModelError) as caught:
            known(one).join  # noqa: B018  # reading is the test
        assert str(caught.value).startswith(said)


def test_one_column_of_a_composite_key_may_be_referenced_alone() -> None:
    assert followed(known(Loose.half))[2:4] == (["Loose.city"], ["City.name"])


def test_a_table_with_itself_through_a_model() -> None:
    assert known(Paired.named).join.through == Through("pairs", None, ("one_id",), ("other_id",))


def test_wrong_arguments() -> None:
    with pytest.raises(ModelError, match="takes the names of fields"):
        relation(Book.author_id)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ModelError, match="through= excludes the name of a foreign key"):
        relation("a", through="b")
    with pytest.raises(ModelError, match="through_keys= are the columns of a table: give through= too"):
        relation(through_keys=("a", "b"))


def test_annotations_that_are_no_strings() -> None:
    namespace: dict[str, Any] = {
        "__module__": __name__,
        "__qualname__": "Early",
        "__annotations__": {"id": int, "books": list["Book"], "author": "Author | None", "more": typing.List["Book"]},  # noqa: UP006
        "id": field(primary_key=True, references="author.id"),
        "books": relation("id"),
        "author": relation("id"),
        "more": relation("id"),
    }
    early = type(Model)("Early", (Model,), namespace, table="early")
    found = {name: one.join for name, one in early.__table__.relations.items()}
    assert {name: (join.target, join.many) for name, join in found.items()} == {
        "books": (Book, True), "author": (Author, False), "more": (Book, True),
    }  # fmt: skip
