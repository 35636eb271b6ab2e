"""What no message can hold is refused before it is copied. The values are of memory that nobody has touched yet."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cases import FUZZED

import stretto
from stretto.errors import EncodeError, Error, UsageError

SIZE = 1 << 30
SPARE = 100 << 20  # bytes; a copy would be ten times as much


def blank_str() -> str:
    make = ctypes.pythonapi.PyUnicode_New
    make.argtypes, make.restype = (ctypes.c_ssize_t, ctypes.c_uint32), ctypes.py_object
    text: str = make(SIZE, 127)
    return text


def blank_bytes() -> bytes:
    make = ctypes.pythonapi.PyBytes_FromStringAndSize
    make.argtypes, make.restype = (ctypes.c_void_p, ctypes.c_ssize_t), ctypes.py_object
    data: bytes = make(None, SIZE)
    return data


@pytest.fixture
def blank_map() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, SIZE) as blank:
        yield blank


def most() -> int:
    """The most memory that this process has had since it was last reset, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def refused(kind: type[Error], call: Callable[..., Any], *args: Any) -> None:
    """The call is refused for the size, and takes no memory for it."""
    Path("/proc/self/clear_refs").write_text("5")
    before = most()
    with pytest.raises(kind, match="1 GB"):
        call(*args)
    assert most() - before < SPARE


ARGUMENTS: dict[str, Callable[[mmap.mmap], Any]] = {
    "bytea": lambda blank: blank_bytes(),
    "bytea, a memoryview": memoryview,
    "bytea, a memoryview of wide elements": lambda blank: memoryview(blank).cast("q"),
    "text": lambda blank: blank_str(),
    "varchar": lambda blank: blank_str(),
    "bytea[]": lambda blank: [b"", blank_bytes()],
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_value_of_a_gigabyte_is_refused_before_it_is_copied(server_url: str, blank_map: mmap.mmap, name: str) -> None:
    sql = f"select $1::{name.partition(',')[0]}"
    with stretto.Database(server_url, connections=1) as db:
        assert db.fetchval(sql, None) is None
        value = ARGUMENTS[name](blank_map)
        refused(EncodeError, db.fetchval, sql, value)
        refused(EncodeError, db.executemany, sql, [(None,), (value,)])
        del value  # a view keeps its map open
        assert db.fetchval("select 1") == 1


@pytest.mark.parametrize("verb", ["fetch", "execute", "executemany"])
def test_a_statement_of_a_gigabyte_is_refused_before_it_is_copied(server_url: str, verb: str) -> None:
    with stretto.Database(server_url, connections=1) as db:
        refused(UsageError, getattr(db, verb), blank_str(), *([[()]] if verb == "executemany" else []))
        assert db.fetchval("select 1") == 1


def test_a_chunk_of_a_gigabyte_is_not_copied_into_a_copy(server_url: str) -> None:
    with stretto.Database(server_url, connections=1) as db, db.connection() as connection:
        connection.execute("create temporary table item (a text)")
        refused(EncodeError, lambda: connection.copy_in("item", [b"1\n", blank_bytes()], format="csv"))
        assert connection.fetchval("select count(*) from item") == 0


HEAVY = 10 << 30  # bytes: a value is here twice and on its way twice, and the server has it three times


def free() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


in_fuzz = pytest.mark.skipif(not FUZZED or free() < HEAVY, reason="in `make fuzz`, with 10 GB of memory")


@in_fuzz
@pytest.mark.slow
@pytest.mark.fuzz(1)
def test_a_value_of_almost_a_gigabyte_goes_both_ways(server_url: str) -> None:
    block = random.Random(0).randbytes((1 << 20) + 1)
    value = (block * (SIZE // len(block) + 1))[: SIZE - 64]
    with stretto.Database(server_url, connections=1) as db:
        assert db.fetchval("select md5($1::bytea)", value) == hashlib.md5(value).hexdigest()
        assert db.fetchval("select $1::bytea", value) == value
        assert db.fetchval("select 1") == 1


@in_fuzz
@pytest.mark.slow
@pytest.mark.fuzz(1)
def test_values_that_are_a_gigabyte_together_are_refused(server_url: str) -> None:
    half = bytes(SIZE // 2)
    with stretto.Database(server_url, connections=1) as db:
        with pytest.raises(EncodeError, match="1 GB"):
            db.fetchval("select octet_length($1::bytea) + octet_length($2::bytea)", half, half)
        assert db.fetchval("select octet_length($1::bytea)", half) == len(half)
