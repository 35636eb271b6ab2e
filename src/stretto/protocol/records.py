"""Records in bytes that are to be copied in: where they end, and how many there are, in COPY's three formats.

A Cutter is given bytes as they come and gives whole records back, so that they can be sent as several COPY commands.
The rules are the server's (copyfromparse.c): in CSV a line's end counts outside of quotes only, and every quote opens
or closes; in text a line's end behind a backslash is data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stretto.errors import UsageError
from stretto.protocol.copying import HEADER, TRAILER, after_header, whole_rows

MOST = (1 << 30) - 1  # bytes of a record; the server has no room for a longer line


class Cutter:
    """Cuts a stream of bytes at the ends of records: ``take`` gives the whole ones so far, ``end`` what is left.

    ``opening`` and ``closing`` are what each COPY has around its records. Bytes of a record that is not whole are kept
    in pieces, each of which is looked at once.
    """

    opening = b""
    closing = b""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, data: bytes) -> bytes:
        """Whole records, of what was kept and these bytes. Raises UsageError for one that is too long to be sent."""
        raise NotImplementedError

    def end(self) -> bytes:
        """The last record, which has no line's end; nothing where there is none."""
        return self._kept()

    def count(self, data: bytes) -> int:
        """How many records these whole ones are."""
        return len(self.records(data))

    def records(self, data: bytes) -> list[bytes]:
        """Each of these records, with its end."""
        raise NotImplementedError

    def lines(self, data: bytes) -> int:
        """How many ends of lines there are in whole records, in quotes too."""
        return 0

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MOST:
            raise UsageError(
                f"a record of the source has more than {MOST} bytes, which the server cannot take: is a quote never "
                "closed, or is quote=, escape= or format= another?"
            )

    def _kept(self) -> bytes:
        """What was kept, which is no more."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        return b"".join(pieces)


class _Lines(Cutter):
    """Records that are lines, found by a pattern; ``_special`` is a byte without which each line is a record.

    ``_behind``: bytes at the end that say nothing without the next one: an escape, a carriage return of the first line.
    """

    def __init__(self, pattern: bytes, special: bytes) -> None:
        super().__init__()
        self._pattern = pattern
        self._special = special
        self._newline = self._behind = b""
        self._find: Any = None

    def take(self, data: bytes) -> bytes:
        data, self._behind = self._behind + data, b""
        end = self._end(data) if self._newline or self._choose(data) else 0
        whole = b""
        if end:
            self._pieces.append(data[:end])
            whole = self._kept()
        self._keep(data[end : len(data) - len(self._behind)])
        return whole

    def end(self) -> bytes:
        if not self._newline:
            self._use(b"\n")
        behind, self._behind = self._behind, b""
        return super().end() + behind

    def _choose(self, data: bytes) -> bool:
        """The first record's end says what ends a line; a carriage return at the very end does not tell yet."""
        place = self._first(data)
        if place < 0:
            return False
        ended = data[place : place + 2]
        if ended == b"\r":
            self._behind = ended
            return False
        self._use(b"\r" if ended[:1] == b"\r" and ended != b"\r\n" else b"\n")
        return True

    def _first(self, data: bytes) -> int:
        """The first line's end that ends a record, whichever it is; below 0 where there is none."""
        raise NotImplementedError

    def _end(self, data: bytes) -> int:
        """Behind the last whole record."""
        raise NotImplementedError

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

    def lines(self, data: bytes) -> int:
        return data.count(self._newline)

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
        self._inside = False  # of quotes, behind what is kept
        q, e = re.escape(quote), re.escape(escape)
        inside = rb"[^%b]*+" % q if self._plain else rb"(?:[^%b%b]++|%b.)*+" % (q, e, e)
        super().__init__(rb"(?:[^%b@]++|%b%b%b)*+@" % (q, q, inside, q), quote)
        self._quoted: Any = re.compile(inside, re.DOTALL)  # it matches anything, nothing too
        self._mark = re.compile(rb"[%b\r\n]" % q)

    def count(self, data: bytes) -> int:
        if not self._plain or self._special not in data:
            return super().count(data)
        parts = data.split(self._special)
        ended = len(parts) % 2 and data.endswith(self._newline)
        return sum([part.count(self._newline) for part in parts[::2]]) + (not ended)

    def _first(self, data: bytes) -> int:
        before = self._inside
        for place in self._ends(data):
            if data[place : place + 2] != b"\r":  # all of it is looked at again
                self._inside = before
            return place
        return -1

    def _end(self, data: bytes) -> int:
        if not self._plain:
            found = [place for place in self._ends(data) if data.startswith(self._newline, place)]
            return found[-1] + 1 if found else 0
        newline, quote = self._newline, self._special
        place, before = data.rfind(newline), self._inside
        self._inside = before ^ (data.count(quote) % 2 == 1)
        if place < 0:
            return 0
        inside = before ^ (data.count(quote, 0, place) % 2 == 1)
        while place >= 0 and inside:
            last = data.rfind(newline, 0, place)
            inside ^= data.count(quote, max(last, 0), place) % 2 == 1
            place = last
        return place + 1

    def _ends(self, data: bytes) -> Iterator[int]:
        """Where line's ends are outside of quotes. When all are told, it is known whether the last byte is inside."""
        place = 0
        while place < len(data):
            if self._inside:
                place = self._quoted.match(data, place).end()
                if data.startswith(self._special, place):
                    self._inside = False
                else:  # an escape without what is behind it, or nothing
                    self._behind = data[place:]
                    return
            else:
                mark = self._mark.search(data, place)
                if mark is None:
                    return
                place = mark.start()
                if mark[0] == self._special:
                    self._inside = True
                else:
                    yield place
            place += 1


_ESCAPED = re.compile(rb"(?:[^\\\r\n]++|\\.)*+", re.DOTALL)


class TextCutter(_Lines):
    """COPY's text format. Behind a line of ``\\.`` alone nothing is data, as for the server."""

    def __init__(self) -> None:
        super().__init__(rb"(?:[^\\@]++|\\.)*+@", b"\\")
        self._marked = False

    def take(self, data: bytes) -> bytes:
        return b"" if self._marked else self._before_mark(super().take(data))

    def end(self) -> bytes:
        return b"" if self._marked else self._before_mark(super().end())

    def _before_mark(self, data: bytes) -> bytes:
        if b"\\." not in data:
            return data
        place = 0
        for record in self.records(data):
            if record.rstrip(b"\r\n") == b"\\." != record:  # one without an end the server may refuse
                self._marked = True
                return data[:place]
            place += len(record)
        return data

    def _first(self, data: bytes) -> int:
        found = _ESCAPED.match(data)
        place = 0 if found is None else found.end()
        if data[place : place + 1] in (b"\r", b"\n"):
            return place
        self._behind = data[place:]  # a backslash, or nothing
        return -1

    def _end(self, data: bytes) -> int:
        if _is_escaped(data, len(data)):
            self._behind = b"\\"
        place = data.rfind(self._newline)
        while place > 0 and _is_escaped(data, place):
            place = data.rfind(self._newline, 0, place)
        return place + 1


def _is_escaped(data: bytes, place: int) -> bool:
    """Whether the byte at this place is behind a backslash that is not itself behind one."""
    start = place
    while start > 0 and data.startswith(b"\\", start - 1):
        start -= 1
    return (place - start) % 2 == 1


class BinaryCutter(Cutter):
    """COPY's binary format, without its header and trailer."""

    opening = HEADER
    closing = TRAILER

    def __init__(self) -> None:
        super().__init__()
        self._begun = self._ended = False

    def take(self, data: bytes) -> bytes:
        if self._ended:
            self._check_behind(data)
            return b""
        data = self._kept() + data
        place = 0
        if not self._begun:
            place = after_header(data)
            self._begun = place > 0
        if not self._begun:
            self._keep(data)
            return b""
        end, _, self._ended = whole_rows(data, place)
        if self._ended:
            self._check_behind(data[end + len(TRAILER) :])
        else:
            self._keep(data[end:])
        return data[place:end]

    def end(self) -> bytes:
        if not self._ended:
            raise no_trailer()
        return b""

    def _check_behind(self, data: bytes) -> None:
        if data:
            raise UsageError("the source is no binary COPY: there is more of it behind its trailer")

    def count(self, data: bytes) -> int:
        return int(whole_rows(data, 0)[1])

    def records(self, data: bytes) -> list[bytes]:
        found, place = [], 0
        while place < len(data):
            end = whole_rows(data, place, 1)[0]
            found.append(data[place:end])
            place = end
        return found


def no_trailer() -> UsageError:
    """What is raised for binary data that is not whole."""
    return UsageError("the source is no whole binary COPY: it ends before its trailer")


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
