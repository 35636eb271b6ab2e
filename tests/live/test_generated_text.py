"""Generated text by each way in and out: parameters, many at once, arrays, composites, jsonb, COPY in each format."""

from __future__ import annotations

import csv
import io
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.live.generated import TYPES

import stretto

# What has a meaning somewhere on the way: to COPY, to literals, to Python, to UTF-8.
AWKWARD = [
    "",
    " ",
    "\\",
    "\\N",
    "\\.",
    "\n",
    "\r\n",
    "\t",
    '"',
    '""',
    ",",
    "NULL",
    "(,)",
    "{}",
    "\x7f\x01",
    "é",
    "e\u0301",
]
AWKWARD += ["\U0010ffff", "\ufffe", "\ufeff", "\u2028", "😀", "'", "$1", "%s", "a" * 70_000]
COUNT = 200


def texts(r: random.Random) -> list[str]:
    made = [TYPES["text"](r) for _ in range(COUNT)]
    return AWKWARD + made + ["".join(r.choices(AWKWARD[:-1], k=5)) for _ in range(COUNT)]


def by_parameters(db: Any, values: list[str]) -> None:
    for n, value in enumerate(values):
        db.execute("insert into word values ($1, $2)", n, value)


def by_a_batch(db: Any, values: list[str]) -> None:
    db.executemany("insert into word values ($1, $2)", list(enumerate(values)))


def by_an_array(db: Any, values: list[str]) -> None:
    db.execute("insert into word select n - 1, t from unnest($1::text[]) with ordinality u (t, n)", values)


def by_composites(db: Any, values: list[str]) -> None:
    db.execute("insert into word select u.* from unnest($1::word[]) u", list(enumerate(values)))


def by_jsonb(db: Any, values: list[str]) -> None:
    sql = "insert into word select n - 1, t from jsonb_array_elements_text($1) with ordinality u (t, n)"
    db.execute(sql, values)


def by_copy_of_rows(db: Any, values: list[str]) -> None:
    db.copy_in("word", list(enumerate(values)))


def by_copy_of_csv(db: Any, values: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(enumerate(values))
    db.copy_in("word", file.getvalue().encode(), format="csv")


def by_stream(db: Any) -> list[str]:
    return list(db.stream("select t from word order by n", into=str, batch=50))


def as_composites(db: Any) -> list[str]:
    return [each[0].t for each in db.fetch("select w from word w order by n")]


def by_csv(db: Any) -> list[str]:
    out: list[bytes] = []
    db.copy_out("select t from word order by n", out.append, force_quote="*")
    return [row[0] for row in csv.reader(io.StringIO(b"".join(out).decode(), newline=""))]


WAYS_IN: list[Callable[[Any, list[str]], None]] = [
    by_parameters,
    by_a_batch,
    by_an_array,
    by_composites,
    by_jsonb,
    by_copy_of_rows,
    by_copy_of_csv,
]
WAYS_OUT: dict[str, Callable[[Any], list[str]]] = {
    "column": lambda db: [row.t for row in db.fetch("select t from word order by n")],
    "stream": by_stream,
    "array": lambda db: list(db.fetchval("select array_agg(t order by n) from word")),
    "composite": as_composites,
    "jsonb": lambda db: list(db.fetchval("select jsonb_agg(t order by n) from word")),
    "csv": by_csv,
}


@pytest.fixture(scope="module")
def db(server_url: str) -> Iterator[Any]:
    name = f"generated_text_{os.getpid()}"
    with stretto.Database(server_url, connections=1, server_settings={"search_path": name}) as db:
        db.execute(f"create schema {name}; create table {name}.word (n int, t text not null)")
        yield db
        db.execute(f"drop schema {name} cascade")


@pytest.mark.parametrize("way_in", WAYS_IN)
def test_text_is_the_same_by_each_way_in_and_out(db: Any, way_in: Callable[[Any, list[str]], None]) -> None:
    values = texts(random.Random(way_in.__name__))
    db.execute("truncate word")
    way_in(db, values)
    for name, way_out in WAYS_OUT.items():
        assert way_out(db) == values, name
