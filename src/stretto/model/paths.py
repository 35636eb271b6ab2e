"""Paths along relations, as the class of a Model gives them: ``Book.author``, ``Book.author.country.name``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from stretto.errors import ModelError, UsageError
from stretto.model.expressions import Expression, Ref
from stretto.model.fields import Field

if TYPE_CHECKING:
    from stretto.model.relations import Relation

T = TypeVar("T")


class Path(Expression):
    """A relation as the class gives it (``Book.author``), and where it leads: ``Book.author.name``, and so on.

    No public name is its own: they all are the other side's.
    """

    __slots__ = ("_reached", "_ref")

    def __init__(self, relations: tuple[Relation, ...]) -> None:
        self._ref = Ref(relations, None)
        self._reached: dict[str, Expression] = {}

    def __repr__(self) -> str:
        return repr(self._ref)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"a relation has no attribute {name!r}", name=name, obj=self)
        found = self._reached.get(name)
        if found is None:
            found = self._reached[name] = self._reach(name)
        return found

    def _reach(self, name: str) -> Expression:
        relations = self._ref.path
        join = relations[-1].join
        table = join.target.__table__
        if name not in table.fields and name not in table.relations:
            raise ModelError(f"{self!r}.{name}: {join.target.__qualname__} has neither a field nor a relation {name!r}")
        if join.many:
            raise ModelError(
                f"{self!r}.{name}: {self!r} is a list: ask by exists({self!r}, ...), with conditions on"
                f" {join.target.__qualname__}.{name}"
            )
        if name in table.fields:
            return Reached(relations, table.fields[name])
        return Path((*relations, table.relations[name]))


class Reached(Expression):
    """A field on the other side of relations: ``Book.author.name``."""

    __slots__ = ("ref",)

    def __init__(self, path: tuple[Relation, ...], field: Field) -> None:
        self.ref = Ref(path, field)

    def __repr__(self) -> str:
        return repr(self.ref)


class Outer(Expression):
    """A field of the select around the one that it stands in."""

    __slots__ = ("ref",)

    def __init__(self, ref: Ref) -> None:
        self.ref = ref

    def __repr__(self) -> str:
        return f"outer({self.ref!r})"


def outer(field: T) -> T:
    """A field of the select around this one, where both are of one Model: ``User.boss_id == outer(User.id)``.

    Without it a field is the innermost select's of its Model. Raises UsageError for anything but a field.
    """
    if not isinstance(field, Field | Reached):
        raise UsageError(f"outer() takes a field, as outer(Author.id), not {type(field).__qualname__}")
    return Outer(field.ref)  # type: ignore[return-value]  # for a type checker, a field is its value


def relation_of(path: Any) -> Relation:
    """The relation that ``Author.books`` on the class stands for; raises UsageError for anything else."""
    if type(path) is not Path or len(path._ref.path) != 1:
        raise UsageError(f"{path!r} is not a relation of a Model, as Author.books")
    return path._ref.path[0]  # type: ignore[no-any-return]  # a Ref is below relations
