"""The key of a query: what it is, without the values in it, which are collected on the way.

``key_of(node, values)`` turns a tree of expressions into nested tuples that can be hashed, and appends each value that
it meets to ``values``; in the key there is its place. A node becomes: a value, its place (an int); None, None; a field
or relation, its Ref; anything else, a tuple that begins with what it is. SQL is written from the key alone
(``compile``), so the numbers in it can't be those of other values. ``KEYS`` has how each class of nodes is done:
other modules add theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from stretto.errors import ModelError, UsageError
from stretto.model.base import Model
from stretto.model.expressions import Call, Condition, Exists, Operation, Order, Raw, Ref
from stretto.model.fields import Field
from stretto.model.paths import Outer, Path, Reached

Key = Any  # int | None | Ref | tuple[Any, ...]
Values = list[Any]


def key_of(node: Any, values: Values) -> Key:
    """The key of one operand; its values are appended."""
    kind = type(node)
    if kind is Field:  # nearly all nodes are one of these
        return node.ref
    if kind is int or kind is str:
        values.append(node)
        return len(values) - 1
    if kind is Condition:
        return _condition(node, values)
    how = KEYS.get(kind)
    if how is None:
        values.append(_plain(node))
        return len(values) - 1
    return how(node, values)


def _plain(value: Any) -> Any:
    """A value as codecs take it: of a member of an Enum, its own."""
    if isinstance(value, Enum):
        return value.value
    if type(value) is list and value and isinstance(value[0], Enum):
        return [one.value if isinstance(one, Enum) else one for one in value]
    return value


def keys_of(nodes: Iterable[Any], values: Values) -> tuple[Key, ...]:
    """The keys of several."""
    return () if not nodes else tuple([key_of(node, values) for node in nodes])


def _condition(node: Condition, values: Values) -> Key:
    operands = node.operands
    if len(operands) != 2:
        return (node.operator, *[key_of(one, values) for one in operands])
    left, right = operands
    if type(left) is Path:
        return _of_relation(node.operator, left, right, values)
    return (node.operator, key_of(left, values), key_of(right, values))


def _of_relation(operator: str, path: Path, other: Any, values: Values) -> Key:
    """A relation compared with objects: by the values that its columns have then."""
    join = path._ref.path[-1].join
    if operator not in ("=", "<>", "any") or join.kind != "many-to-one":
        raise ModelError(f"{path!r} is a relation: compare one of its fields, or ask by exists({path!r}, ...)")
    if other is None:
        return (operator, path._ref, None)
    if operator == "any":
        if len(join.remote) != 1:
            raise UsageError(f"any_of({path!r}, ...): its key has {len(join.remote)} fields: combine by or_()")
        if getattr(other, "_is_query_", False):
            return ("any", path._ref, key_of(other, values))
        values.append([_key_values(path, join, one)[0] for one in other])
        return ("any", path._ref, len(values) - 1)
    found = _key_values(path, join, other)
    values.extend(found)
    return (operator, path._ref, ("row", *range(len(values) - len(found), len(values))))


def _key_values(path: Path, join: Any, obj: Any) -> list[Any]:
    if not isinstance(obj, Model) or obj.__class__ is not join.target:
        raise UsageError(f"{path!r} is compared with objects of {join.target.__qualname__}, not with {type(obj)!r}")
    return [getattr(obj, one.name) for one in join.remote]


def _operation(node: Operation, values: Values) -> Key:
    return (node.operator, key_of(node.left, values), key_of(node.right, values))


def _raw(node: Raw, values: Values) -> Key:
    return ("raw", node.sql, *[key_of(one, values) for one in node.args])


def _order(node: Order, values: Values) -> Key:
    return ("order", key_of(node.expression, values), node.descending, node.nulls)


def _call(node: Call, values: Values) -> Key:
    return ("call", node.name, node.distinct, *[key_of(one, values) for one in node.args])


def _exists(node: Exists, values: Values) -> Key:
    of = key_of(node.of, values)
    if not (isinstance(of, tuple) or (type(of) is Ref and of.field is None)):
        raise UsageError(f"{node!r}: exists() takes a relation, as Author.books, or a select")
    return ("exists", of, keys_of(node.conditions, values))


def _nothing(node: None, values: Values) -> Key:
    return None


def _ref(node: Any, values: Values) -> Key:
    return node.ref


def _outer(node: Outer, values: Values) -> Key:
    return ("outer", node.ref)


def _path(node: Path, values: Values) -> Key:
    return node._ref


KEYS: dict[type, Callable[[Any, Values], Key]] = {
    Field: _ref,
    Reached: _ref,
    Outer: _outer,
    Path: _path,
    type(None): _nothing,
    Condition: _condition,
    Operation: _operation,
    Raw: _raw,
    Order: _order,
    Call: _call,
    Exists: _exists,
}
