"""How each kind of key is written: operators, functions, raw SQL. ``WRITE`` has them by what the key begins with."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from stretto.errors import ModelError, UsageError
from stretto.model.expressions import Ref
from stretto.model.keys import Key
from stretto.model.rawsql import cut
from stretto.model.shapes import bare

if TYPE_CHECKING:
    from stretto.model.compile import Scope, Writer


def _binary(writer: Writer, key: Key, scope: Scope) -> str:
    operator, left, right = key
    if type(left) is Ref and left.field is None:
        return _relation(writer, key, scope)
    if left is None or right is None:
        if operator not in ("=", "<>"):
            raise UsageError(f"None with {operator!r} is never true: use is_null(), is_not_null(), == None or != None")
        value = writer.sql(left if right is None else right, scope)
        return f"{value} is {'' if operator == '=' else 'not '}null"
    if operator == "+" and (_is_text(left) or _is_text(right)):
        operator = "||"
    return f"{writer.sql(left, scope)} {operator} {writer.sql(right, scope)}"


def _relation(writer: Writer, key: Key, scope: Scope) -> str:
    operator, ref, other = key
    mine = writer.keys(ref, scope)
    if other is None:  # a key that is NULL in part points to nothing
        text = " or ".join([f"{one} is null" for one in mine])
    else:
        text = " and ".join([f"{one} = {writer.sql(two, scope)}" for one, two in zip(mine, other[1:], strict=True)])
    return text if operator == "=" else f"not ({text})"


def _is_text(key: Key) -> bool:
    if isinstance(key, tuple) and key[0] == "outer":
        key = key[1]
    if type(key) is not Ref or key.field is None:
        return False
    return typing.get_origin(bare(key.field.annotation)) is None and bare(key.field.annotation) is str


def _joined(writer: Writer, key: Key, scope: Scope) -> str:
    operator, *operands = key
    if not operands:
        return "true" if operator == "and" else "false"
    return f" {operator} ".join([writer.sql(one, scope) for one in operands])


def _not(writer: Writer, key: Key, scope: Scope) -> str:
    return f"not ({writer.bare(key[1], scope)})"


def _any(writer: Writer, key: Key, scope: Scope) -> str:
    _, left, right = key
    if type(left) is Ref and left.field is None:
        (value,) = writer.keys(left, scope)
    else:
        value = writer.sql(left, scope)
    if isinstance(right, tuple) and right[0] == "select":
        named = right[6] is not None and right[6][0] is not None
        return f"{value} in ({writer.select(right if named else narrowed(right), scope)})"
    return f"{value} = any({writer.sql(right, scope)})"


def narrowed(key: Key, names: Iterable[str] | None = None) -> Key:
    """The key of a select of objects with these attributes only (None: the primary key)."""
    kind, table, conditions, orders, limit, offset, rest = key
    _, _, *others = rest or (None, None, None, None, (), (), (), None)
    names = tuple(one.name for one in table.primary_key) if names is None else tuple(names)
    return (kind, table, conditions, orders, limit, offset, (None, names, *others))


def _null(writer: Writer, key: Key, scope: Scope) -> str:
    operator, operand = key
    if type(operand) is Ref and operand.field is None:
        if operand.path[-1].join.kind == "many-to-one":
            return _relation(writer, ("=" if operator == "is null" else "<>", operand, None), scope)
        found = writer.on_path(operand.path, (), scope)
        return f"not {found}" if operator == "is null" else found
    return f"{writer.sql(operand, scope)} {operator}"


def _between(writer: Writer, key: Key, scope: Scope) -> str:
    _, value, low, high = key
    return f"{writer.sql(value, scope)} between {writer.sql(low, scope)} and {writer.sql(high, scope)}"


def _raw(writer: Writer, key: Key, scope: Scope) -> str:
    _, sql, *args = key
    parts = cut(sql)
    numbers = {part for part in parts if isinstance(part, int)}
    if numbers != set(range(1, len(args) + 1)):
        wanted = ", ".join(f"${one}" for one in sorted(numbers)) or "none"
        raise UsageError(f"raw({sql!r}) has the parameters {wanted}, and {len(args)} arguments were given")
    return "".join([writer.sql(args[part - 1], scope) if isinstance(part, int) else part for part in parts])


def _order(writer: Writer, key: Key, scope: Scope) -> str:
    _, value, descending, nulls = key
    return f"{writer.bare(value, scope)}{' desc' if descending else ''}{f' nulls {nulls}' if nulls else ''}"


def _outer(writer: Writer, key: Key, scope: Scope) -> str:
    if scope.parent is None:
        raise ModelError(f"outer({key[1]!r}): there is no select around the one that it stands in")
    return writer.column(key[1], scope.parent)


def _call(writer: Writer, key: Key, scope: Scope) -> str:
    _, name, distinct, *args = key
    inside = ", ".join([writer.bare(one, scope) for one in args]) or "*"
    return f"{name}({'distinct ' if distinct else ''}{inside})"


def _exists(writer: Writer, key: Key, scope: Scope) -> str:
    _, of, conditions = key
    if isinstance(of, tuple):
        if conditions:
            raise UsageError("exists() of a select takes no further conditions: give them to its where()")
        return writer.exists(of, scope)
    return writer.on_path(of.path, conditions, scope)


def _select(writer: Writer, key: Key, scope: Scope) -> str:
    return f"({writer.select(key, scope)})"


def _count(writer: Writer, key: Key, scope: Scope) -> str:
    return f"({writer.count(key[1], scope)})"


CLOSED = ("call", "exists", "select", "count", "outer")  # those that need no parentheses
WRITE: dict[str, Callable[[Any, Key, Any], str]] = {
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "like", "ilike"), _binary),
    "and": _joined,
    "or": _joined,
    "not": _not,
    "any": _any,
    "is null": _null,
    "is not null": _null,
    "between": _between,
    "raw": _raw,
    "order": _order,
    "call": _call,
    "outer": _outer,
    "exists": _exists,
    "select": _select,
    "count": _count,
}
