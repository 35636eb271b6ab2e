"""What may be given as a number of seconds."""

from __future__ import annotations

import math
from typing import Any

from stretto.errors import UsageError


def check_seconds(what: str, seconds: Any) -> None:
    """Raise UsageError for what is no length of time: not a number, below zero, not finite. None is for the caller."""
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise UsageError(f"{what} is a number of seconds, not a {type(seconds).__name__}")
    if not math.isfinite(seconds):
        raise UsageError(f"{what} of {seconds} seconds: it is a finite number; without one there is no limit")
    if seconds < 0:
        raise UsageError(f"{what} of {seconds} seconds: it can't be in the past")
