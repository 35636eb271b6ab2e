"""Ranges and multiranges: the Range value, and lists of it.

Layout of a range (range_send): a byte of flags, then the lower and the upper bound, each with its length, where the
flags say that there is one. A multirange is an int32 count and that many ranges, each with its length.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from stretto import capi
from stretto.codecs.base import Codec, decode_value, encode_value, wrong_type
from stretto.errors import EncodeError, ProtocolError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

# The flags of rangetypes.h.
EMPTY = 0x01
LOWER_INC = 0x02
UPPER_INC = 0x04
LOWER_INF = 0x08
UPPER_INF = 0x10

_T = TypeVar("_T")


class Range(Generic[_T]):
    """A range of anything ordered (``Range[int]``); cannot be changed, hashable, equal by value. None is "no bound".

    Attributes: ``lower``, ``upper``, ``lower_inc``, ``upper_inc`` (is the bound itself inside?), ``isempty``;
    ``lower_inf`` and ``upper_inf`` tell whether there is no bound. PostgreSQL brings ranges of integers and dates to
    the form ``[lower, upper)``; nothing here does.
    """

    __slots__ = ("isempty", "lower", "lower_inc", "upper", "upper_inc")

    lower: _T | None
    upper: _T | None
    lower_inc: bool
    upper_inc: bool
    isempty: bool

    def __init__(
        self,
        lower: _T | None = None,
        upper: _T | None = None,
        lower_inc: bool = True,
        upper_inc: bool = False,
        empty: bool = False,
    ) -> None:
        """Raises ValueError for an empty range with bounds; the order of the bounds is the server's to check."""
        if empty and (lower is not None or upper is not None):
            raise ValueError("an empty range has no bounds")
        _fill(self, lower, upper, bool(lower_inc), bool(upper_inc), bool(empty))

    @property
    def lower_inf(self) -> bool:
        """Whether it has no lower bound; False of an empty one."""
        return self.lower is None and not self.isempty

    @property
    def upper_inf(self) -> bool:
        """Whether it has no upper bound; False of an empty one."""
        return self.upper is None and not self.isempty

    def __contains__(self, value: Any) -> bool:
        if self.isempty:
            return False
        above = self.lower is None or value > self.lower or (self.lower_inc and value == self.lower)
        return bool(above and (self.upper is None or value < self.upper or (self.upper_inc and value == self.upper)))

    def issubset(self, other: Range[_T]) -> bool:
        """Whether all that is in this range is in the other one; the empty range is in every one."""
        if self.isempty or other.isempty:
            return self.isempty
        return _begins_in(self, other) and _ends_in(self, other)

    def issuperset(self, other: Range[_T]) -> bool:
        """Whether all that is in the other range is in this one."""
        return other.issubset(self)

    def __bool__(self) -> bool:
        return not self.isempty

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Range cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Range cannot be changed: {name}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        return _key(self) == _key(other)

    def __hash__(self) -> int:
        return hash(_key(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return Range, (self.lower, self.upper, self.lower_inc, self.upper_inc, self.isempty)

    def __repr__(self) -> str:
        if self.isempty:
            return "<Range empty>"
        lower = "" if self.lower is None else repr(self.lower)
        upper = "" if self.upper is None else repr(self.upper)
        return f"<Range {'[' if self.lower_inc else '('}{lower}, {upper}{']' if self.upper_inc else ')'}>"


def _key(value: Range[Any]) -> tuple[Any, ...]:
    return value.lower, value.upper, value.lower_inc, value.upper_inc, value.isempty


def _begins_in(part: Range[Any], whole: Range[Any]) -> bool:
    if part.lower is None or whole.lower is None:
        return whole.lower is None
    included = whole.lower_inc or not part.lower_inc
    return bool(part.lower > whole.lower or (part.lower == whole.lower and included))


def _ends_in(part: Range[Any], whole: Range[Any]) -> bool:
    if part.upper is None or whole.upper is None:
        return whole.upper is None
    included = whole.upper_inc or not part.upper_inc
    return bool(part.upper < whole.upper or (part.upper == whole.upper and included))


_LOWER = capi.slot_of(Range.__dict__["lower"])
_UPPER = capi.slot_of(Range.__dict__["upper"])
_LOWER_INC = capi.slot_of(Range.__dict__["lower_inc"])
_UPPER_INC = capi.slot_of(Range.__dict__["upper_inc"])
_ISEMPTY = capi.slot_of(Range.__dict__["isempty"])


def make_range(lower: Any, upper: Any, lower_inc: bool, upper_inc: bool, empty: bool) -> Range[Any]:
    """Make a Range without the checks of its constructor."""
    value: Range[Any] = capi.new_object(Range)
    _fill(value, lower, upper, lower_inc, upper_inc, empty)
    return value


def _fill(value: Range[Any], lower: Any, upper: Any, lower_inc: bool, upper_inc: bool, empty: bool) -> None:
    """Set the slots of a new Range; a bound that is not there is never inside."""
    capi.set_slot(value, _LOWER, lower)
    capi.set_slot(value, _UPPER, upper)
    capi.set_slot(value, _LOWER_INC, lower is not None and lower_inc)
    capi.set_slot(value, _UPPER_INC, upper is not None and upper_inc)
    capi.set_slot(value, _ISEMPTY, empty)


def as_range(codec: Codec, value: Any) -> Any:
    """Return something with a Range's attributes: ours, asyncpg's or psycopg's; a pair is ``[lower, upper)``."""
    if type(value) is Range or (hasattr(value, "isempty") and hasattr(value, "lower_inc")):
        return value
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return make_range(value[0], value[1], True, False, False)
    raise wrong_type(codec, "a Range or a pair of bounds", value)


class RangeCodec(Codec):
    """A range type; ``element`` is the codec of the bounds."""

    def __init__(self, name: str, oid: int, element: Codec) -> None:
        self.name = name
        self.oid = oid
        self.format = 1
        self.element = element

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        value = as_range(self, value)
        if value.isempty:
            buf.write_uint8(EMPTY)
            return
        lower = value.lower
        upper = value.upper
        flags = LOWER_INF if lower is None else LOWER_INC if value.lower_inc else 0
        flags |= UPPER_INF if upper is None else UPPER_INC if value.upper_inc else 0
        buf.write_uint8(flags)
        if lower is not None:
            self._write_bound(buf, "lower", lower)
        if upper is not None:
            self._write_bound(buf, "upper", upper)

    def _write_bound(self, buf: WriteBuffer, which: str, value: Any) -> None:
        try:
            encode_value(self.element, buf, value)
        except (EncodeError, TypeError, ValueError, OverflowError) as error:
            raise EncodeError(f"{self.name}: {which} bound: {error}") from None

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        flags = buf.read_uint8()
        if flags & EMPTY:
            return make_range(None, None, False, False, True)
        lower = None if flags & LOWER_INF else self._read_bound(buf)
        upper = None if flags & UPPER_INF else self._read_bound(buf)
        return make_range(lower, upper, (flags & LOWER_INC) != 0, (flags & UPPER_INC) != 0, False)

    def _read_bound(self, buf: ReadBuffer) -> Any:
        value = decode_value(self.element, buf)
        if value is None:
            raise ProtocolError(f"the server sent a NULL bound of a {self.name}")
        return value


class Multirange(Codec):
    """A multirange type and a list of Range; ``element`` is the codec of its range type."""

    def __init__(self, name: str, oid: int, element: Codec) -> None:
        self.name = name
        self.oid = oid
        self.format = 1
        self.element = element

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        values = as_ranges(self, value)
        buf.write_int32(len(values))
        for item in values:
            encode_value(self.element, buf, item)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        size = buf.read_int32()
        if size < 0 or size > buf.remaining() // 4:
            raise ProtocolError(f"the server sent a multirange of {size} ranges, which do not fit its message")
        items = []
        for _ in range(size):
            item = decode_value(self.element, buf)
            if item is None:
                raise ProtocolError(f"the server sent a NULL range in a {self.name}")
            items.append(item)
        return items


def as_ranges(codec: Codec, value: Any) -> Any:
    """Return the list of ranges that a multirange takes; psycopg's Multirange is a sequence of ranges too."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") or not hasattr(value, "__getitem__"):
        raise wrong_type(codec, "a list of Range", value)
    values = list(value)
    if None in values:
        raise EncodeError(f"{codec.name}: a multirange has no NULL ranges")
    return values
