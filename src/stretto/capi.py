"""The few calls of CPython's C API that the compiled core makes, with Python stand-ins of the same meaning.

A compiled module writes ``from stretto import capi`` and its ``.pxd`` writes ``from stretto cimport capi``: compiled,
``capi.new_row(...)`` is the inline C function of ``capi.pxd``; interpreted, it is the function here. This module itself
is never compiled. Nothing else in the project may differ between the two builds.
"""

from __future__ import annotations

import gc
import struct
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any


def import_datetime() -> None:
    """Load the datetime C API; each compiled module that makes dates calls it once, when it is imported."""


def new_date(year: int, month: int, day: int) -> date:
    return date(year, month, day)


def new_time(hour: int, minute: int, second: int, microsecond: int, tz: tzinfo | None) -> time:
    return time(hour, minute, second, microsecond, tz)


def new_datetime(
    year: int, month: int, day: int, hour: int, minute: int, second: int, microsecond: int, tz: tzinfo | None
) -> datetime:
    return datetime(year, month, day, hour, minute, second, microsecond, tz)


def new_timedelta(days: int, seconds: int, microseconds: int) -> timedelta:
    return timedelta(days, seconds, microseconds)


def get_year(value: date) -> int:
    return value.year


def get_month(value: date) -> int:
    return value.month


def get_day(value: date) -> int:
    return value.day


def datetime_micros(value: datetime) -> int:
    """Count the microseconds since midnight, by the clock of ``value`` itself."""
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond


def time_micros(value: time) -> int:
    """Count the microseconds since midnight, by the clock of ``value`` itself."""
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond


def delta_days(value: timedelta) -> int:
    return value.days


def delta_micros(value: timedelta) -> int:
    """Count the microseconds beyond the full days; never negative."""
    return value.seconds * 1_000_000 + value.microseconds


def scaled_text(mantissa: int, scale: int) -> str:
    """Write ``mantissa / 10**scale`` with ``scale`` digits after the point; an int64 and 0 to 18."""
    if scale == 0:
        return str(mantissa)
    digits = str(abs(mantissa)).rjust(scale + 1, "0")
    return f"{'-' if mantissa < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def ascii_length(value: str) -> int:
    """Count the bytes of what is ASCII and has no NUL; -1 for any other."""
    return len(value) if value.isascii() and "\0" not in value else -1


def put_ascii(data: bytearray, pos: int, value: str) -> None:
    """Put what is ASCII into ``data`` from ``pos`` on, where there is room for it."""
    data[pos : pos + len(value)] = value.encode("ascii")


def unsigned_from_bytes(data: bytes) -> int:
    """Read a whole number of any size, the high byte first."""
    return int.from_bytes(data, "big")


def new_row(cls: type, values: list[Any]) -> Any:
    """Make an instance of ``cls``, a subclass of tuple, from a list of values; see ``untrack``."""
    return tuple.__new__(cls, values)


def tuple_item(row: Any, key: Any) -> Any:
    """Read an item or a slice of an instance of a tuple subclass, past its own ``__getitem__``."""
    return tuple.__getitem__(row, key)


def untrack(obj: Any, values: list[Any]) -> None:
    """Take a *new* object that nobody will change away from the cyclic collector when no value can hold a cycle."""


def new_object(cls: Any) -> Any:
    """Make an instance of ``cls`` without calling ``__init__``; its layout must be object's (plus slots)."""
    return cls.__new__(cls)


def new_instance(cls: Any) -> Any:
    """Make an instance as ``object.__new__`` does; the attributes may live in a ``__dict__``."""
    obj: Any = object.__new__(cls)
    return obj


def set_attribute(obj: Any, name: str, value: Any) -> None:
    """Set an attribute past the class's own ``__setattr__`` (a frozen class has one)."""
    object.__setattr__(obj, name, value)


def slot_of(descriptor: Any) -> Any:
    """Turn a slot's member descriptor into what ``set_slot`` takes (compiled: the offset in the object)."""
    return descriptor


def set_slot(obj: Any, slot: Any, value: Any) -> None:
    """Store ``value`` in a slot of a *new* object, as ``object.__setattr__`` would."""
    slot.__set__(obj, value)


def get_slot(obj: Any, slot: Any, unset: Any) -> Any:
    """Read a slot of an object that has it; ``unset`` where it has no value."""
    try:
        return slot.__get__(obj)
    except AttributeError:
        return unset


def gc_disable() -> bool:
    """Hold the cyclic garbage collector off; return whether it was on."""
    was = gc.isenabled()
    gc.disable()
    return was


def gc_enable() -> None:
    gc.enable()


def float4_from_bits(bits: int) -> float:
    value: float = struct.unpack(">f", bits.to_bytes(4, "big"))[0]
    return value


def float8_from_bits(bits: int) -> float:
    value: float = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    return value


def bits_from_float4(value: float) -> int:
    return int.from_bytes(struct.pack(">f", value), "big")


def bits_from_float8(value: float) -> int:
    return int.from_bytes(struct.pack(">d", value), "big")
