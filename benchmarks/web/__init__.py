"""The web case's parts: the data and pages, an application for each framework, the check of answers, and wrk.

The tests are those of TechEmpower's Framework Benchmarks, and so are the rules, the same for all contenders: each row
is selected by a statement of its own with a Sync of its own (`IN` is not allowed, pipelining is), and of the updates
all may be written by one statement, in one commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WORLDS = 10_000  # rows, and the largest number in one
MANY = 20  # rows of a request for many, and of one that updates
MOST = 500  # what a request may ask for
ADDED = (0, "Additional fortune, put in when it was asked for.")
FORTUNES = (
    (1, "A queue is where patience is measured."),
    (2, "The cheapest statement is the one that was not sent."),
    (3, "It was the cache. It is always the cache, unless it was the clock."),
    (4, "Whoever reads 'done' can see the row."),
    (5, "Two hard things: names, invalidation, and counting from zero."),
    (6, "Every index is a promise to be kept at each write."),
    (7, "A lock that nobody waits for costs nothing & proves nothing."),
    (8, 'The plan was "a sequential scan", and so was the night.'),
    (9, "Zürich, Ærø, Łódź: know your encodings."),
    (10, "1 < 2, and NULL is neither."),
    (11, "<script>alert('This is text, and not a program.');</script>"),
    (12, "データベースは眠らない"),
)
TESTS = {
    "single": "/db",
    "many": f"/queries?queries={MANY}",
    "fortunes": "/fortunes",
    "updates": f"/updates?queries={MANY}",
}

World = Mapping[str, Any]


@dataclass(frozen=True)
class Queries:
    """What a contender does for the application: functions to be awaited.

    `one`: the row with that id, as JSON has it; `many`: those with these ids; `fortunes`: all, in rows that unpack into
    id and message; `update`: reads the rows with the ids that it is given, sets their new numbers, writes and returns
    them. The ids are in order, so that two updates never wait for each other in a circle.
    """

    one: Callable[[int], Awaitable[World]]
    many: Callable[[Sequence[int]], Awaitable[Sequence[World]]]
    fortunes: Callable[[], Awaitable[Sequence[Any]]]
    update: Callable[[Mapping[int, int]], Awaitable[Sequence[World]]]


TABLES = f"""
    drop table if exists world, fortune;
    create table world (id int4 primary key, randomnumber int4 not null) with (fillfactor = 50);
    insert into world select i, 1 + floor(random() * {WORLDS}) from generate_series(1, {WORLDS}) i;
    create table fortune (id int4 primary key, message text not null);
"""
ONE = 'select id, randomnumber as "randomNumber" from world where id = {parameter}'
ALL = "select id, message from fortune"
WRITE = "update world set randomnumber = n from unnest({ids}, {numbers}) as new (i, n) where id = i"
