"""The files that `stretto load` reads: plain or packed by gzip, and what their first lines say."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from stretto.errors import UsageError

PIECE = 1 << 17
BOM = codecs.BOM_UTF8
DELIMITERS = (",", ";", "\t", "|")
FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "text", ".copy": "text", ".bin": "binary", ".pgcopy": "binary"}
STDIN = Path("-")
_LINE = 1 << 20  # a header that is longer is none
_MOST = 1 << 30  # the server takes no longer value
_QUOTED = re.compile('"[^"]*("|$)')
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}  # of COPY's text format


class Sample(NamedTuple):
    """The first rows of a CSV file. ``complete``: there are no others."""

    header: list[str] | None
    rows: list[list[str]]
    complete: bool


class _Again(io.RawIOBase):
    """What can be read once only, a pipe, from its beginning: what was read before, and then the rest of it."""

    def __init__(self, pipe: IO[bytes], head: bytes, *, keep: bool) -> None:
        super().__init__()
        self._pipe = pipe
        self._head = memoryview(head)
        self.kept: list[bytes] | None = [head] if keep else None  # what comes again when it is read again

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._head:
            data = bytes(self._head[: len(buffer)])
            self._head = self._head[len(data) :]
        else:
            data = self._pipe.read1(len(buffer))  # type: ignore[attr-defined]  # a BufferedReader
            if self.kept is not None:
                self.kept.append(data)
        buffer[: len(data)] = data
        return len(data)


class Source:
    """One file; ``-`` is the standard input. Of what can be read once only, what was looked at is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read = 0  # bytes of the file itself, packed or not
        self._pipe: IO[bytes] | None = None
        self._head = b""

    @property
    def name(self) -> str:
        return "standard input" if self.path == STDIN else str(self.path)

    @property
    def size(self) -> int | None:
        """How long the file is, where that is known."""
        with suppress(OSError):
            return os.stat(self.path).st_size if self.path.is_file() else None
        return None

    @property
    def format(self) -> str:
        """The format that its name says, or CSV."""
        suffixes = [suffix.lower() for suffix in self.path.suffixes if suffix.lower() != ".gz"]
        return FORMATS.get(suffixes[-1], "csv") if suffixes else "csv"

    def check(self) -> None:
        """Raise OSError for what is not there, and for a directory."""
        if self.path != STDIN:
            os.stat(self.path)
        if self.path.is_dir():
            raise IsADirectoryError(f"{self.name} is a directory: name the files in it, as {self.name}/*.csv")

    @contextmanager
    def _looked_at(self, *, again: bool = True) -> Iterator[tuple[IO[bytes], Any]]:
        """As `_open`. Raises OSError also for what gzip did not write, or not wholly."""
        try:
            with self._open(again=again) as opened:
                yield opened
        except (EOFError, gzip.zlib.error, gzip.BadGzipFile) as error:  # type: ignore[attr-defined]  # gzip imports it
            raise OSError(f"{self.name} is not whole, or not of gzip: {error}") from error

    @contextmanager
    def _open(self, *, again: bool = True) -> Iterator[tuple[IO[bytes], Any]]:
        """The file, and the stream of what is in it. ``again``: it will be opened again."""
        with self._file(again) as file:
            if self.path.suffix.lower() == ".gz":
                with gzip.open(file, "rb") as unpacked:
                    yield file, unpacked
            else:
                yield file, file

    @contextmanager
    def _file(self, again: bool) -> Iterator[IO[bytes]]:
        if (self.path != STDIN and not self.path.exists()) or self.path.is_file():
            with open(self.path, "rb") as file:
                yield file
            return
        if self._pipe is None:
            if self.path == STDIN and sys.stdin is None:
                raise UsageError("the standard input is closed: there is nothing to load")
            self._pipe = sys.stdin.buffer if self.path == STDIN else open(self.path, "rb")  # noqa: SIM115  # kept open
        stream = _Again(self._pipe, self._head, keep=again)
        with io.BufferedReader(stream) as reader:
            yield reader
        self._head = b"".join(stream.kept or ())
        if not again and self.path != STDIN:
            self._pipe.close()

    def pieces(self, *, text: bool) -> Iterator[bytes]:
        """What is in it, of text without a byte order mark; ``read`` grows. Raises OSError, as `looked_at`."""
        with self._looked_at(again=False) as (file, stream):
            piece = stream.read(PIECE)
            if text:
                piece = piece.removeprefix(BOM) or stream.read(PIECE)
            while piece:
                with suppress(OSError):  # a pipe has no place
                    self.read = file.tell()
                yield piece
                piece = stream.read(PIECE)

    def delimiter(self) -> str:
        """The delimiter that stands most often in the first line of CSV, outside of quotes."""
        with self._looked_at() as (_, stream):
            lines, size, quotes = [stream.readline(_LINE)], 0, 0
            while lines[-1]:
                size += len(lines[-1])
                quotes += lines[-1].count(b'"')
                if quotes % 2 == 0 or size >= _LINE:
                    break
                lines.append(stream.readline(_LINE))  # that end was within quotes
        text = b"".join(lines).decode("utf-8", "replace")
        plain = re.split("[\r\n]", _QUOTED.sub("", text), maxsplit=1)[0]
        return max(DELIMITERS, key=plain.count)  # the first of them, where there is none

    def header(self, delimiter: str, *, text: bool) -> list[str]:
        """The names in the first line of CSV, or of COPY's text format. Raises UsageError where there is none."""
        if text:
            with self._looked_at() as (_, stream):
                line = self._decoded(stream.readline(_LINE).removeprefix(BOM)).rstrip("\r\n")
            found = re.findall(rf"(?:^|{re.escape(delimiter)})((?:[^{re.escape(delimiter)}\\]|\\.)*)", line)
            names = [re.sub(r"\\(.)", lambda char: _ESCAPES.get(char[1], char[1]), each) for each in found if line]
        else:
            names = self.sample(delimiter, header=True, rows=None, most=_LINE).header or []
        if not names:
            raise UsageError(f"{self.name} has no first line that names the columns: --no-header says that none is due")
        return names

    def sample(self, delimiter: str, *, header: bool, rows: int | None, most: int = _MOST) -> Sample:
        """The header and the first rows (0: all, None: none) of CSV. ``most``: the characters that a value may have.

        Raises UsageError where it is no UTF-8, or a value is too long.
        """
        with self._looked_at() as (_, stream):
            csv.field_size_limit(most)
            decoded = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
            reader = csv.reader(decoded, delimiter=delimiter)
            checked = self._checked(reader)
            first = next(checked, None) if header else None
            found = [] if rows is None else list(islice(checked, rows or None))
            return Sample(first, [row or [""] for row in found], rows is not None and next(checked, None) is None)

    def _checked(self, reader: Any) -> Iterator[list[str]]:
        """The rows of a reader. Raises UsageError, with the line where the row begins, as `sample`."""
        line = 1
        try:
            for row in reader:
                text = "".join(row)
                if not text.isascii():  # bytes that were no UTF-8 are lone surrogates now
                    self._decoded(text.encode("utf-8", "surrogateescape"), line)
                line = reader.line_num + 1
                yield row
        except csv.Error as error:
            raise UsageError(f"{self.name}, line {line}: {error}: is a quote never closed?") from error

    def _decoded(self, data: bytes, line: int = 1) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            byte = data[error.start]
            text = f"{self.name}, line {line}: the byte 0x{byte:02x} is no UTF-8: make that of it first, as by iconv"
            raise UsageError(text) from None
