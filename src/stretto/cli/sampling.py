"""The columns of a table that is made for a CSV file: names from its header, types from a sample of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

NAME_BYTES = 50  # of the 63 that the server keeps: there is room for a number behind it
INFINITE = "double precision, infinite"  # numeric takes it since PostgreSQL 14 only
_INT4, _INT8 = 1 << 31, 1 << 63
_INTEGER = re.compile(r"[+-]?(0|[1-9]\d*)")  # a code as 00123 is no number
_DECIMAL = re.compile(r"[+-]?(0|[1-9]\d*)?\.\d+|[+-]?(0|[1-9]\d*)\.?")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)e([+-]?\d+)|nan", re.IGNORECASE)
_INFINITE = re.compile(r"[+-]?(inf|infinity)", re.IGNORECASE)
_DIGITS, _EXPONENT, _MOST = 15, 300, 9999  # what double precision keeps; and what an exponent can be
_BOOLEAN = {"true", "false", "t", "f", "yes", "no", "y", "n"}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)?")

# Each type takes what those before it in its line take, too.
_WIDER = {
    ("integer", "bigint"): "bigint",
    ("integer", "numeric"): "numeric",
    ("bigint", "numeric"): "numeric",
    ("integer", "double precision"): "double precision",
    ("bigint", "double precision"): "numeric",  # which keeps all digits
    ("numeric", "double precision"): "numeric",
    ("integer", INFINITE): INFINITE,
    ("bigint", INFINITE): INFINITE,
    ("numeric", INFINITE): INFINITE,
    ("double precision", INFINITE): INFINITE,
    ("date", "timestamp"): "timestamp",
}


@dataclass
class Guess:
    """What the values of a column have shown so far. ``type`` None: there was no value yet."""

    name: str
    type: str | None = None
    empty: bool = False
    null: str = ""

    def see(self, value: str) -> None:
        """Take one more value into account; what stands for NULL is none."""
        if value == self.null:
            self.empty = True
        elif self.type != "text":
            found = type_of(value)
            if self.type is None or self.type == found:
                self.type = found
            else:
                self.type = _WIDER.get((self.type, found)) or _WIDER.get((found, self.type)) or "text"

    def declared(self, *, complete: bool) -> str:
        """The type, and NOT NULL where all rows were seen and none was empty."""
        kind = "double precision" if self.type == INFINITE else self.type or "text"
        return f"{kind}{' not null' * (complete and not self.empty and self.type is not None)}"


def type_of(value: str) -> str:
    """The narrowest type that takes a value."""
    if _INTEGER.fullmatch(value):
        number = int(value) if len(value) < 20 else _INT8
        return "integer" if -_INT4 <= number < _INT4 else "bigint" if -_INT8 <= number < _INT8 else "numeric"
    if _DECIMAL.fullmatch(value):
        return "numeric"
    if float_ := _FLOAT.fullmatch(value):
        return _type_of_float(*float_.groups("0"))
    if _INFINITE.fullmatch(value):
        return INFINITE
    if value.lower() in _BOOLEAN:
        return "boolean"
    if _UUID.fullmatch(value):
        return "uuid"
    if _DATE.fullmatch(value):
        return "date" if _is_right(date.fromisoformat, value) else "text"
    moment = _MOMENT.fullmatch(value)
    if moment is not None and _is_right(datetime.fromisoformat, value):
        return "timestamptz" if moment[3] else "timestamp"
    return "text"


def _type_of_float(digits: str, exponent: str) -> str:
    """That of a number with an exponent: what double precision would round or not take is numeric."""
    if len(exponent) > len(str(_MOST)) + 1 or abs(int(exponent)) > _MOST:
        return "text"  # a code as 12e345678
    short = len(digits.replace(".", "").strip("0")) <= _DIGITS and abs(int(exponent)) < _EXPONENT
    return "double precision" if short else "numeric"


def _is_right(read: Callable[[str], object], value: str) -> bool:
    with suppress(ValueError):
        read(value)
        return True
    return False


def guesses(names: Sequence[str], rows: Iterable[Sequence[str]], null: str = "") -> list[Guess]:
    """Look at rows, in which ``null`` is NULL; what a row has too many or too few is for the server to refuse."""
    found = [Guess(name, null=null) for name in names]
    for row in rows:
        for guess, value in zip(found, row, strict=False):
            guess.see(value)
    return found


def named(header: Sequence[str]) -> list[str]:
    """Names for columns: in small letters, digits and underscores, none twice."""
    return list(_named(header))


def _named(header: Sequence[str]) -> Iterator[str]:
    taken: set[str] = set()
    for place, text in enumerate(header, 1):
        plain = re.sub(r"\W+", "_", text.strip()).strip("_").lower()
        name = plain.encode()[:NAME_BYTES].decode(errors="ignore") or f"column_{place}"
        base, number = name, 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        yield name
