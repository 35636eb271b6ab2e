"""Values that Python has no class for: what the codecs give and take for them. All are immutable and hashable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, NamedTuple


class Infinity:
    """``infinity`` and ``-infinity`` of date, timestamp, timestamptz and interval.

    There are two of them, INFINITY and ``-INFINITY``. Both compare with every date, datetime and timedelta.
    """

    __slots__ = ("sign",)

    sign: int

    def __new__(cls, sign: Literal[1, -1]) -> Infinity:
        self = object.__new__(cls)
        object.__setattr__(self, "sign", 1 if sign > 0 else -1)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Infinity cannot be changed: {name}")

    def __neg__(self) -> Infinity:
        return Infinity(-1 if self.sign > 0 else 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Infinity) and other.sign == self.sign

    def __hash__(self) -> int:
        return hash((Infinity, self.sign))

    def __lt__(self, other: object) -> bool:
        return self._side(other) < 0

    def __le__(self, other: object) -> bool:
        return self._side(other) <= 0

    def __gt__(self, other: object) -> bool:
        return self._side(other) > 0

    def __ge__(self, other: object) -> bool:
        return self._side(other) >= 0

    def _side(self, other: object) -> int:
        if isinstance(other, Infinity):
            return self.sign - other.sign
        if isinstance(other, (date, timedelta)):
            return self.sign
        raise TypeError(f"an Infinity does not compare with {type(other).__name__}")

    def __reduce__(self) -> tuple[Any, ...]:
        return Infinity, (self.sign,)

    def __repr__(self) -> str:
        return "INFINITY" if self.sign > 0 else "-INFINITY"


INFINITY = Infinity(1)


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval as PostgreSQL keeps it: three numbers, because months and days differ in length.

    It adds to a datetime as PostgreSQL adds: the months (to the last day of a shorter month), the days by the calendar,
    then the microseconds in elapsed time. A date takes one without microseconds.
    """

    months: int = 0
    days: int = 0
    microseconds: int = 0

    def __neg__(self) -> Interval:
        return Interval(-self.months, -self.days, -self.microseconds)

    def __radd__(self, other: date) -> Any:
        if not isinstance(other, date) or (self.microseconds and not isinstance(other, datetime)):
            return NotImplemented
        year, month = divmod(other.year * 12 + other.month - 1 + self.months, 12)
        if not 1 <= year <= 9999:
            raise OverflowError("date value out of range")
        from calendar import monthrange  # few add intervals, and it loads locale

        day = min(other.day, monthrange(year, month + 1)[1])
        moved = other.replace(year=year, month=month + 1, day=day) + timedelta(days=self.days)
        elapsed = timedelta(microseconds=self.microseconds)
        if not elapsed or not isinstance(moved, datetime):
            return moved
        if moved.tzinfo is None:
            return moved + elapsed
        return (moved.astimezone(UTC) + elapsed).astimezone(moved.tzinfo)

    def __rsub__(self, other: date) -> Any:
        return self.__neg__().__radd__(other)


class BitString:
    """A ``bit`` or ``varbit``: bits in order, the first one leftmost. Made of a text of 0 and 1."""

    __slots__ = ("_length", "_value")

    _length: int
    _value: int

    def __init__(self, bits: str = "") -> None:
        bits = bits.replace(" ", "")
        if bits.strip("01"):
            raise ValueError("a bit string consists of 0 and 1")
        self._set(int(bits or "0", 2), len(bits))

    def _set(self, value: int, length: int) -> None:
        object.__setattr__(self, "_value", value)
        object.__setattr__(self, "_length", length)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a BitString cannot be changed: {name}")

    @classmethod
    def frombytes(cls, data: bytes = b"", bitlength: int | None = None) -> BitString:
        """Take the first ``bitlength`` bits of ``data`` (all of them by default), the high bit of a byte first."""
        length = 8 * len(data) if bitlength is None else bitlength
        if not 0 <= length <= 8 * len(data):
            raise ValueError(f"{len(data)} bytes do not have {length} bits")
        self = object.__new__(cls)
        self._set(int.from_bytes(data, "big") >> (8 * len(data) - length), length)
        return self

    @classmethod
    def from_int(
        cls, x: int, length: int, bitorder: Literal["big", "little"] = "big", *, signed: bool = False
    ) -> BitString:
        """Write ``x`` with ``length`` bits, two's complement when ``signed``; ValueError when it needs more."""
        low, high = (-(1 << length >> 1), (1 << length >> 1) - 1) if signed else (0, (1 << length) - 1)
        if length < 0 or not low <= x <= max(high, 0):
            raise ValueError(f"the number does not fit into {length} bits")
        bits = format(x % (1 << length), f"0{length}b") if length else ""
        return cls(bits if bitorder == "big" else bits[::-1])

    def to_int(self, bitorder: Literal["big", "little"] = "big", *, signed: bool = False) -> int:
        """Read the bits as a number, two's complement when ``signed``."""
        value = self._value if bitorder == "big" else int(self.as_string()[::-1] or "0", 2)
        return value - (1 << self._length) if signed and 2 * value >> self._length else value

    def as_string(self) -> str:
        """Write the bits as 0 and 1."""
        return format(self._value, f"0{self._length}b") if self._length else ""

    @property
    def bytes(self) -> bytes:
        """The bits in bytes, the last one filled up with zero bits."""
        count = (self._length + 7) // 8
        return (self._value << (8 * count - self._length)).to_bytes(count, "big")

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        return map(int, self.as_string())

    def __getitem__(self, index: int) -> int:
        return int(self.as_string()[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BitString) and (self._length, self._value) == (other._length, other._value)

    def __hash__(self) -> int:
        return hash((self._length, self._value))

    def __reduce__(self) -> tuple[Any, ...]:
        return BitString, (self.as_string(),)

    def __repr__(self) -> str:
        return f"BitString({self.as_string()!r})"


class Point(NamedTuple):
    """A point of a plane: PostgreSQL's ``point``."""

    x: float
    y: float


class Line(NamedTuple):
    """All points with a*x + b*y + c == 0: PostgreSQL's ``line``, which it writes as ``{a,b,c}``."""

    a: float
    b: float
    c: float


class _Two(NamedTuple):
    p1: Point
    p2: Point


class LineSegment(_Two):
    """The way from a point (``p1``) to another one (``p2``): PostgreSQL's ``lseg``. Pairs of numbers become points."""

    __slots__ = ()

    def __new__(cls, p1: tuple[float, float], p2: tuple[float, float]) -> LineSegment:
        return super().__new__(cls, Point(*p1), Point(*p2))

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> LineSegment:  # type: ignore[override]  # NamedTuple's is of any subclass
        return cls(*iterable)


class _Corners(NamedTuple):
    high: Point
    low: Point


class Box(_Corners):
    """PostgreSQL keeps the upper right corner as ``high`` and the lower left one as ``low``, whatever it is given.

    Pairs of numbers become points.
    """

    __slots__ = ()

    def __new__(cls, high: tuple[float, float], low: tuple[float, float]) -> Box:
        return super().__new__(cls, Point(*high), Point(*low))

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Box:  # type: ignore[override]  # NamedTuple's is of any subclass
        return cls(*iterable)


class _Round(NamedTuple):
    center: Point
    radius: float


class Circle(_Round):
    """A circle around a point (``center``) with a ``radius``: PostgreSQL's ``circle``. A pair becomes a point."""

    __slots__ = ()

    def __new__(cls, center: tuple[float, float], radius: float) -> Circle:
        return super().__new__(cls, Point(*center), radius)

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Circle:  # type: ignore[override]  # NamedTuple's is of any subclass
        return cls(*iterable)


class Path:
    """A run of points, open unless ``is_closed``. Points may be given as pairs of numbers."""

    __slots__ = ("is_closed", "points")

    points: tuple[Point, ...]
    is_closed: bool

    def __init__(self, *points: tuple[float, float], is_closed: bool = False) -> None:
        object.__setattr__(self, "points", tuple(Point(*point) for point in points))
        object.__setattr__(self, "is_closed", bool(is_closed))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} cannot be changed: {name}")

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def __getitem__(self, index: int) -> Point:
        return self.points[index]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not isinstance(other, Path):
            return NotImplemented
        return self.points == other.points and self.is_closed == other.is_closed

    def __hash__(self) -> int:
        return hash((type(self), self.points, self.is_closed))

    def __reduce__(self) -> tuple[Any, ...]:
        return _path, (type(self), self.points, self.is_closed)

    def __repr__(self) -> str:
        points = ", ".join(f"({x!r}, {y!r})" for x, y in self.points)
        return f"Path({points}, is_closed={self.is_closed})"


class Polygon(Path):
    """A closed run of points and what is inside."""

    __slots__ = ()

    def __init__(self, *points: tuple[float, float]) -> None:
        super().__init__(*points, is_closed=True)

    def __repr__(self) -> str:
        return f"Polygon({', '.join(f'({x!r}, {y!r})' for x, y in self.points)})"


def _path(cls: type[Path], points: tuple[Point, ...], is_closed: bool) -> Path:
    return cls(*points) if issubclass(cls, Polygon) else cls(*points, is_closed=is_closed)


class Snapshot(NamedTuple):
    """A ``pg_snapshot``: transactions below ``xmin`` have ended, those from ``xmax`` on and the ``active`` ones not."""

    xmin: int
    xmax: int
    active: tuple[int, ...]
