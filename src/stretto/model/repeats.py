"""Selects that the statements of one trip repeat: they must give the same rows each time.

Where rows are cut off (a limit, an offset, DISTINCT ON) and the order does not decide, the plan decides, and each
statement has its own: so the primary key ends the order. What can't be repeated is got by one statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stretto.errors import UsageError
from stretto.model.keys import Key

if TYPE_CHECKING:
    from stretto.model.branches import Branch
    from stretto.model.table import Table


def can_repeat(key: Key) -> bool:
    """Whether it is sure that a select with its relations can be repeated: raw SQL may be random()."""
    _, table, conditions, orders, limit, offset, (_, _, distinct, _, groups, having, branches, _) = key
    if limit is None and offset is None and not distinct:
        orders = ()
    elif not table.primary_key:
        return False
    return not _has_raw((conditions, orders, distinct, groups, having)) and all(map(_can_repeat_branch, branches))


def _can_repeat_branch(branch: Branch) -> bool:
    if branch.nested or branch.join.through is not None:
        if branch.limit is not None and not branch.table.primary_key:
            return False
        if _has_raw((branch.where, branch.order_by if branch.limit is not None else ())):
            return False
    return all(map(_can_repeat_branch, branch.nested))


def _has_raw(key: Key) -> bool:
    return isinstance(key, tuple) and (key[:1] == ("raw",) or any(map(_has_raw, key)))


def steady(key: Key) -> Key:
    """The key of a select that gives the same rows each time."""
    kind, table, conditions, orders, limit, offset, rest = key
    distinct = rest[2] or ()
    if limit is None and offset is None and not distinct:
        return key
    return (kind, table, conditions, (*orders, *distinct, *last_orders(table)), limit, offset, rest)


def last_orders(table: Table) -> tuple[Any, ...]:
    """What ends an order so that it decides between any two rows. Raises UsageError without a primary key."""
    if not table.primary_key:
        raise UsageError(
            f"{table.model.__qualname__} has no primary key, so which of its rows are cut off by a limit can't be told"
            ' twice: use include(..., strategy="statement")'
        )
    return tuple([one.ref for one in table.primary_key])
