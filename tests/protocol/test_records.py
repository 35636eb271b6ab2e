"""Bytes that are to be copied in are cut where the server says that a record ends, however they come."""

from __future__ import annotations

import csv
import io
import random

import pytest

from stretto.errors import ProtocolError, UsageError
from stretto.protocol import records
from stretto.protocol.copying import HEADER, TRAILER, Walk
from stretto.protocol.records import Cutter, cutter_of

Case = tuple[str, dict[str, str], list[bytes]]

CASES: dict[str, Case] = {
    "nothing": ("csv", {}, []),
    "plain": ("csv", {}, [b"1,2\n", b"\n", b"3,4\n"]),
    "no end": ("csv", {}, [b"1,2\n", b"3,4"]),
    "carriage returns": ("csv", {}, [b"1\r\n", b'"a\r\nb"\r\n', b"2\r\n"]),
    "old Macintosh": ("csv", {}, [b"1,2\r", b'"a\rb"\r', b"3\r"]),
    "quotes": ("csv", {}, [b'"a\nb"\n', b'"say ""hi""\n"",\n"\n', b'x"\n"y\n', b'""\n', b'""""\n']),
    "another quote": ("csv", {"quote": "'"}, [b"'a\nb'\n", b'"\n', b"'it''s\n'\n"]),
    "another escape": ("csv", {"escape": "\\"}, [b'"a\\"\nb"\n', b'"\\\\"\n', b"\\\n", b'"\\n\n"\n', b"5\n"]),
    "a quote never closed": ("csv", {}, [b"1\n", b'"a\n2\n']),
    "a header with another line's end in quotes": ("csv", {}, [b'id,"s\rx"\n', b"1,a\n", b"2,c\n"]),
    "carriage returns, and a line's end in quotes": ("csv", {}, [b"id,s\r", b'1,"a\nb"\r', b"2,c\r"]),
    "an escape before the first end": ("csv", {"escape": "\\"}, [b'"a\\"\r"\n', b"1\n", b'"\\\n\\\\"\n', b'"\\']),
    "only a carriage return": ("csv", {}, [b"1,2\r"]),
    "text of an old Macintosh": ("text", {}, [b"a\\\nb\r", b"2\r", b"\\\r\r", b"3"]),
    "text with an escaped carriage return": ("text", {}, [b"a\\\rb\n", b"2\n", b"\\"]),
    "text": ("text", {}, [b"1\t2\n", b"a\\\nb\n", b"\\\\\n", b"\\\\\\\n\n", b"\\N\n"]),
    "text without an end": ("text", {}, [b"1\n", b"2"]),
    "binary": ("binary", {}, [b"\0\1\0\0\0\2ab", b"\0\2\xff\xff\xff\xff\0\0\0\0", b"\0\0"]),
    "no binary": ("binary", {}, []),
}


def cut(cutter: Cutter, data: bytes, size: int) -> tuple[list[bytes], int]:
    """All records, and how many they were counted to be, of data that came in pieces of this size."""
    found: list[bytes] = []
    count = 0
    pieces = [cutter.take(data[i : i + size]) for i in range(0, len(data), size)]
    for whole in [*pieces, cutter.end()]:
        if whole:
            found += cutter.records(whole)
            count += cutter.count(whole)
    return found, count


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("format", "options", "expected"), CASES.values(), ids=CASES)
def test_records_are_whole_and_counted(format: str, options: dict[str, str], expected: list[bytes], size: int) -> None:
    data = b"".join(expected)
    if format == "binary":
        data = HEADER + data + TRAILER
    assert cut(cutter_of(format, options), data, size) == (expected, len(expected))


@pytest.mark.parametrize("seed", range(20))
def test_csv_is_cut_as_pythons_writer_has_written_it(seed: int) -> None:
    chance = random.Random(seed)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator=chance.choice(["\n", "\r\n"]))
    expected, before = [], 0
    for _ in range(50):
        writer.writerow(["".join(chance.choices('ab",\n', k=chance.randrange(6))) for _ in range(3)])
        expected.append(file.getvalue()[before:].encode())
        before = len(file.getvalue())
    data = file.getvalue().encode()
    assert cut(cutter_of("csv", {}), data, chance.randrange(1, 100)) == (expected, 50)


BROKEN = {
    "signature": (b"PGDUMP\n\xff\r\n\0" + bytes(8), UsageError, "signature"),
    "in a row": (HEADER + b"\0\1\0\0\0\5ab", UsageError, "before its trailer"),
    "in the header": (HEADER[:15], UsageError, "before its trailer"),
    "no trailer": (HEADER + b"\0\0", UsageError, "before its trailer"),
    "number of fields": (HEADER + b"\xff\xfe", ProtocolError, "-2 fields"),
}


@pytest.mark.parametrize(("data", "kind", "text"), BROKEN.values(), ids=BROKEN)
def test_broken_binary_is_refused(data: bytes, kind: type[Exception], text: str) -> None:
    cutter = cutter_of("binary", {})
    with pytest.raises(kind, match=text):
        cutter.take(data)
        cutter.end()


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_what_stands_behind_a_binary_trailer_is_refused(size: int) -> None:
    data = HEADER + b"\0\0" + TRAILER
    cutter = cutter_of("binary", {})
    assert b"".join(cutter.take(data[i : i + size]) for i in range(0, len(data), size)) == b"\0\0"
    assert cutter.end() == b""
    with pytest.raises(UsageError, match="more of it behind its trailer"):
        cutter.take(b"m")
    with pytest.raises(UsageError, match="more of it behind its trailer"):
        cutter_of("binary", {}).take(data + b"m")


# What a piece begins with, the rows that are whole, and whether the trailer is due.
ROWS = [b"\0\1\0\0\0\2ab", b"\0\2\xff\xff\xff\xff\0\0\0\0", b"\0\0", b"\0\1\xff\xff\xff\xff"]
LONG_HEADER = HEADER[:-4] + b"\0\0\0\3xyz"
WALKS: dict[str, tuple[bytes, int, bool]] = {
    "whole": (HEADER + b"".join(ROWS) + TRAILER, 4, False),
    "with an extension": (LONG_HEADER + b"".join(ROWS) + TRAILER, 4, False),
    "no trailer": (HEADER + b"".join(ROWS), 4, True),
    "half a trailer": (HEADER + b"".join(ROWS) + TRAILER[:1], 4, True),
    "in a field": (HEADER + ROWS[0][:-1], 1, True),
    "in a length": (HEADER + ROWS[0] + ROWS[1][:4], 2, True),
    "no row": (HEADER + TRAILER, 0, False),
    "no row, no trailer": (HEADER, 0, True),
    "more behind it": (HEADER + ROWS[0] + TRAILER + b"\0\1", 1, False),
    "half a header": (HEADER[:15], 0, False),
    "no binary": (b"1,2\n" * 10, 0, False),
    "a wrong number of fields": (HEADER + ROWS[0] + b"\xff\xfe" + ROWS[0], 1, False),
}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 19, 1000])
@pytest.mark.parametrize(("data", "count", "within"), WALKS.values(), ids=WALKS)
def test_binary_data_is_followed_to_its_trailer(data: bytes, count: int, within: bool, size: int) -> None:
    walk = Walk()
    for i in range(0, len(data), size):
        walk.take(data[i : i + size])
    assert (walk.count, walk.within) == (count, within)


MARKED: list[tuple[list[bytes], list[bytes]]] = [
    ([b"1\n", b"\\.\n", b"2\n"], [b"1\n"]),
    ([b"1\r\n", b"\\.\r\n", b"2\r\n", b"\\.\r\n"], [b"1\r\n"]),
    ([b"1\n", b"\\."], [b"1\n", b"\\."]),
    ([b"\\.\n", b"2\n"], []),
    ([b"\\.git\n", b"\\\\.\n", b"a\\\n\\.\n", b"\\.\n", b"2\n"], [b"\\.git\n", b"\\\\.\n", b"a\\\n\\.\n"]),
]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(("source", "expected"), MARKED)
def test_text_ends_at_its_mark(source: list[bytes], expected: list[bytes], size: int) -> None:
    assert cut(cutter_of("text", {}), b"".join(source), size) == (expected, len(expected))


def test_an_extension_of_the_binary_header_is_passed_over() -> None:
    cutter = cutter_of("binary", {})
    assert cutter.take(HEADER[:-4] + b"\0\0\0\3xyz" + b"\0\0" + TRAILER) == b"\0\0"


@pytest.mark.parametrize("options", [{"quote": "ab"}, {"escape": "é"}])
def test_quotes_are_one_byte(options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="one ASCII character"):
        cutter_of("csv", options)


@pytest.mark.parametrize(
    ("format", "options", "begin"),
    [
        ("csv", {}, b'1,"'),
        ("csv", {"escape": "\\"}, b'1,"'),
        ("text", {}, b"1"),
        ("csv", {}, b'1\n"'),
    ],
)
def test_a_record_that_does_not_end_is_refused_once_it_is_too_long(
    format: str, options: dict[str, str], begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MOST", 10_000)
    cutter = cutter_of(format, options)
    cutter.take(begin)
    with pytest.raises(UsageError, match="a record of the source has more than 10000 bytes"):
        for _ in range(20):
            assert cutter.take(b"x\\\nx" * 200 if format == "text" else b"x\nx\n" * 200) == b""


@pytest.mark.parametrize("options", [{}, {"escape": "\\"}])
def test_the_pieces_of_a_long_record_are_put_together_once(options: dict[str, str]) -> None:
    cutter = cutter_of("csv", options)
    pieces = [b"1\n", b'"', *[b"x\n" * 1000] * 500, b'"\n', b"2\n"]
    assert [len(one) for one in map(cutter.take, pieces) if one] == [2, 1_000_003, 2]
    assert cutter.end() == b""
