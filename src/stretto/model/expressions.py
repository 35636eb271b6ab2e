"""Conditions and other expressions: what ``where``, ``order_by`` and their kin take. Data only; ``compile`` makes SQL.

A field on the class is an expression (``Author.name``); comparing it gives a Condition, not a bool. What has no
operator in Python is a function here. For a type checker a field is its value, so that ``Author.name == 5`` is found;
that is why the functions say they take and return plain types.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn, Protocol, TypeVar, overload

from stretto.errors import UsageError

T = TypeVar("T")


class Expression:
    """Anything that has a value in SQL."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return Condition("=", (self, other))

    def __ne__(self, other: object) -> Any:
        return Condition("<>", (self, other))

    def __lt__(self, other: Any) -> Any:
        return Condition("<", (self, other))

    def __le__(self, other: Any) -> Any:
        return Condition("<=", (self, other))

    def __gt__(self, other: Any) -> Any:
        return Condition(">", (self, other))

    def __ge__(self, other: Any) -> Any:
        return Condition(">=", (self, other))

    def __add__(self, other: Any) -> Any:
        return Operation("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return Operation("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return Operation("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return Operation("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return Operation("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return Operation("*", other, self)

    def __truediv__(self, other: Any) -> Any:
        return Operation("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return Operation("/", other, self)

    def __and__(self, other: Any) -> Any:
        return Condition("and", (self, other))

    def __or__(self, other: Any) -> Any:
        return Condition("or", (self, other))

    def __invert__(self) -> Any:
        return Condition("not", (self,))

    def __bool__(self) -> NoReturn:
        raise UsageError(
            f"{self!r} is a part of a statement and neither true nor false: give it to where(); combine conditions by"
            " and_(), or_(), not_() or & and |, and test for a value in a list by any_of()"
        )


class Ref:
    """A column in a statement: a field, or one at the end of relations. Without a ``field``: the relation itself.

    It is what keys of statements have, because it is compared by identity.
    """

    __slots__ = ("field", "path")

    def __init__(self, path: tuple[Any, ...], field: Any) -> None:
        self.path = path
        self.field = field

    @property
    def model(self) -> Any:
        """The Model that it begins at."""
        return self.path[0].model if self.path else self.field.model

    def __repr__(self) -> str:
        if not self.path:
            return repr(self.field)
        names = [one.name for one in self.path]
        if self.field is not None:
            names.append(self.field.name)
        return f"{self.model.__qualname__}.{'.'.join(names)}"


class Operation(Expression):
    """Two values and an operator that gives a value: ``Book.price * 2``."""

    __slots__ = ("left", "operator", "right")

    def __init__(self, operator: str, left: Any, right: Any) -> None:
        self.operator = operator
        self.left = left
        self.right = right

    def __repr__(self) -> str:
        return f"({_shown(self.left)} {self.operator} {_shown(self.right)})"


class Condition(Expression):
    """What is true or false of a row. ``operator`` and its operands: expressions, conditions or plain values."""

    __slots__ = ("operands", "operator")

    def __init__(self, operator: str, operands: tuple[Any, ...]) -> None:
        self.operator = operator
        self.operands = operands

    def __repr__(self) -> str:
        shown = list(map(_shown, self.operands))
        if self.operator in _FUNCTIONS:
            return f"{_FUNCTIONS[self.operator]}({', '.join(shown)})"
        return f"{shown[0]} {_SIGNS.get(self.operator, self.operator)} {shown[1]}"


_SIGNS = {"=": "==", "<>": "!="}
_FUNCTIONS = {
    "and": "and_",
    "or": "or_",
    "not": "not_",
    "any": "any_of",
    "like": "like",
    "ilike": "ilike",
    "is null": "is_null",
    "is not null": "is_not_null",
    "between": "between",
}


def is_always(condition: Any, truth: bool) -> bool:
    """Whether a condition is ``truth`` of every row, because nothing is in it: ``and_()``, ``not_(or_())``."""
    if type(condition) is not Condition:
        return False
    if condition.operator == "not":
        return is_always(condition.operands[0], not truth)
    if condition.operator not in ("and", "or"):
        return False
    found = [is_always(one, truth) for one in condition.operands]
    return all(found) if (condition.operator == "and") == truth else any(found)


class Exists(Expression):
    """There is an object on the other side of a relation, or a row of a select."""

    __slots__ = ("conditions", "of")

    def __init__(self, of: Any, conditions: tuple[Any, ...]) -> None:
        self.of = of
        self.conditions = conditions

    def __repr__(self) -> str:
        return f"exists({', '.join(map(_shown, (self.of, *self.conditions)))})"


class Raw(Expression):
    """A piece of SQL; ``$1`` ... in it are its own ``args``."""

    __slots__ = ("args", "sql")

    def __init__(self, sql: str, args: tuple[Any, ...]) -> None:
        self.sql = sql
        self.args = args

    def __repr__(self) -> str:
        return f"raw({self.sql!r})"


class Order(Expression):
    """A place in ORDER BY."""

    __slots__ = ("descending", "expression", "nulls")

    def __init__(self, expression: Any, descending: bool, nulls: str | None) -> None:
        if nulls not in (None, "first", "last"):
            raise UsageError(f'nulls={nulls!r}: "first" or "last"')
        self.expression = expression
        self.descending = descending
        self.nulls = nulls

    def __repr__(self) -> str:
        return f"{'desc' if self.descending else 'asc'}({_shown(self.expression)})"


class Call(Expression):
    """A function of SQL: an aggregate as ``count`` or ``sum``, or another one."""

    __slots__ = ("args", "distinct", "name")

    def __init__(self, name: str, args: tuple[Any, ...], distinct: bool = False) -> None:
        self.name = name
        self.args = args
        self.distinct = distinct

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(_shown, self.args))})"


def _shown(operand: Any) -> str:
    """Values are not shown: they may be secret."""
    return repr(operand) if isinstance(operand, Expression) else "?"


# Conditions -------------------------------------------------------------------------------------------------------


def and_(*conditions: bool) -> bool:
    """All of them."""
    return Condition("and", conditions)  # type: ignore[return-value]  # for a type checker, conditions are bools


def or_(*conditions: bool) -> bool:
    """At least one of them."""
    return Condition("or", conditions)  # type: ignore[return-value]  # as above


def not_(condition: bool) -> bool:
    """The opposite."""
    return Condition("not", (condition,))  # type: ignore[return-value]  # as above


class _Rows(Protocol):
    """A select: it stands for the values of its one column."""

    _is_query_: bool


@overload
def any_of(field: T, values: Iterable[T]) -> bool: ...
@overload
def any_of(field: object, values: _Rows) -> bool: ...
def any_of(field: Any, values: Any) -> bool:
    """``field`` is one of ``values``, which travel as one array (``field = any($1)``), or a select's of one column."""
    if isinstance(values, str | bytes):
        raise UsageError(f"any_of({field!r}, ...) takes a list of values, not one {type(values).__name__}")
    wanted = values if getattr(values, "_is_query_", False) else list(values)
    return Condition("any", (field, wanted))  # type: ignore[return-value]  # as above


def like(field: str | None, pattern: str) -> bool:
    """``field LIKE pattern``: ``%`` stands for any text, ``_`` for one character."""
    return Condition("like", (field, pattern))  # type: ignore[return-value]  # as above


def ilike(field: str | None, pattern: str) -> bool:
    """As ``like``, whatever the case of letters."""
    return Condition("ilike", (field, pattern))  # type: ignore[return-value]  # as above


def is_null(field: object) -> bool:
    """``field IS NULL``; a relation: there is no object on the other side."""
    return Condition("is null", (field,))  # type: ignore[return-value]  # as above


def is_not_null(field: object) -> bool:
    """``field IS NOT NULL``."""
    return Condition("is not null", (field,))  # type: ignore[return-value]  # as above


def between(field: T, low: T, high: T) -> bool:
    """``field BETWEEN low AND high``, both included."""
    return Condition("between", (field, low, high))  # type: ignore[return-value]  # as above


def raw(sql: str, *args: Any) -> Any:
    """A piece of SQL as it is; ``$1``, ``$2`` ... in it are ``args``."""
    return Raw(sql, args)


def some(field: T | None) -> T:
    """The field itself, for type checkers: a nullable one can't be compared by ``<`` nor calculated with else."""
    return field  # type: ignore[return-value]  # as above


# Order --------------------------------------------------------------------------------------------------------------


def asc(expression: object, *, nulls: str | None = None) -> Any:
    """Small values first; ``nulls``: "first" or "last"."""
    return Order(expression, False, nulls)


def desc(expression: object, *, nulls: str | None = None) -> Any:
    """Large values first; ``nulls``: "first" or "last"."""
    return Order(expression, True, nulls)


# Functions ----------------------------------------------------------------------------------------------------------


def exists(of: object, *conditions: bool) -> bool:
    """There is an object on the other side of a relation, of which ``conditions`` are true; or a row of a select."""
    return Exists(of, conditions)  # type: ignore[return-value]  # for a type checker, conditions are bools


def count(of: object = None, *, distinct: bool = False) -> int:
    """How many rows; ``of``: how many where it is not NULL; ``distinct``: how many different ones."""
    return Call("count", () if of is None else (of,), distinct)  # type: ignore[return-value]  # an expression is its value for a type checker


def sum_(of: T) -> T:
    """The sum; NULL of no rows."""
    return Call("sum", (of,))  # type: ignore[return-value]  # as above


def avg(of: object) -> Any:
    """The mean; NULL of no rows."""
    return Call("avg", (of,))


def min_(of: T) -> T:
    """The smallest; NULL of no rows."""
    return Call("min", (of,))  # type: ignore[return-value]  # as above


def max_(of: T) -> T:
    """The largest; NULL of no rows."""
    return Call("max", (of,))  # type: ignore[return-value]  # as above
