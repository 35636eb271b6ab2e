"""The files that `stretto load` reads: plain or packed by gzip, and what their first lines say."""

from __future__ import annotations

import csv
import gzip
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from stretto.errors import UsageError

PIECE = 1 << 17
DELIMITERS = (",", ";", "\t", "|")
FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "text", ".copy": "text", ".bin": "binary", ".pgcopy": "binary"}
STDIN = Path("-")


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
            self._pipe = sys.stdin.buffer if self.path == STDIN else open(self.path, "rb")  # noqa: SIM115  # kept open
        stream = _Again(self._pipe, self._head, keep=again)
        with io.BufferedReader(stream) as reader:
            yield reader
        self._head = b"".join(stream.kept or ())
        if not again and self.path != STDIN:
            self._pipe.close()

    def pieces(self) -> Iterator[bytes]:
        """What is in it; ``read`` grows. Raises OSError, also for what gzip did not write."""
        with self._open(again=False) as (file, stream):
            try:
                while piece := stream.read(PIECE):
                    with suppress(OSError):  # a pipe has no place
                        self.read = file.tell()
                    yield piece
            except (EOFError, gzip.zlib.error) as error:  # type: ignore[attr-defined]  # gzip imports it
                raise OSError(f"{self.name} is not whole: {error}") from error

    def delimiter(self) -> str:
        """The delimiter that stands most often in the first line."""
        with self._open() as (_, stream):
            line = stream.readline(1 << 16).decode("utf-8", "replace")
        return max(DELIMITERS, key=line.count)  # the first of them, where there is none

    def sample(self, delimiter: str, *, header: bool, rows: int) -> Sample:
        """The header and the first rows (0: all). Raises UsageError where it is no UTF-8."""
        with self._open() as (_, stream):
            reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), delimiter=delimiter)
            try:
                first = next(reader, None) if header else None
                found = list(islice(reader, rows or None))
                return Sample(first, [row for row in found if row], next(reader, None) is None)
            except (csv.Error, UnicodeDecodeError) as error:
                raise UsageError(f"{self.name}, line {reader.line_num + 1}: {error}") from error
