"""Numbers that callers give: seconds and counts, and the errors for what is none."""

from __future__ import annotations

from math import isfinite
from typing import Any

from stretto.errors import UsageError

FAR = 1e9  # seconds, thirty years: what the clocks of systems surely take


def check_seconds(**given: Any) -> None:
    """Raise UsageError for what is neither a finite number nor None. One below zero is a time that has passed."""
    for name, value in given.items():
        if value is None:
            continue
        if isinstance(value, bool) or not _is_real(value):
            raise UsageError(f"{name}: a number of seconds, or None, not {type(value).__name__}")
        if not isfinite(value) or value > FAR:
            raise UsageError(f"{name}: a finite number of seconds, not {value}; None is no limit")


def _is_real(value: object) -> bool:
    if isinstance(value, (int, float)):
        return True
    from numbers import Real  # for those of other libraries

    return isinstance(value, Real)


def check_counts(**given: Any) -> None:
    """Raise UsageError for what is no whole number from 1 on."""
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise UsageError(f"{name}: a whole number, not {type(value).__name__}")
        if value < 1:
            raise UsageError(f"{name}={value}: at least one")
