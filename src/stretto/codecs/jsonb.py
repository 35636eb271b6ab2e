"""json and jsonb, decoded by default.

In goes what ``dumps`` takes (the default one: also objects of typed classes, see ``plain``), out comes what ``loads``
makes; both can be replaced (orjson, or ``str`` and ``str`` for raw text). A str is a JSON string, not JSON already
written; None is SQL's NULL, as everywhere. The default ``dumps`` takes no NaN and no infinity; the default ``loads``
reads a number with a point or an exponent as the nearest float, and refuses one beyond them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from datetime import date, time
from decimal import Decimal
from enum import Enum
from json import JSONDecoder, JSONEncoder
from typing import Any
from uuid import UUID

from stretto.codecs.base import BINARY_FORMAT, Codec
from stretto.codecs.checks import malformed, utf8
from stretto.errors import DecodeError, EncodeError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def finite(text: str) -> float:
    """Read a JSON number; ValueError when no float is near it."""
    value = float(text)
    if value - value != 0:
        raise ValueError("a number beyond the range of float")
    return value


def plain(value: Any) -> Any:
    """What the default ``dumps`` makes of an object of a typed class: its fields. Raises TypeError for all others.

    Such are dataclasses (Models, too), attrs classes, msgspec Structs and pydantic models. In their fields, whose
    classes are known where they are read, members of Enums become their values, and dates, times, UUIDs and Decimals
    their text; by themselves these are refused.
    """
    if not isinstance(value, type):
        if hasattr(value, "__pydantic_fields__"):
            return value.model_dump(mode="json")
        for name in ("__dataclass_fields__", "__struct_fields__", "__attrs_attrs__"):
            found = getattr(value, name, None)
            if found is not None:
                named: Any = fields(value) if name == "__dataclass_fields__" else found  # no InitVars
                keys = [getattr(one, "name", one) for one in named]
                return {key: _in_field(getattr(value, key)) for key in keys}
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _in_field(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_in_field(item) for item in value]
    if isinstance(value, dict):
        return {key: _in_field(item) for key, item in value.items()}
    return value


default_dumps: Callable[[Any], str | bytes] = JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain
).encode
_decoder = JSONDecoder(parse_float=finite)
_scan: Callable[[str, int], tuple[Any, int]] = vars(_decoder)["scan_once"]  # not in the type stubs


def default_loads(text: str) -> Any:
    """Read JSON as ``json.loads`` does, at 60 % of its cost where there is no white space around it."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return _decoder.decode(text)
    return value if end == len(text) else _decoder.decode(text)


class Json(Codec):
    """json: its text."""

    def __init__(
        self,
        name: str,
        oid: int = 0,
        format: int = BINARY_FORMAT,
        dumps: Callable[[Any], str | bytes] | None = None,
        loads: Callable[[str], Any] | None = None,
    ) -> None:
        super().__init__(name, oid, format)
        self.dumps = dumps or default_dumps
        self.loads = loads or default_loads

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        buf.write_bytes(self._dump(value))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return self._load(buf.read_text(count))

    def _load(self, text: str) -> Any:
        try:
            return self.loads(text)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"{self.name} cannot be read: {reason(error)}; select it as text") from None

    def _dump(self, value: Any) -> bytes:
        try:
            text = self.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise EncodeError(f"{self.name} cannot be written: {reason(error)}") from None
        return text if type(text) is bytes else utf8(self, text)


class Jsonb(Json):
    """jsonb: the version byte 1 and its text."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        data = self._dump(value)
        if b"\\u0000" in data and _ESCAPED_NUL.search(data.decode("utf-8", "replace")):
            raise EncodeError(f"{self.name} takes no NUL character: remove it, or use json")
        buf.write_uint8(1)
        buf.write_bytes(data)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        version = buf.read_uint8()
        if version != 1:
            raise malformed(self, f"version {version}")
        return self._load(buf.read_text(count - 1))


def reason(error: Exception) -> str:
    """Say what went wrong without quoting the value: JSONDecodeError and ValueError may hold it."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, TypeError):
        return str(error)
    message = str(getattr(error, "msg", error)).partition(":")[0]
    return message or type(error).__name__
