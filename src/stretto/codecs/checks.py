"""What the codecs ask of a value before a byte of it is written, and the errors they answer with.

No value is shown in an error: it may be secret.
"""

from __future__ import annotations

from typing import Any

from stretto.codecs.base import Codec, wrong_type
from stretto.errors import DecodeError, EncodeError, ProtocolError
from stretto.wire.buffer import MAX_MESSAGE

_MAX_MESSAGE = MAX_MESSAGE  # a C constant (checks.pxd)


def is_bool(value: Any) -> bool:
    """Say whether a value is a bool, Python's or numpy's."""
    cls = type(value)
    return cls is bool or (cls.__module__ == "numpy" and cls.__name__ in ("bool", "bool_"))


def as_int(codec: Codec, value: Any) -> int:
    """Turn an int subclass or an object with ``__index__`` (numpy's integers) into an int; refuse bool."""
    if is_bool(value) or not hasattr(value, "__index__"):
        raise wrong_type(codec, "an int", value)
    return int(value.__index__())


def as_float(codec: Codec, value: Any) -> float:
    """Turn an int or an object with ``__float__`` (Decimal, Fraction, numpy's) into the nearest float; refuse bool.

    What is finite becomes no infinity, and what is not 0 no 0: as PostgreSQL's 22003.
    """
    if is_bool(value) or not hasattr(value, "__float__"):
        raise wrong_type(codec, "a float", value)
    try:
        number = float(value)
    except OverflowError:
        raise out_of_range(codec) from None
    if (number == 0 or number - number != 0) and number == number and value != number:
        raise out_of_range(codec)
    return number


def bounded(codec: Codec, value: Any, low: int, high: int) -> int:
    """Turn a value into an int from ``low`` to ``high``, which are int64."""
    if type(value) is not int:
        value = as_int(codec, value)
    try:
        number: int = value  # compiled: an int64, or OverflowError
    except OverflowError:
        raise out_of_range(codec) from None
    if number < low or number > high:
        raise out_of_range(codec)
    return number


def unsigned64(codec: Codec, value: Any) -> Any:
    """Turn a value into an int from 0 to 2**64 - 1."""
    if type(value) is not int:
        value = as_int(codec, value)
    if not 0 <= value <= 0xFFFFFFFFFFFFFFFF:
        raise out_of_range(codec)
    return value


def utf8(codec: Codec, value: Any) -> bytes:
    """Encode a str or a subclass of it; NUL and lone surrogates raise EncodeError, for PostgreSQL has neither."""
    if not isinstance(value, str):
        raise wrong_type(codec, "a str", value)
    check_size(len(value))
    try:
        data = str.encode(value, "utf-8")
    except UnicodeEncodeError:
        raise EncodeError(f"{codec.name} takes no lone surrogate: they have no place in UTF-8") from None
    if b"\0" in data:
        raise EncodeError(f"{codec.name} takes no NUL character: remove it, or use bytea")
    return data


def check_size(count: int) -> int:
    """Return the size of a value; raise EncodeError for one that no message can hold, before it is copied."""
    if count > _MAX_MESSAGE:
        raise EncodeError("a value of 1 GB or more cannot be sent: split it")
    return count


def out_of_range(codec: Codec) -> EncodeError:
    """Make the error for a value beyond the limits of a type."""
    return EncodeError(f"the value is out of range for {codec.name}")


def malformed(codec: Codec, what: str) -> ProtocolError:
    """Make the error for a payload that no server sends."""
    return ProtocolError(f"the server sent a malformed {codec.name}: {what}")


def no_place(codec: Codec, what: str, where: str) -> DecodeError:
    """Make the error for a value that Python has no place for."""
    return DecodeError(f"{codec.name} {what} has no place in {where}: select it as text, with {codec.name}::text")
