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


class Source:
    """One file; ``-`` is the standard input, which can be read once only, and not sampled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read = 0  # bytes of the file itself, packed or not

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
    def _open(self) -> Iterator[tuple[IO[bytes], Any]]:
        """The file, and the stream of what is in it."""
        if self.path == STDIN:
            yield sys.stdin.buffer, sys.stdin.buffer
            return
        with open(self.path, "rb") as file:
            if self.path.suffix.lower() == ".gz":
                with gzip.open(file, "rb") as unpacked:
                    yield file, unpacked
            else:
                yield file, file

    def pieces(self) -> Iterator[bytes]:
        """What is in it; ``read`` grows. Raises OSError, also for what gzip did not write."""
        with self._open() as (file, stream):
            try:
                while piece := stream.read(PIECE):
                    with suppress(OSError):  # a pipe has no place
                        self.read = file.tell()
                    yield piece
            except (EOFError, gzip.zlib.error) as error:  # type: ignore[attr-defined]  # gzip imports it
                raise OSError(f"{self.name} is not whole: {error}") from error

    def delimiter(self) -> str:
        """The delimiter that stands most often in the first line."""
        if self.path == STDIN:
            return ","
        with self._open() as (_, stream):
            line = stream.readline(1 << 16).decode("utf-8", "replace")
        return max(DELIMITERS, key=line.count)  # the first of them, where there is none

    def sample(self, delimiter: str, *, header: bool, rows: int) -> Sample:
        """The header and the first rows (0: all). Raises UsageError where it can't be read twice, or is no UTF-8."""
        if self.path == STDIN:
            raise UsageError("the standard input can't be looked at beforehand: --create needs a file")
        with self._open() as (_, stream):
            reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), delimiter=delimiter)
            try:
                first = next(reader, None) if header else None
                found = list(islice(reader, rows or None))
                return Sample(first, [row for row in found if row], next(reader, None) is None)
            except (csv.Error, UnicodeDecodeError) as error:
                raise UsageError(f"{self.name}, line {reader.line_num + 1}: {error}") from error
