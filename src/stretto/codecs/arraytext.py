"""Arrays, ranges and multiranges in the text format: for elements that have no binary format.

The grammar of literals is in the manual's sections "Array Input and Output Syntax" and "Range Input/Output". We write
every element and bound in quotes, which is always right; we read what the server writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stretto.codecs.arrays import NESTS_ALL, At, as_sequence, check_level, shape
from stretto.codecs.base import TEXT_FORMAT, Codec
from stretto.codecs.checks import malformed, utf8
from stretto.codecs.ranges import Range, as_range, as_ranges, make_range
from stretto.errors import EncodeError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

NO_LITERAL = "its text is no literal"
ERRORS = (EncodeError, TypeError, ValueError, OverflowError)
# Repetitions are possessive: nothing that a server sends makes them try twice.
_DIMENSIONS = re.compile(r"(?:\[[-+]?\d+:[-+]?\d+\])+=")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'(["\\])')
_BOUND = r'((?:"(?:[^"\\]|\\.|"")*+"|[^,"\\\[\]()]|\\.)*+)'
_RANGE = re.compile(rf"([\[(]){_BOUND},{_BOUND}([\])])", re.DOTALL)
_QUOTED_PART = re.compile(r'"((?:[^"\\]|\\.|"")*+)"|\\(.)|([^"\\]+)', re.DOTALL)
MAX_LEVELS = 6


def to_text(codec: Codec, value: Any) -> str:
    """Return the text that a text-format codec writes for a value."""
    buf = WriteBuffer()
    codec.encode(buf, value)
    return buf.getvalue().decode()


def from_text(codec: Codec, text: str) -> Any:
    """Return the value that a text-format codec reads from a text."""
    data = text.encode()
    return codec.decode(ReadBuffer(data), len(data))


def quoted(text: str) -> str:
    return '"' + _TO_ESCAPE.sub(r"\\\1", text) + '"'


class TextArray(Codec):
    """An array whose elements travel as text, and a list; ``delimiter`` is the element type's typdelim."""

    def __init__(
        self, name: str, oid: int, element: Codec, delimiter: str = ",", nests: tuple[type, ...] = NESTS_ALL
    ) -> None:
        super().__init__(name, oid, TEXT_FORMAT)
        self.element = element
        self.delimiter = delimiter
        self.nests = nests
        mark = re.escape(delimiter)
        # One token: a brace, a delimiter, a quoted element, or one without quotes.
        self._token = re.compile(rf'([{{}}]|{mark})|"((?:[^"\\]|\\.)*+)"|((?:[^\s{{}}"\\{mark}]|\\.)++)', re.DOTALL)

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        values = as_sequence(self, value)
        sizes = shape(self, values, self.nests)
        try:
            literal = self._literal(values, sizes)
        except At as error:
            raise error.as_encode_error(self) from None
        buf.write_bytes(utf8(self, "{}" if 0 in sizes else literal))

    def _literal(self, values: Any, sizes: list[int]) -> str:
        _, *inner = sizes
        parts = []
        for i, item in enumerate(values):
            try:
                if inner:
                    check_level(item, inner[0], self.nests)
                    parts.append(self._literal(item, inner))
                else:
                    parts.append("NULL" if item is None else quoted(to_text(self.element, item)))
            except At as error:
                error.path.insert(0, i)
                raise
            except ERRORS as error:
                raise At(i, error) from None
        return "{" + self.delimiter.join(parts) + "}"

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        text = buf.read_text(count)
        dimensions = _DIMENSIONS.match(text)
        tokens = self._tokens(text, dimensions.end() if dimensions else 0)
        if next(tokens, None) != ("{", False):
            raise malformed(self, NO_LITERAL)
        items = self._read(tokens, 1)
        if next(tokens, None) is not None:
            raise malformed(self, NO_LITERAL)
        return items

    def _tokens(self, text: str, start: int) -> Iterator[tuple[str, bool]]:
        """Yield what the literal consists of: a mark and False, or an element's text and whether it was in quotes."""
        while start < len(text):
            match = self._token.match(text, start)
            if match is None:
                raise malformed(self, NO_LITERAL)
            mark, inside, bare = match.groups()
            if mark:
                yield mark, False
            elif bare is not None:
                yield "=" + _ESCAPED.sub(r"\1", bare), bare.upper() != "NULL"
            else:
                yield "=" + _ESCAPED.sub(r"\1", inside), True
            start = match.end()

    def _read(self, tokens: Iterator[tuple[str, bool]], level: int) -> list[Any]:
        """Read up to the closing brace of this level."""
        if level > MAX_LEVELS:
            raise malformed(self, NO_LITERAL)
        items: list[Any] = []
        text, _ = token = next(tokens, ("", False))
        if text == "}":
            return items
        while True:
            if text == "{":
                items.append(self._read(tokens, level + 1))
            elif text.startswith("="):
                items.append(self._element(*token))
            else:
                raise malformed(self, NO_LITERAL)
            mark, _ = next(tokens, ("", False))
            if mark == "}":
                return items
            if mark != self.delimiter:
                raise malformed(self, NO_LITERAL)
            text, _ = token = next(tokens, ("", False))

    def _element(self, text: str, is_value: bool) -> Any:
        return from_text(self.element, text.removeprefix("=")) if is_value else None


class TextRange(Codec):
    """A range whose bounds travel as text, and a Range."""

    def __init__(self, name: str, oid: int, element: Codec) -> None:
        super().__init__(name, oid, TEXT_FORMAT)
        self.element = element

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        buf.write_bytes(utf8(self, self.literal(value)))

    def literal(self, value: Any) -> str:
        value = as_range(self, value)
        if value.isempty:
            return "empty"
        opening = "[" if value.lower_inc else "("
        closing = "]" if value.upper_inc else ")"
        return f"{opening}{self._bound('lower', value.lower)},{self._bound('upper', value.upper)}{closing}"

    def _bound(self, which: str, value: Any) -> str:
        try:
            return "" if value is None else quoted(to_text(self.element, value))
        except ERRORS as error:
            raise EncodeError(f"{self.name}: {which} bound: {error}") from None

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        text = buf.read_text(count)
        if text == "empty":
            return make_range(None, None, False, False, True)
        match = _RANGE.fullmatch(text)
        if match is None:
            raise malformed(self, NO_LITERAL)
        return self.from_match(match)

    def from_match(self, match: re.Match[str]) -> Range[Any]:
        opening, lower, upper, closing = match.groups()
        return make_range(self._value(lower), self._value(upper), opening == "[", closing == "]", False)

    def _value(self, bound: str) -> Any:
        if not bound:
            return None
        return from_text(self.element, _QUOTED_PART.sub(_unquote, bound))


def _unquote(match: re.Match[str]) -> str:
    inside, escaped, plain = match.groups()
    if inside is not None:
        return _ESCAPED.sub(r"\1", inside.replace('""', '\\"'))
    return escaped if escaped is not None else plain


class TextMultirange(Codec):
    """A multirange whose bounds travel as text, and a list of Range."""

    def __init__(self, name: str, oid: int, element: TextRange) -> None:
        super().__init__(name, oid, TEXT_FORMAT)
        self.element = element

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        literals = [self.element.literal(item) for item in as_ranges(self, value)]
        buf.write_bytes(utf8(self, "{" + ",".join(literals) + "}"))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        text = buf.read_text(count)
        items: list[Range[Any]] = []
        if text == "{}":
            return items
        place = 0
        stop = len(text) - 1
        while place < stop and text[place] == ("," if items else "{"):
            match = _RANGE.match(text, place + 1)
            if match is None:
                break
            items.append(self.element.from_match(match))
            place = match.end()
        if not items or place != stop or text[stop] != "}":
            raise malformed(self, NO_LITERAL)
        return items
