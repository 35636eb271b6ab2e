"""Benchmarks measure only what is whole: lost, doubled and misplaced rows are found, and all send the same."""

from __future__ import annotations

import asyncio
import csv
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import pytest
from benchmarks import contenders
from benchmarks.cases import Job, copy, flow
from benchmarks.cases import census as case
from benchmarks.contenders import Contender
from benchmarks.measure import WrongAnswer, drive
from benchmarks.sizes import QUICK, Sizes

from stretto import Database
from stretto.cli.race.contenders.stretto_census import copy_rows
from stretto.cli.race.workloads import points
from stretto.cli.race.workloads import records as census
from stretto.cli.race.workloads.census import LINES, PLACES, Crew, Load, Worker, all_of

PLACE_COUNT, LINE_COUNT = 6, 12


@pytest.fixture(scope="module")
def url(server_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with the tables of the case."""
    name = f"census_{id(request)}"
    with Database(server_url) as admin:
        admin.execute(f"create database {name}")
        with Database(server_url, dbname=name) as db:
            case.setup(db, QUICK)
        base, question, query = server_url.partition("?")
        yield f"{base.rpartition('/')[0]}/{name}{question}{query}"
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def loaded(url: str) -> Iterator[Database]:
    """Six places and their twelve lines, stored as they should be."""
    with contextmanager(copy_rows)(url, 0, 2) as load:
        load.value(census.START)
        load.places(map(census.geo, range(PLACE_COUNT)))
        load.lines(map(census.line, range(LINE_COUNT)))
    with Database(url) as db:
        yield db


def check(db: Database) -> None:
    drive(Contender("census", "any", "python", False, open), case.check(db.fetchval, PLACE_COUNT, LINE_COUNT))


def test_what_is_stored_whole_passes_the_check(loaded: Database) -> None:
    check(loaded)
    assert loaded.fetchval("select count(*) from data_element") == PLACE_COUNT * census.PER_PLACE


DAMAGE = {
    "an element is lost": "delete from data_element where geo_record_id = 3 and dictionary_item_id = 5",
    "an element is doubled": "insert into data_element values (3, 999, 7)",
    "a value is another": "update data_element set value = value + 1 where geo_record_id = 3 and value > 0",
    "two values of a line are exchanged": """
        update data_element e set value = o.value from data_element o
        where e.geo_record_id = 2 and o.geo_record_id = 2 and e.dictionary_item_id + o.dictionary_item_id = 13
          and e.dictionary_item_id in (6, 7)""",
    "two lines are exchanged": """
        update data_element e set value = o.value from data_element o
        where e.dictionary_item_id = o.dictionary_item_id and e.geo_record_id + o.geo_record_id = 5
          and e.geo_record_id in (2, 3)""",
    "an element belongs to no place": "update data_element set geo_record_id = 999 where geo_record_id = 3",
    "a place is lost": "delete from geo_record where id = 6",
    "a place has another name": "update geo_record set name = name || '.' where id = 4",
    "a place has lost digits": "update geo_record set intptlat = intptlat + 1e-12 where id = 4",
    "all is lost": "truncate data_element",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_check_finds_that(loaded: Database, damage: str) -> None:
    loaded.execute(DAMAGE[damage])
    with pytest.raises(WrongAnswer, match="counts and sums of what is stored"):
        check(loaded)


def job(url: str, **sizes: Any) -> Job:
    variant = {"workers": 3, "commits": "off"}
    return Job("census", "any", "python", variant, url, None, None, replace(QUICK, **{"elements": 300, **sizes}))


def contender(open_: Callable[..., Any], asynchronous: bool) -> Contender:
    opening = asynccontextmanager(open_) if asynchronous else contextmanager(open_)
    return Contender("census", "any", "python", asynchronous, opening)


def test_a_contender_that_loses_a_statement_has_no_figures(url: str) -> None:
    def losing(url: str, workers: int, connections: int) -> Iterator[Any]:
        with Database(url, connections=connections) as db:
            inserts = iter(range(10**9))

            def execute(sql: str, *values: Any) -> None:
                if "data_element" not in sql or next(inserts) != 77:
                    db.execute(sql, *values)

            yield Crew([Worker(execute, db.fetch)] * workers, db.fetchval, numbered=True)

    with pytest.raises(WrongAnswer, match=r"6 .* 299 .* instead of 6 .* 300 "):
        case.run(contender(losing, False), job(url))


def test_a_load_that_loses_a_row_has_no_figures(url: str) -> None:
    def losing(url: str, workers: int, connections: int) -> Iterator[Any]:
        with contextmanager(copy_rows)(url, workers, connections) as load:
            yield Load(load.places, lambda lines: load.lines(islice(lines, 11)), load.value)

    with pytest.raises(WrongAnswer, match=r"6 .* 275 .* instead of 6 .* 300 "):
        case.run(contender(losing, False), job(url))


def test_figures_count_what_was_done_until_time_was_up_and_no_more(url: str) -> None:
    def slow(url: str, workers: int, connections: int) -> Iterator[Any]:
        with Database(url, connections=connections) as db:
            yield Crew([Worker(db.execute, db.fetch)] * workers, db.fetchval, numbered=True)

    whole = case.run(contender(slow, False), job(url, sample=1000))
    assert (whole["elements"], whole["connections"]) == (300, 2)
    assert whole["rate"] > 0
    assert whole["geo_rate"] > 0
    part = case.run(contender(slow, False), job(url, sample=1e-9))
    assert part["elements"] == 3 * census.PER_LINE  # each worker ends the line that it has begun


class Recorder:
    """Takes statements as a driver does, and keeps them; `asynchronous` makes its verbs coroutines."""

    def __init__(self, asynchronous: bool) -> None:
        self.seen: list[tuple[str, tuple[Any, ...]]] = []
        self.worker = Worker(self.execute, self.fetch)
        if asynchronous:
            self.worker = Worker(self.execute_async, self.fetch_async)

    def execute(self, sql: str, *values: Any) -> None:
        self.seen.append((sql, values))

    def fetch(self, sql: str, *values: Any) -> list[Any]:
        self.seen.append((sql, values))
        return [(7,)] if "geo_record" in sql else [(item, 0) for item in range(census.PER_LINE)]

    async def execute_async(self, sql: str, *values: Any) -> None:
        await asyncio.sleep(0)
        self.execute(sql, *values)

    async def fetch_async(self, sql: str, *values: Any) -> list[Any]:
        await asyncio.sleep(0)
        return self.fetch(sql, *values)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("numbered", [False, True])
def test_a_line_is_a_select_a_join_and_an_insert_for_each_value_in_every_runtime(
    asynchronous: bool, numbered: bool
) -> None:
    recorder = Recorder(asynchronous)
    crew = Crew([recorder.worker] * 3, lambda _sql: None, numbered=numbered)
    style = census.numbered if numbered else str
    done = asyncio.run(all_of(LINES, crew, asynchronous, 1))
    line = census.line(0)
    inserts = [(style(census.INSERT_ELEMENT), (7, *each)) for each in enumerate(line.items)]
    selects = [
        (style(census.SELECT_GEO), (line.fileid, line.logrecno)),
        (style(census.SELECT_ITEMS), (line.segment_id,)),
    ]
    assert (done, recorder.seen) == (1, [*selects, *inserts])


@pytest.mark.parametrize("asynchronous", [False, True])
def test_every_record_is_taken_once_by_whoever_is_free(asynchronous: bool) -> None:
    recorder = Recorder(asynchronous)
    crew = Crew([recorder.worker] * 5, lambda _sql: None)
    assert asyncio.run(all_of(PLACES, crew, asynchronous, 40)) == 40
    assert sorted(values for _sql, values in recorder.seen) == [census.geo(number) for number in range(40)]


def test_run_gets_as_many_functions_as_there_are_workers() -> None:
    recorder = Recorder(False)

    async def run(function: Callable[[Any], int]) -> int:
        return function(recorder)

    crew = Crew([recorder.worker] * 4, lambda _sql: None, run=run)
    assert asyncio.run(all_of(PLACES, crew, True, 10)) == 10
    assert len(recorder.seen) == 10


def test_statements_are_numbered_for_drivers_that_want_it() -> None:
    assert census.numbered("values (%s, %s)") == "values ($1, $2)"
    assert census.numbered("select 1") == "select 1"


def test_each_contender_of_census_says_what_it_is() -> None:
    found = [each for each in contenders.load_all()[0] if each.case == "census"]
    assert {each.name for each in found} >= {*case.OWN, case.BULK, *case.BY_HAND}
    assert all(inspect.signature(each.open).parameters for each in found)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 100, 110, 1234])
def test_the_sums_of_a_flow_are_those_of_its_rows(count: int) -> None:
    rows = list(flow.generated(count))
    total, notes = sum(row[0] for row in rows), sum(len(row[2]) for row in rows)
    assert flow.sums(count).split()[:2] == [str(count), str(total)]
    assert flow.sums(count).split()[3] == str(notes)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_flow_that_loses_a_row_has_no_figures(url: str, lost: int) -> None:
    with Database(url) as db:
        db.execute("drop table if exists flow; drop function if exists flow_start()")
        flow.setup(db, QUICK)

    def losing(url: str) -> Iterator[Any]:
        with Database(url) as db:
            yield flow.Flow(
                lambda rows: db.copy_in(flow.TABLE, islice(rows, lost, None)),
                lambda: db.stream(flow.SQL, into=tuple),
                lambda sink: db.copy_out(flow.TABLE, sink, format="csv"),
                db.fetchval,
            )

    run = functools.partial(flow.run, contender(losing, False), job(url, flow_rows=50))
    if lost:
        with pytest.raises(WrongAnswer, match="sums of the rows that landed"):
            run()
    else:
        assert run()["rate"] > 0


@pytest.mark.parametrize("source", Sizes().sources)
def test_every_source_of_copy_has_the_same_rows(source: str) -> None:
    with copy.made(source, 3) as rows:
        if source == "CSV":
            with rows.open(newline="") as file:
                found = [_typed(row) for row in csv.reader(file)]
        else:
            found = [_values(row) for row in rows]
    assert found == list(points.values(3))
    if source == "CSV":
        assert not rows.exists()


def _values(row: Any) -> tuple[Any, ...]:
    return row if isinstance(row, tuple) else tuple(getattr(row, name) for name in points.FIELDS)


def _typed(row: Iterable[str]) -> tuple[Any, ...]:
    number, name, created, price, active = row
    return int(number), name, datetime.fromisoformat(created), Decimal(price), active == "True"


def test_a_psql_that_fails_says_why(url: str) -> None:
    found = [each for each in contenders.load("benchmarks.contenders.psql") if each.missing() is None]
    if not found:
        pytest.skip("psql is not there")
    with found[0].open(url, "CSV") as (load, _value), pytest.raises(RuntimeError, match=r"psql: .*nowhere"):
        load("/nowhere.csv")
