"""How many generated cases a test has: few in the suite, ``STRETTO_FUZZ_CASES`` of them in ``make fuzz``."""

from __future__ import annotations

import os

ASKED = int(os.environ.get("STRETTO_FUZZ_CASES", "0"))
FUZZED = ASKED > 0


def cases(usual: int, tests: int = 1, cost: int = 1) -> int:
    """How many cases each of ``tests`` has that share the number asked for; never less than what is usual.

    ``cost``: how many times as long as a plain value a case takes, where a million would take days.
    """
    return max(usual, -(-ASKED // tests // cost))
