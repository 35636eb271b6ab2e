"""stretto copy, run as a person runs it: what lands, what is printed, and how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builds import once

import stretto
from stretto.cli.copy import transform_of
from stretto.errors import ConfigError

pytestmark = once
ROOT = Path(__file__).resolve().parents[2]
MAKE = """
create table flight (id int primary key, name text not null, price numeric);
insert into flight select i, 'n' || i, i / 4.0 from generate_series(1, 9000) i;
create table "Pass enger" (id int, mail text);
insert into "Pass enger" values (1, 'a@x'), (2, null), (3, 'c@x')
"""
HOOK = """
def keep(row):
    return {"id": row["id"], "mail": row["mail"].upper()} if row["mail"] else None

def fail(row):
    raise ValueError("no such\\tmail")

number = 5
"""


@pytest.fixture(scope="module")
def urls(server_url: str) -> Iterator[tuple[str, str]]:
    """Two databases; the first has the tables."""
    names = [f"copy_{side}_{os.getpid()}" for side in ("from", "to")]
    found = [f"{server_url.rpartition('/')[0]}/{name}" for name in names]
    with stretto.Database(server_url) as admin:
        for name in names:
            admin.execute(f"create database {name}")
        with stretto.Database(found[0]) as source, source.connection() as session:
            session.execute(MAKE)
        yield found[0], found[1]
        for name in names:
            admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def target(urls: tuple[str, str]) -> Iterator[stretto.Database]:
    """The second database, with an empty schema."""
    with stretto.Database(urls[1]) as db:
        db.execute("create schema app")
        yield db
        db.execute("drop schema app cascade")


def copy(
    urls: tuple[str, str], *arguments: str, cwd: Path = ROOT, width: int = 100
) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": str(width), "TERM": "dumb"}
    command = [sys.executable, "-m", "stretto", "copy", "--from", urls[0], "--to", urls[1], *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False, cwd=cwd)


def lines(text: str) -> list[str]:
    """What was printed, without colours and what only a clock knows."""
    return [" ".join(line.split()) for line in re.sub(r"\x1b\[[0-9;?]*\w", "", text).splitlines() if line.strip()]


def test_tables_are_made_in_another_schema(urls: tuple[str, str], target: stretto.Database) -> None:
    tables = ("--table", "flight", "--table", "Pass enger=app.passenger")
    said = copy(urls, *tables, "--schema", "app", "--create", "--verify")
    assert (said.returncode, said.stderr) == (0, "")
    shown = lines(said.stdout)
    assert re.match(r"flight > app.flight ━+ 100% 9,000 rows [\d,]+/s \d:\d\d:\d\d$", shown[0])
    assert shown[2] == "table rows MB seconds rows/s as verified by"
    assert re.match(r"app.flight 9,000 0.\d\d [\d.]+ [\d,]+ binary checksum [0-9a-f]{16}$", shown[4])
    assert re.match(r"app.passenger 3 0.00 [\d.]+ [\d,]+ binary checksum [0-9a-f]{16}$", shown[5])
    assert target.fetchval("select sum(price) from app.flight") == 9000 * 9001 // 8
    assert target.fetchval("select count(mail) from app.passenger") == 2
    assert max(map(len, said.stdout.splitlines())) <= 100


@pytest.mark.parametrize("more", [(), ("--jobs", "2"), ("--jobs", "2", "--no-atomic")])
def test_columns_go_by_other_names(urls: tuple[str, str], target: stretto.Database, more: tuple[str, ...]) -> None:
    target.execute("create table app.f (number bigint, title text, more int default 7)")
    said = copy(urls, "--table", "flight", "--into", "app.f", "--columns", "id=number, name=title", "--verify", *more)
    assert (said.returncode, said.stderr) == (0, "")
    found = target.fetchrow("select count(*), min(number), max(title), min(more) from app.f")
    assert found == (9000, 1, "n999", 7)
    assert " text " in said.stdout


def test_a_querys_rows(urls: tuple[str, str], target: stretto.Database) -> None:
    query = "select id, name from flight where id <= 10"
    said = copy(urls, "--query", query, "--into", "app.few", "--create")
    assert said.returncode == 0
    assert "select id, name fr... > app.few" in said.stdout
    assert target.fetchval("select count(*) from app.few") == 10


def test_a_function_changes_and_drops_rows(urls: tuple[str, str], target: stretto.Database, tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(HOOK)
    table = ("--table", "Pass enger", "--into", "app.p", "--create")
    said = copy(urls, *table, "--transform", "hooks:keep", "--verify", cwd=tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    assert lines(said.stdout)[1] == "table rows MB seconds rows/s as dropped verified by"
    assert lines(said.stdout)[3].endswith("binary 1 count")
    assert target.fetch("select mail from app.p order by id", into=str) == ["A@X", "C@X"]
    for name, message in (
        ("hooks:fail", r"--transform hooks:fail raised ValueError: no such\tmail"),
        ("hooks:nothing", "--transform hooks:nothing: the module has no function 'nothing'"),
        ("hooks:number", "the module has no function 'number'"),
        ("nowhere:f", "there is no module 'nowhere' here"),
        ("hooks", "it is written MODULE:FUNCTION"),
    ):
        failed = copy(urls, "--table", "Pass enger", "--into", "app.p", "--transform", name, cwd=tmp_path)
        assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)
        assert message in failed.stderr
    assert target.fetchval("select count(*) from app.p") == 2


NO_FUNCTIONS: dict[str, tuple[str, str]] = {
    "a path": ("../hooks:f", "it is written MODULE:FUNCTION"),
    "no Python": ("copy_broken:f", "its module raised SyntaxError: invalid syntax (copy_broken.py, line 1)"),
    "an exit": ("copy_exit:f", "its module raised SystemExit: 3"),
    "a module that it needs": ("copy_needs:f", "there is no module 'copy_nowhere' here"),
    "async": ("copy_async:f", "it is async"),
}


@pytest.mark.parametrize(("name", "message"), NO_FUNCTIONS.values(), ids=NO_FUNCTIONS)
def test_what_is_no_function_for_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    (tmp_path / "copy_broken.py").write_text("x = \n")
    (tmp_path / "copy_exit.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "copy_needs.py").write_text("import copy_nowhere\n")
    (tmp_path / "copy_async.py").write_text("async def f(row):\n    return row\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as caught:
        transform_of(name)
    assert str(caught.value).startswith(f"--transform {name}: {message}")


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), "give --table TABLE, once or more, or --query SQL --into TABLE"),
    "both": (("--table", "t", "--query", "select 1"), "--query takes --into TABLE, and no --table"),
    "one place for two": (("--table", "a", "--table", "b", "--into", "c"), "--into goes with one table"),
    "no such table": (("--table", "nowhere"), 'the source has no table "nowhere"'),
    "no such target": (("--table", "flight"), 'the target has no table "flight"'),
    "no such column": (("--table", "flight=app.t", "--columns", "x"), "the source has no column 'x'"),
    "a value": (
        ("--query", "select 'x' as id", "--into", "app.t"),
        'app.t, column id: invalid input syntax for type integer: "x"',
    ),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_what_goes_wrong_is_one_line(
    urls: tuple[str, str], target: stretto.Database, arguments: tuple[str, ...], message: str
) -> None:
    target.execute("create table app.t (id int)")
    said = copy(urls, *arguments)
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert said.stderr.startswith("stretto copy: ")
    assert message in said.stderr
    assert target.fetchval("select count(*) from app.t") == 0


def test_the_second_table_fails_and_the_first_one_goes_too(urls: tuple[str, str], target: stretto.Database) -> None:
    target.execute('create table app.flight (id int, name text, price numeric); create table app."Pass enger" (id int)')
    tables = ("--table", "flight", "--table", "Pass enger", "--schema", "app")
    said = copy(urls, *tables)
    assert (said.returncode, "the target has no column 'mail'" in said.stderr) == (1, True)
    assert "Nothing has landed" in said.stdout
    assert target.fetchval("select count(*) from app.flight") == 0
    by_jobs = copy(urls, *tables, "--jobs", "2")
    assert by_jobs.returncode == 1
    assert "These have landed, before it failed:" in by_jobs.stdout
    assert any(line.startswith("app.flight 9,000 ") for line in lines(by_jobs.stdout))
    assert target.fetchval("select count(*) from app.flight") == 9000


def test_the_url_that_is_none_is_named(urls: tuple[str, str]) -> None:
    for given, message in (((urls[0], "mysql://x:canary-4711@y"), "--to: a URL must"), (("x", urls[1]), "--from: the")):
        said = copy(given, "--table", "flight")
        assert (said.returncode, said.stderr.count("\n")) == (1, 1)
        assert said.stderr.startswith(f"stretto copy: {message}")
        assert "canary-4711" not in said.stderr


def test_a_server_that_is_not_there_is_one_line_without_the_password(urls: tuple[str, str], tmp_path: Path) -> None:
    said = copy((urls[0], f"host={tmp_path} user=x password=canary-4711"), "--table", "flight")
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert "canary-4711" not in said.stdout + said.stderr
