"""Records in bytes that are to be copied in: where they end, and how many there are, in COPY's three formats.

A Cutter is given bytes as they come and gives whole records back, so that they can be sent as several COPY commands.
The rules are the server's (copyfromparse.c): in CSV a line's end counts outside of quotes only, and every quote opens
or closes; in text a line's end behind a backslash is data.
"""

from __future__ import annotations

import re
from typing import Any

from stretto.errors import UsageError
from stretto.protocol.copying import HEADER, TRAILER, after_header, whole_rows


class Cutter:
    """Cuts a stream of bytes at the ends of records: ``take`` gives the whole ones so far, ``end`` what is left.

    ``opening`` and ``closing`` are what each COPY has around its records.
    """

    opening = b""
    closing = b""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> bytes:
        """Whole records, of what was kept and these bytes."""
        data = self._rest + data if self._rest else data
        end = self._end(data)
        self._rest = data[end:]
        return data[:end] if end < len(data) else data

    def end(self) -> bytes:
        """The last record, which has no line's end; nothing where there is none."""
        rest, self._rest = self._rest, b""
        return rest

    def count(self, data: bytes) -> int:
        """How many records these whole ones are."""
        return len(self.records(data))

    def records(self, data: bytes) -> list[bytes]:
        """Each of these records, with its end."""
        raise NotImplementedError

    def _end(self, data: bytes) -> int:
        """Behind the last whole record."""
        raise NotImplementedError


class _Lines(Cutter):
    """Records that are lines, found by a pattern; ``_special`` is a byte without which each line is a record."""

    def __init__(self, pattern: bytes, special: bytes) -> None:
        super().__init__()
        self._pattern = pattern
        self._special = special
        self._newline = b""
        self._find: Any = None

    def take(self, data: bytes) -> bytes:
        if not self._newline and data:
            self._choose(self._rest + data)
        return super().take(data) if self._newline else self._keep(data)

    def end(self) -> bytes:
        if not self._newline:
            self._use(b"\n")
        return super().end()

    def _keep(self, data: bytes) -> bytes:
        self._rest += data
        return b""

    def _choose(self, data: bytes) -> None:
        """The first line's end says what ends a line; a carriage return at the very end does not tell yet."""
        if b"\n" in data:
            self._use(b"\n")
        elif b"\r" in data[:-1]:
            self._use(b"\r")

    def _use(self, newline: bytes) -> None:
        self._newline = newline
        self._find = re.compile(self._pattern.replace(b"@", newline), re.DOTALL)

    def count(self, data: bytes) -> int:
        if self._special not in data:
            return data.count(self._newline) + (not data.endswith(self._newline)) if data else 0
        return super().count(data)

    def records(self, data: bytes) -> list[bytes]:
        if self._special not in data:
            return data.splitlines(keepends=True) if b"\r" not in data else self._split(data)
        return self._split(data)

    def _split(self, data: bytes) -> list[bytes]:
        found = self._ended(data)
        size = sum(map(len, found))
        if size < len(data):  # the last one: without an end, or with a quote that is never closed
            found.append(data[size:])
        return found

    def _ended(self, data: bytes) -> list[bytes]:
        """Each record that has an end."""
        found, end = [], 0
        for match in self._find.finditer(data):
            if match.start() != end:  # what is before is no whole record
                break
            found.append(match[0])
            end = match.end()
        return found


class CsvCutter(_Lines):
    """CSV, where a doubled quote or another escape may stand inside of quotes."""

    def __init__(self, quote: bytes, escape: bytes) -> None:
        self._plain = escape == quote
        q, e = re.escape(quote), re.escape(escape)
        inside = rb"[^%b]*+" % q if self._plain else rb"(?:[^%b%b]++|%b.)*+" % (q, e, e)
        super().__init__(rb"(?:[^%b@]++|%b%b%b)*+@" % (q, q, inside, q), quote)

    def count(self, data: bytes) -> int:
        if not self._plain or self._special not in data:
            return super().count(data)
        parts = data.split(self._special)
        ended = len(parts) % 2 and data.endswith(self._newline)
        return sum([part.count(self._newline) for part in parts[::2]]) + (not ended)

    def _end(self, data: bytes) -> int:
        newline, quote = self._newline, self._special
        if quote not in data:
            return data.rfind(newline) + 1
        if not self._plain:
            return sum(map(len, self._ended(data)))
        place = data.rfind(newline)
        inside = data.count(quote, 0, max(place, 0)) % 2
        while place >= 0 and inside:
            before = data.rfind(newline, 0, place)
            inside ^= data.count(quote, max(before, 0), place) % 2
            place = before
        return place + 1


class TextCutter(_Lines):
    """COPY's text format."""

    def __init__(self) -> None:
        super().__init__(rb"(?:[^\\@]++|\\.)*+@", b"\\")

    def _end(self, data: bytes) -> int:
        place = data.rfind(self._newline)
        while place > 0 and data[place - 1 : place] == b"\\":
            head = data[:place]
            if (len(head) - len(head.rstrip(b"\\"))) % 2 == 0:
                break
            place = data.rfind(self._newline, 0, place)
        return place + 1


class BinaryCutter(Cutter):
    """COPY's binary format, without its header and trailer."""

    opening = HEADER
    closing = TRAILER

    def __init__(self) -> None:
        super().__init__()
        self._begun = self._ended = False

    def take(self, data: bytes) -> bytes:
        if self._ended:
            return b""
        if not self._begun:
            data, self._rest = self._rest + data, b""
            begin = after_header(data)
            if not begin:
                self._rest = data
                return b""
            data = data[begin:]
            self._begun = True
        whole = super().take(data)
        self._ended = whole_rows(self._rest, 0)[2]
        return whole

    def end(self) -> bytes:
        if not self._ended:
            raise UsageError("the source is no whole binary COPY: it ends before its trailer")
        return b""

    def count(self, data: bytes) -> int:
        return int(whole_rows(data, 0)[1])

    def records(self, data: bytes) -> list[bytes]:
        found, place = [], 0
        while place < len(data):
            end = whole_rows(data, place, 1)[0]
            found.append(data[place:end])
            place = end
        return found

    def _end(self, data: bytes) -> int:
        return int(whole_rows(data, 0)[0])


def cutter_of(format: str, options: Any) -> Cutter:
    """The Cutter for a format and COPY's options. Raises UsageError for a quote or escape that is no single byte."""
    if format == "binary":
        return BinaryCutter()
    if format == "text":
        return TextCutter()
    quote = str(options.get("quote") or '"').encode()
    escape = str(options.get("escape") or quote.decode()).encode()
    if len(quote) != 1 or len(escape) != 1:
        raise UsageError("quote= and escape= are one ASCII character each")
    return CsvCutter(quote, escape)
