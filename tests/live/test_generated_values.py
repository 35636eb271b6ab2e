"""Generated values against the real server: what we write is what it has, by its own text, and what we read back.

Each value goes there in binary, comes back in binary and as the server's text; that text is cast back on the server and
read again.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.cases import cases
from tests.live.generated import TYPES, own_types, same

import stretto

CASES = cases(-(-100_000 // len(TYPES)), len(TYPES))
BATCH = 500


def spelled_time(value: dt.time | dt.datetime) -> str:
    """As PostgreSQL writes it: no zeros at the end of the fraction, and UTC as +00."""
    text = value.replace(tzinfo=None).isoformat(*(" ",) if isinstance(value, dt.datetime) else ())
    text = text.rstrip("0") if "." in text else text
    return text + "+00" if value.tzinfo else text


# What the server must have understood, written without our codecs.
SPELLED: dict[str, Callable[[Any], str]] = {
    "bool": lambda value: "true" if value else "false",
    **dict.fromkeys(("int2", "int4", "int8", "oid", "xid8", "text", "uuid", "date", "macaddr", "macaddr8"), str),
    # There is no negative zero.
    "numeric": lambda value: format(value or value.copy_abs(), "f") if value.is_finite() else str(value),
    "bytea": lambda value: "\\x" + value.hex(),
    "time": spelled_time,
    "timestamp": spelled_time,
    "timestamptz": spelled_time,
    "cidr": str,
    "inet": str,
    "float8": lambda value: repr(value),
}
# Where several texts mean one value, they are compared as Python reads them.
READ: dict[str, Callable[[str], Any]] = {"float8": lambda text: repr(float(text))}
THERE = "select x, x::text as t from (select unnest($1::{}[]) as x) u"  # in FROM it would take rows apart
BACK = "select t::{} as x from unnest($1::text[]) with ordinality u (t, n) order by n"


@pytest.fixture(scope="module")
def settings(server_url: str) -> Iterator[dict[str, str]]:
    with own_types(server_url, f"generated_{os.getpid()}") as settings:
        yield settings


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("name", TYPES)
def test_values_are_the_servers_own(server_url: str, name: str, settings: dict[str, str]) -> None:
    r = random.Random(f"{name} {CASES}")
    count = CASES
    with stretto.Database(server_url, connections=1, server_settings=settings) as db:
        while count > 0:
            values = [TYPES[name](r) for _ in range(min(BATCH, count))]
            count -= len(values)
            rows = db.fetch(THERE.format(name), values)
            assert [same(row[0]) for row in rows] == list(map(same, values))
            if name in SPELLED:
                read = READ.get(name, str)
                assert [read(row[1]) for row in rows] == [SPELLED[name](value) for value in values]
            again = db.fetch(BACK.format(name), [row[1] for row in rows])
            assert [same(row[0]) for row in again] == list(map(same, values))
