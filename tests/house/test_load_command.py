"""stretto load, run as a person runs it: files of all kinds, tables that are made for them, and what is refused."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builds import once
from tests.house.databases import database_of_process
from tests.house.test_copy_command import ROOT, lines

import stretto
from stretto.cli.sampling import guesses, named, type_of

pytestmark = once
PEOPLE = 'Id;Full Name;Born;Seen\n1;"Ann; B";1990-01-02;2026-01-02 10:00:00+00\n2;"x\ny";;\n3;;1991-01-01;\n'


@pytest.fixture(scope="module")
def own_url(server_url: str) -> Iterator[str]:
    with database_of_process(server_url, "load_command") as url:
        yield url


@pytest.fixture
def db(own_url: str) -> Iterator[stretto.Database]:
    with stretto.Database(own_url) as db:
        db.execute("create schema load_command")
        yield db
        db.execute("drop schema load_command cascade")


def load(url: str, folder: Path, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100", "TERM": "dumb"}
    command = [sys.executable, "-m", "stretto", "load", "--url", url, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False, cwd=folder, input=text)


INTO = ("--into", "load_command.t")


def test_a_table_is_made_of_files(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "more.csv.gz").write_bytes(gzip.compress(PEOPLE.replace("1;", "5000000000;", 1).encode()))
    said = load(own_url, tmp_path, "people.csv", "more.csv.gz", *INTO, "--create")
    assert (said.returncode, said.stderr) == (0, "")
    shown = " ".join(lines(said.stdout))
    assert 'create table "load_command"."t" ("id" bigint not null, "full_name" text, "born" date' in shown
    assert '"seen" timestamptz)' in shown
    assert re.search(r"people.csv ━+ 100% 3 rows [\d,]+/s \d:\d\d:\d\d more.csv.gz ━+ 100% 3 rows", shown)
    assert re.search(r"file rows rejected chunks seconds rows/s ─+ people.csv 3 0 1 [\d.]+ [\d,]+ more.csv.gz 3", shown)
    assert db.fetch("select id, full_name from load_command.t order by id, full_name limit 2", into=tuple) == [
        (1, "Ann; B"),
        (2, "x\ny"),
    ]
    again = load(own_url, tmp_path, "people.csv", *INTO)  # the header's names are found in the table
    assert again.returncode == 0
    assert db.fetchval("select count(*) from load_command.t") == 9


def test_formats_options_and_the_standard_input(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    db.execute("create table load_command.t (id int primary key, name text)")
    (tmp_path / "a.txt").write_text("1\tone\\n\n2\t\\N\n")
    (tmp_path / "b.tsv").write_text("name\tid\nthree\t3\n")
    (tmp_path / "c.csv").write_text("4,-\n")
    db.copy_out("select 5, 'five'", str(tmp_path / "d.bin"), format="binary")
    assert load(own_url, tmp_path, "a.txt", "b.tsv", "d.bin", *INTO).returncode == 0
    assert load(own_url, tmp_path, "c.csv", *INTO, "--no-header", "--null", "-").returncode == 0
    piped = load(own_url, tmp_path, "-", *INTO, "--columns", "name, id", "--delimiter", "|", text="x|y\nsix|6\n")
    assert (piped.returncode, "standard input" in piped.stdout) == (0, True)
    rows = db.fetch("select name from load_command.t order by id", into=str | None)
    assert rows == ["one\n", None, "three", None, "five", "six"]


def test_what_can_be_read_once_only_is_loaded_whole(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    db.execute("create table load_command.t (id int primary key, name text)")
    turned = "name;id\n" + "".join(f"row {i};{i}\n" for i in range(30_000))
    assert load(own_url, tmp_path, "-", *INTO, text=turned).returncode == 0  # its first line names the columns
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(turned.replace("row", "again")))
    writer.start()
    assert load(own_url, tmp_path, "pipe", *INTO, "--on-conflict", "update").returncode == 0
    writer.join()
    assert db.fetchval("select count(*) from load_command.t where name = 'again ' || id") == 30_000


def test_conflicts_and_bad_rows(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    db.execute("create table load_command.t (id int primary key, name text)")
    (tmp_path / "a.csv").write_text("id,name\n1,one\ntwo,two\n3,three\n")
    (tmp_path / "b.csv").write_text("id,name\n1,uno\n4,quattro\n")
    refused = load(own_url, tmp_path, "a.csv", *INTO)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert refused.stderr.startswith("stretto load: a.csv, line 3, column id: invalid input syntax for type integer")
    reported = load(own_url, tmp_path, "a.csv", *INTO, "--errors", "report")
    assert reported.returncode == 0
    shown = lines(reported.stdout)
    assert shown[-3:][0] == "file row column why it was rejected"
    assert shown[-1] == 'a.csv 2 id invalid input syntax for type integer: "two"'
    assert load(own_url, tmp_path, "b.csv", *INTO, "--on-conflict", "ignore").returncode == 0
    assert db.fetch("select name from load_command.t order by id", into=str) == ["one", "three", "quattro"]
    assert load(own_url, tmp_path, "b.csv", *INTO, "--on-conflict", "update", "--chunks", "2").returncode == 0
    assert db.fetch("select name from load_command.t order by id", into=str) == ["uno", "three", "quattro"]


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no such file": (("nowhere.csv", *INTO), "No such file or directory: 'nowhere.csv'"),
    "no such table": (("a.csv", "--into", "load_command.no"), "there is no table load_command.no: --create makes it"),
    "other columns": (("b.csv", *INTO), "b.csv: load_command.t has no column 'other', there are id, name"),
    "files that differ": (("a.csv", "b.csv", "--into", "load_command.n", "--create"), "b.csv has other columns than"),
    "a table that is there": (("a.csv", *INTO, "--create"), "already exists"),
    "types of text": (("a.csv", *INTO, "--create", "--format", "text"), "--create reads CSV files"),
    "a file that is cut off": (("cut.csv.gz", *INTO, "--no-header"), "cut.csv.gz is not whole"),
    "another encoding": (
        ("latin.csv", "--into", "load_command.n", "--create"),
        "latin.csv, line 1: the byte 0xe4 is no",
    ),
    "an empty file": (("empty.csv", "--into", "load_command.n", "--create"), "empty.csv is empty"),
    "a row behind the sample": (
        ("late.csv", "--into", "load_command.n", "--create", "--sample", "1"),
        "late.csv, line 3, column id: invalid input syntax",
    ),
    "input that is sampled": (("-", "--into", "load_command.n", "--create"), "--create needs a file"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(
    own_url: str, db: stretto.Database, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    db.execute("create table load_command.t (id int, name text)")
    (tmp_path / "a.csv").write_text("id,name\n1,one\n")
    (tmp_path / "b.csv").write_text("id,other\n1,one\n")
    (tmp_path / "late.csv").write_text("id\n1\ntwo\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "latin.csv").write_bytes("id,näme\n".encode("latin-1"))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(os.urandom(5000))[:3000])
    said = load(own_url, tmp_path, *arguments, text="")
    assert (said.returncode, said.stderr.count("\n")) == (1, 1), said.stderr
    assert said.stderr.startswith("stretto load: ")
    assert message in said.stderr
    assert db.fetchval("select count(*) from load_command.t") == 0
    assert db.fetch("select tablename from pg_tables where schemaname = 'load_command'", into=str) == ["t"]


TYPES: dict[str, tuple[list[str], str]] = {
    "integer": (["1", "-7", "+0", "2147483647"], "integer"),
    "bigint": (["1", "2147483648"], "bigint"),
    "huge": (["1", "9223372036854775808"], "numeric"),
    "decimals": (["1", "1.50", ".5", "2."], "numeric"),
    "floats": (["1", "1.5", "1e10", "-inf", "NaN"], "double precision"),
    "floats without a point": (["1", "1e10", "NaN"], "double precision"),
    "floats and digits that they would lose": (["1", "0.12345678901234567890123", "1e5"], "numeric"),
    "floats and long integers": (["1", "9007199254740993", "1e5"], "numeric"),
    "floats beyond their limits": (["1e400", "1.23456789012345678e5"], "numeric"),
    "codes with an e": (["12e45678", "1"], "text"),
    "codes": (["00123", "1"], "text"),
    "booleans": (["true", "F", "yes"], "boolean"),
    "booleans and numbers": (["true", "1"], "text"),
    "dates": (["2024-02-29"], "date"),
    "no date": (["2023-02-29"], "text"),
    "moments": (["2024-02-29", "2024-02-29 10:00", "2024-02-29T10:00:00.123"], "timestamp"),
    "moments with zones": (["2024-02-29T10:00:00Z", "2024-02-29 10:00:00+02"], "timestamptz"),
    "both": (["2024-02-29T10:00:00Z", "2024-02-29 10:00:00"], "text"),
    "uuids": (["123e4567-e89b-12d3-a456-426614174000"], "uuid"),
    "nothing": (["", ""], "text"),
    "anything": (["1", "x", "2"], "text"),
}


@pytest.mark.parametrize(("values", "expected"), TYPES.values(), ids=TYPES)
def test_a_type_is_the_narrowest_that_takes_all(db: stretto.Database, values: list[str], expected: str) -> None:
    for order in (values, values[::-1]):
        assert guesses(["c"], [[value] for value in order])[0].declared(complete=False) == expected
    if any(values):
        db.execute(f"create table load_command.v (v {expected} not null)")
        assert str(db.copy_in("load_command.v", "\n".join(values).encode(), format="csv")) == f"COPY {len(values)}"


def test_not_null_only_where_all_was_seen() -> None:
    full, gaps, none = guesses(["full", "gaps", "none"], [["1", "2", ""], ["2", "", ""]])
    assert [one.declared(complete=True) for one in (full, gaps, none)] == ["integer not null", "integer", "text"]
    assert full.declared(complete=False) == "integer"


def test_what_stands_for_null_has_no_type(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,m,k,t\n1,NA,3,NA\n2,7,4,\n")
    said = load(own_url, tmp_path, "a.csv", *INTO, "--create", "--null", "NA")
    assert (said.returncode, said.stderr) == (0, "")
    assert '("n" integer not null, "m" integer, "k" integer not null, "t" text)' in " ".join(lines(said.stdout))
    assert db.fetch("select m, t from load_command.t order by n", into=tuple) == [(None, None), (7, "")]


def test_long_names_of_other_letters(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    long = "ы" * 34
    (tmp_path / "a.csv").write_text(f"{long},{long},n\n1,2,3\n", "utf-8")
    said = load(own_url, tmp_path, "a.csv", *INTO, "--create")
    assert (said.returncode, said.stderr) == (0, "")
    assert load(own_url, tmp_path, "a.csv", *INTO).returncode == 0
    assert db.fetchval(f'select sum("{long[:25]}_2" - "{long[:25]}") from load_command.t') == 2


def test_names_are_plain_and_none_comes_twice() -> None:
    header = ["Id", " First Name ", "first-name", "", "Größe (m²)", "ID", "%", "x" * 90]
    assert named(header) == [
        "id", "first_name", "first_name_2", "column_4", "größe_m²", "id_2", "column_7", "x" * 50,
    ]  # fmt: skip


def test_a_type_for_each_value() -> None:
    assert type_of("12:00") == "text"
    assert type_of("2024-02-29 12:00:00,5") == "text"  # the server takes no comma
    assert type_of("-") == "text"
    assert type_of(".") == "text"


def test_the_size_of_a_chunk_and_another_key(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    db.execute("create table load_command.t (id int primary key, mail text unique, name text)")
    (tmp_path / "a.csv").write_text("id,mail,name\n" + "".join(f"{i},{i}@,old\n" for i in range(3)))
    (tmp_path / "b.csv").write_text("id,mail,name\n" + "".join(f"{i + 5},{i}@,new\n" for i in range(4)))
    assert load(own_url, tmp_path, "a.csv", *INTO, "--chunk-size", "1", "--no-atomic").returncode == 0
    assert load(own_url, tmp_path, "b.csv", *INTO, "--on-conflict", "update", "--on", "mail").returncode == 0
    found = [(0, "0@", "new"), (1, "1@", "new"), (2, "2@", "new"), (8, "3@", "new")]
    assert db.fetch("select * from load_command.t order by id", into=tuple) == found
    refused = load(own_url, tmp_path, "b.csv", *INTO, "--on", "mail")
    assert refused.returncode == 1
    assert "on_conflict=" in refused.stderr
