"""Values of containers at random, of leaves that hypothesis has drawn: to draw all of a value takes it milliseconds.

A Make gives one value of a type; ``draws`` gives many Sources to make them of, each value of its own.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from tests.cases import FUZZED

from stretto.codecs.ranges import Range

EACH = 25 if FUZZED else 4  # values of one draw

int4s = st.integers(-(2**31), 2**31 - 1)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
halves = st.floats(width=16, allow_nan=False, allow_infinity=False)
decimals = st.decimals(-1000, 1000, places=2)


class Source:
    """Leaves: half of them as drawn, where hypothesis looks for the worst, and half at random."""

    def __init__(self, seed: int, pools: tuple[list[int], list[str], list[float], list[Decimal]]) -> None:
        self.r = random.Random(seed)
        self._ints, self._texts, self._halves, self._decimals = pools
        self._letters = "".join(self._texts) or "a"

    def int4(self) -> int:
        return self._pick(self._ints, lambda: self.r.randint(-(2**31), 2**31 - 1))

    def text(self) -> str:
        return self._pick(self._texts, lambda: "".join(self.r.choices(self._letters, k=self.r.randrange(9))))

    def half(self) -> float:
        return self._pick(self._halves, self._random_half)

    def decimal(self) -> Decimal:
        return self._pick(self._decimals, lambda: Decimal(self.r.randint(-100_000, 100_000)).scaleb(-2))

    def _random_half(self) -> float:
        value: float = struct.unpack("e", self.r.randbytes(2))[0]
        return value if value - value == 0 else 0.5

    def _pick(self, pool: list[Any], make: Callable[[], Any]) -> Any:
        return self.r.choice(pool) if self.r.getrandbits(1) else make()


def draws() -> st.SearchStrategy[list[Source]]:
    """Sources for EACH values."""

    def pool(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
        return st.lists(items, min_size=3, max_size=3)

    pools = st.tuples(pool(int4s), pool(texts), pool(halves), pool(decimals))
    seeds = st.integers(0, 2**32 - 1)
    return st.builds(lambda seed, drawn: [Source(seed + i, drawn) for i in range(EACH)], seeds, pools)


Make = Callable[[Source], Any]


def maybe(make: Make) -> Make:
    return lambda s: None if s.r.random() < 0.2 else make(s)


def some(make: Make, most: int, least: int = 0) -> Make:
    return lambda s: [make(s) for _ in range(s.r.randint(least, most))]


def row(*makes: Make) -> Make:
    return lambda s: tuple(make(s) for make in makes)


def either(*makes: Make) -> Make:
    return lambda s: s.r.choice(makes)(s)


def mapping(key: Make, value: Make, most: int) -> Make:
    return lambda s: {key(s): value(s) for _ in range(s.r.randint(0, most))}


def array(make: Make) -> Make:
    """Lists of one to three dimensions, never ragged; an empty one has none."""
    item = maybe(make)

    def level(s: Source, sizes: list[int]) -> Any:
        return [level(s, sizes[1:]) for _ in range(sizes[0])] if sizes else item(s)

    def of(s: Source) -> Any:
        return level(s, [s.r.randint(1, 3) for _ in range(s.r.randint(1, 3))]) if s.r.random() > 0.1 else []

    return of


def span(make: Callable[[Source], Hashable]) -> Make:
    """Ranges with bounds in order, which differ; without one or both at times, or empty."""

    def of(s: Source) -> Range[Any]:
        bounds = {make(s), make(s)}
        if len(bounds) < 2 or s.r.random() < 0.1:
            return Range(empty=True)
        lower, upper = sorted(bounds)  # type: ignore[type-var]  # of one type
        lower, upper = (None if s.r.random() < 0.2 else bound for bound in (lower, upper))
        return Range(lower, upper, bool(s.r.getrandbits(1)), bool(s.r.getrandbits(1)))

    return of
