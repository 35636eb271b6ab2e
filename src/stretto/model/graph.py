"""Which relations are fetched with an object: ``related()``, and the tree that ``include()`` takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from stretto.errors import UsageError
from stretto.model.expressions import Expression
from stretto.model.paths import Path, relation_of
from stretto.model.relations import Relation


class Related(Expression):
    """A relation to be fetched, which of it, in which order, how many for each object, and the relations of those."""

    __slots__ = ("limit", "nested", "order_by", "relation", "where")

    def __init__(
        self, relation: Relation, nested: tuple[Related, ...], where: Any = (), order_by: Any = (), limit: Any = None
    ) -> None:
        self.relation = relation
        self.nested = nested
        self.where = _several(where)
        self.order_by = _several(order_by)
        self.limit = limit

    def __repr__(self) -> str:
        parts = [self.relation, *self.nested]
        shown = [repr(one) for one in parts]
        for name, several in (("where", self.where), ("order_by", self.order_by)):
            if several:
                shown.append(f"{name}=[{', '.join(map(repr, several))}]")
        if self.limit is not None:
            shown.append(f"limit={self.limit}")
        return shown[0] if len(shown) == 1 else f"related({', '.join(shown)})"

    @property
    def narrowed(self) -> bool:
        """Whether not all that belongs to an object is fetched."""
        return bool(self.where) or self.limit is not None

    def walk(self) -> Iterator[Related]:
        """This one and all below it."""
        yield self
        for one in self.nested:
            yield from one.walk()


def related(relation: object, *nested: object, where: Any = (), order_by: Any = (), limit: int | None = None) -> Any:
    """A relation for ``include()`` and ``load()``: narrowed, and with relations of its own objects.

    ``nested``: relations (or ``related(...)``) of the objects on the other side. ``where``: a condition or several;
    ``order_by``: an expression or several; ``limit``: so many for each object at most, the first in that order.
    Raises UsageError for what is no relation, or not one of these objects.
    """
    found = relation_of(relation)
    if limit is not None and (not isinstance(limit, int) or limit < 0):
        raise UsageError(f"related({relation!r}): limit= is a whole number, not {limit!r}")
    if limit is not None and not found.join.many:
        raise UsageError(f"related({relation!r}): limit= is for lists, and here is one object at most")
    return Related(found, tree(found.join.target, nested), where, order_by, limit)


def tree(model: Any, includes: Iterable[Any]) -> tuple[Related, ...]:
    """The relations of a Model's objects that are to be fetched, each once. Raises UsageError as ``related``."""
    found: dict[str, Related] = {}
    for one in includes:
        branch = one if isinstance(one, Related) else Related(_relation(model, one), ())
        relation = branch.relation
        if relation.model is not model:
            raise UsageError(
                f"{relation!r} is no relation of {model.__qualname__}: nest it, as in"
                f" related({model.__qualname__}.<relation>, {relation!r})"
            )
        known = found.get(relation.name)
        found[relation.name] = branch if known is None else _merged(known, branch)
    return tuple(found.values())


def _relation(model: Any, one: Any) -> Relation:
    if not isinstance(one, Path):
        names = ", ".join(f"{model.__qualname__}.{name}" for name in model.__table__.relations) or "none"
        raise UsageError(
            f"include() takes relations of {model.__qualname__} or related(...), not {one!r}; it has: {names}"
        )
    return relation_of(one)


def _merged(first: Related, second: Related) -> Related:
    """Included twice, as in include(A.b, related(A.b, B.c)): both nest, but only one may narrow."""
    if (first.narrowed or first.order_by) and (second.narrowed or second.order_by):
        raise UsageError(
            f"{first.relation!r} is included twice, each time narrowed or ordered: say it in one related()"
        )
    plain, other = (second, first) if first.narrowed or first.order_by else (first, second)
    nested = tree(first.relation.join.target, (*plain.nested, *other.nested))
    return Related(first.relation, nested, other.where, other.order_by, other.limit)


def _several(given: Any) -> tuple[Any, ...]:
    if isinstance(given, list | tuple):
        return tuple(given)
    return (given,)
