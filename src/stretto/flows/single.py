"""One value of the rows that came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stretto.errors import UsageError


def first_value(rows: list[Any]) -> Any:
    """The first column's, or None without a row."""
    return _value(rows, 0)


def value_at(column: int) -> Callable[[list[Any]], Any]:
    """Make the function that gives another column's. Raises UsageError for what is no number."""
    given: Any = column
    if not hasattr(given, "__index__"):
        raise UsageError(
            f"column: its number, from 0, not {type(given).__name__}; for one by its name take fetchrow(sql)['name']"
        )
    return lambda rows: _value(rows, column)


def _value(rows: list[Any], column: int) -> Any:
    if not rows:
        return None
    if not -len(rows[0]) <= column < len(rows[0]):
        raise UsageError(f"column={column}, but the statement gives {len(rows[0])} columns")
    return rows[0][column]
