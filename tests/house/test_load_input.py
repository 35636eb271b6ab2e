"""How the commands read names of tables and columns, and what the first lines of files say."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.builds import once
from tests.house.databases import database_of_process
from tests.house.test_copy_command import ROOT, copy, lines
from tests.house.test_load_command import load
from typer.testing import CliRunner

import stretto
from stretto.cli.app import app
from stretto.cli.bars import View
from stretto.cli.copy import Item, columns_of, items_of
from stretto.cli.files import Source
from stretto.cli.naming import names, quoted, table
from stretto.errors import UsageError

pytestmark = once

TABLES: dict[str, tuple[str, ...]] = {
    "people": ("people",),
    "People": ("People",),
    "my table": ("my table",),
    "app.people": ("app", "people"),
    "app.people.old": ("app", "people.old"),
    '"My Tab.le"': ("My Tab.le",),
    'app."My Tab.le"': ("app", "My Tab.le"),
    ' "a.b" . "c" ': ("a.b", "c"),
    '"say ""a.b"""': ('say "a.b"',),
    'a"b': ('a"b',),
}


@pytest.mark.parametrize(("text", "expected"), TABLES.items(), ids=TABLES)
def test_a_table_is_named_as_it_is_or_in_quotes(text: str, expected: tuple[str, ...]) -> None:
    assert table(text) == expected


def test_lists_of_names() -> None:
    assert names(None) is None
    assert names('a, "b,c" ,d e') == ["a", "b,c", "d e"]
    assert columns_of(['id="a,b"', '"x=y" = z,w']) == {"id": "a,b", "x=y": "z", "w": "w"}
    assert quoted(("a", 'b"c')) == '"a"."b""c"'


def test_what_is_copied() -> None:
    tables = ["table x", 'old."a=b"=new."c.d"', '"s"."t"']
    assert items_of(tables, None, None, "My Schema") == [
        Item(("table x",), ("My Schema", "table x")),
        Item(("old", "a=b"), ("new", "c.d")),
        Item(("s", "t"), ("My Schema", "t")),
    ]
    assert items_of(["a"], None, '"b.c"', None) == [Item(("a",), ("b.c",))]
    assert items_of([], "table x", "b", None) == [Item("table x", ("b",))]


NO_NAMES: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (lambda: table(""), "'': a name in it is empty"),
    "a dot at the end": (lambda: table("app."), "'app.': a name in it is empty"),
    "a quote without an end": (lambda: table('app."people'), '"people is no name'),
    "something behind the quote": (lambda: table('"people"s'), '"people"s is no name'),
    "quotes around nothing": (lambda: table('""'), '"" is no name'),
    "three names": (lambda: table('a."b"."c"'), '"b"."c" is no name'),
    "a comma at the end": (lambda: names("a,"), "'a,': a name in it is empty"),
    "two equal signs": (lambda: items_of(["a=b=c"], None, None, None), "'a=b=c' has two ="),
    "no query": (lambda: items_of([], "(select 1)", "t", None), "--query takes SQL that begins with select"),
    "a statement": (lambda: items_of([], "delete from t", "t", None), "--query takes SQL that begins with select"),
}


@pytest.mark.parametrize(("call", "message"), NO_NAMES.values(), ids=NO_NAMES)
def test_what_is_no_name_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert message in str(caught.value)


DELIMITERS: dict[str, tuple[bytes, str]] = {
    "the most frequent one": (b"a;b;c,d\n1;2;3\n", ";"),
    "none": (b"a\n1;2\n", ","),
    "outside of quotes": (b'"a,b,c";d\n1;2\n', ";"),
    "behind a line within quotes": (b'"a\n,b,c"|d\n1|2\n', "|"),
    "a doubled quote": (b'"a ""x"", y";d\n', ";"),
    "lines that end by CR": (b"a;b\r1,5;2,5\r", ";"),
    "a quote without an end": (b'"a,b;c\n1\n', ","),
    "an empty file": (b"", ","),
}


@pytest.mark.parametrize(("data", "expected"), DELIMITERS.values(), ids=DELIMITERS)
def test_the_delimiter_is_found_in_the_first_line(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    assert Source(tmp_path / "a.csv").delimiter() == expected


HEADERS: dict[str, tuple[bytes, list[str]]] = {
    "names": (b"id\tname\n1\tx\n", ["id", "name"]),
    "escapes": (rb"a\tb" + b"\t" + rb"c\\d" + b"\t\\\t\r\n", ["a\tb", "c\\d", "\t"]),
    "empty names": (b"\tb\t\n", ["", "b", ""]),
    "one": (b"a", ["a"]),
    "a byte order mark": ("\ufeffgröße\n".encode(), ["größe"]),
}


@pytest.mark.parametrize(("data", "expected"), HEADERS.values(), ids=HEADERS)
def test_the_header_of_text(tmp_path: Path, data: bytes, expected: list[str]) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    assert Source(tmp_path / "a.txt").header("\t", text=True) == expected


@pytest.fixture(scope="module")
def own_url(server_url: str) -> Iterator[str]:
    with database_of_process(server_url, "load_names") as url:
        yield url


@pytest.fixture
def db(own_url: str) -> Iterator[stretto.Database]:
    with stretto.Database(own_url) as db:
        db.execute('create schema "Odd s"')
        yield db
        db.execute('drop schema "Odd s" cascade')


ODD = '"Odd s"."t=x.,y"'


def test_odd_names_in_the_commands(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("p,q\n1,one\n")
    db.execute(f'create table {ODD} ("a,1" int primary key, b text)')
    said = load(own_url, tmp_path, "a.csv", "--into", ODD, "--columns", '"a,1",b')
    assert (said.returncode, said.stderr) == (0, "")
    urls = (own_url, own_url)
    db.execute('create table "table x" (n int); insert into "table x" values (7)')  # it looks like a query
    db.execute("create table x (n int)")
    said = copy(urls, "--table", "table x", "--table", f'{ODD}="Odd s"."c.d"', "--schema", "Odd s", "--create")
    assert (said.returncode, said.stderr) == (0, "")
    assert db.fetchval('select n from "Odd s"."table x"') == 7
    assert db.fetchrow('select * from "Odd s"."c.d"') == (1, "one")


def test_the_first_line_of_text_names_the_columns(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    db.execute('create table "Odd s".t (a text, b text)')
    (tmp_path / "a.txt").write_text("b\ta\n1\t\\N\n")
    into = ("--into", "Odd s.t")
    for more in ((), ("--chunks", "2"), ("--columns", "b,a")):
        assert load(own_url, tmp_path, "a.txt", *into, "--header", *more).returncode == 0
    assert db.fetch('table "Odd s".t', into=tuple) == [(None, "1")] * 3
    refused = load(own_url, tmp_path, "a.txt", *into, "--header", "--format", "binary")
    assert (refused.returncode, "--header is for CSV and text" in refused.stderr) == (1, True)


def test_a_byte_order_mark_is_no_value(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    db.execute('create table "Odd s".t (a int, b text)')
    marked = b"\xef\xbb\xbf1,one\n"
    (tmp_path / "a.csv").write_bytes(marked)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(marked))
    (tmp_path / "c.txt").write_bytes(marked.replace(b",", b"\t"))
    (tmp_path / "d.csv").write_bytes(marked[:3])
    files = ("a.csv", "b.csv.gz", "c.txt", "d.csv", "-")
    said = load(own_url, tmp_path, *files, "--into", "Odd s.t", "--no-header", text="\ufeff1,one\n")
    assert (said.returncode, said.stderr) == (0, "")
    assert db.fetch('table "Odd s".t', into=tuple) == [(1, "one")] * 4


def test_a_line_is_counted_from_the_beginning_of_the_file(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    db.execute('create table "Odd s".t (a int)')
    (tmp_path / "a.csv").write_text("a\n" + "1\n" * 150_000 + "x\n")  # in the second chunk
    for more in ((), ("--chunks", "2")):
        refused = load(own_url, tmp_path, "a.csv", "--into", "Odd s.t", *more)
        expected = 'stretto load: a.csv, line 150002, column a: invalid input syntax for type integer: "x"\n'
        assert (refused.returncode, refused.stderr) == (1, expected)
    assert db.fetchval('select count(*) from "Odd s".t') == 0


def test_blank_lines_of_one_column_are_nulls(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n\n1\n\n")
    said = load(own_url, tmp_path, "a.csv", "--into", "Odd s.t", "--create", "--sample", "0")
    assert (said.returncode, said.stderr) == (0, "")
    assert db.fetch('table "Odd s".t', into=int | None) == [None, 1, None]


T = ("--into", "Odd s.t")
NASTY: dict[str, tuple[tuple[str, ...], str]] = {
    "an empty file": (("empty.csv", *T), "empty.csv has no first line that names the columns: --no-header says"),
    "no input": (("-", *T), "standard input has no first line that names the columns"),
    "a name twice": (("twice.csv", *T), "twice.csv: its first line names 'a' twice: --columns says which is which"),
    "no UTF-8": (
        ("latin.csv", *T),
        'latin.csv, line 3: invalid byte sequence for encoding "UTF8": 0xe4 0x79 0x2c: the',
    ),
    "no UTF-8 in the sample": (
        ("latin.csv", "--into", "n", "--create"),
        "latin.csv, line 3: the byte 0xe4 is no UTF-8",
    ),
    "UTF-16": (("wide.csv", *T), "wide.csv, line 1: the byte 0xff is no UTF-8: make that of it first, as by iconv"),
    "a NUL": (
        ("nul.csv", *T),
        'nul.csv, line 2: invalid byte sequence for encoding "UTF8": 0x00: the file is to be UTF-8',
    ),
    "a quote that is open": (("open.csv", *T), "open.csv, line 4: unterminated CSV quoted field"),
    "a header that is open": (
        ("long.csv", *T),
        "long.csv, line 1: field larger than field limit (1048576): is a quote",
    ),
    "a directory": ((".", *T), ". is a directory: name the files in it"),
    "no gzip": (("fake.csv.gz", *T), "fake.csv.gz is not whole, or not of gzip: Not a gzipped file"),
    "the second is not there": (("good.csv", "no.csv", *T, "--chunks", "2"), "No such file or directory: 'no.csv'"),
    "the second is no COPY": (
        ("good.csv", "nul.bin", *T, "--errors", "report"),
        "nul.bin: the source is no binary COPY",
    ),
    "two characters": (("good.csv", *T, "--delimiter", "::"), "--delimiter '::': it is one ASCII character"),
    "another letter": (("good.csv", *T, "--delimiter", "ü"), "--delimiter 'ü': it is one ASCII character"),
    "a key twice": (("keys.csv", *T, "--chunks", "2"), "(Key (a)=(1) already exists.)"),
}


@pytest.mark.parametrize(("arguments", "message"), NASTY.values(), ids=NASTY)
def test_what_is_wrong_with_a_file_is_one_line(
    own_url: str,
    db: stretto.Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    db.execute('create table "Odd s".t (a text primary key, b text)')
    good = b"a,b\n1,2\n"
    files = {
        "good.csv": good,
        "fake.csv.gz": good,
        "empty.csv": b"",
        "twice.csv": b"a,b,a\n1,2,3\n",
        "latin.csv": b"a,b\n1,2\nx\xe4y,3\n",
        "wide.csv": "a,b\n1,2\n".encode("utf-16"),
        "nul.csv": b"a,b\n1\x00,2\n",
        "nul.bin": b"\0" * 50,
        "open.csv": b'a,b\n"1,2\n3,4\n',
        "long.csv": b'"a,b\n' + b"1,2\n" * 300_000,
        "keys.csv": b"a,b\n1,2\n1,3\n",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    said = CliRunner().invoke(app, ["load", "--url", own_url, *arguments], input="")  # a start of Python takes longer
    assert (said.exit_code, said.stderr.count("\n")) == (1, 1), said.stderr
    assert said.stderr.startswith("stretto load: ")
    assert message in said.stderr
    landed = said.stdout.count("These have landed, before it failed:")
    assert db.fetchval('select count(*) from "Odd s".t') == landed  # nothing that is not told


def begun(url: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The command, with an input that does not end."""
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100", "TERM": "dumb"}
    command = [sys.executable, "-m", "stretto", "load", "--url", url, "-", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=env, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize(
    ("number", "status", "how"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "ended by SIGTERM")]
)
def test_who_ends_a_load_hears_what_has_landed(
    own_url: str, db: stretto.Database, tmp_path: Path, number: int, status: int, how: str
) -> None:
    db.execute('create table "Odd s".t (a int, b text)')
    with begun(own_url, tmp_path, *T, "--no-atomic", "--chunk-size", "1000") as process:
        assert process.stdin is not None
        process.stdin.write(b"a,b\n" + b"1,x\n" * 200_000)
        process.stdin.flush()
        while process.poll() is None and not db.fetchval('select count(*) from "Odd s".t'):
            pass
        process.send_signal(number)
        _, said = process.communicate()
    landed = db.fetchval('select count(*) from "Odd s".t')
    assert (process.returncode, landed > 0) == (status, True)
    assert said.decode().split() == f"stretto load: {how}; {landed} rows of the load have landed".split()


def test_a_reader_of_the_output_who_leaves_ends_no_load(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    db.execute('create table "Odd s".t (a int, b text)')
    with begun(own_url, tmp_path, *T) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, said = process.communicate(b"a,b\n1,x\n")
    assert (process.returncode, said) == (0, b"")
    assert db.fetchval('select count(*) from "Odd s".t') == 1


def test_a_bar_says_that_it_failed(own_url: str, db: stretto.Database, tmp_path: Path) -> None:
    db.execute('create table "Odd s".t (a int)')
    (tmp_path / "a.csv").write_text("a\n1\nx\n")
    said = load(own_url, tmp_path, "a.csv", *T)
    assert lines(said.stdout) == ["a.csv 0% failed, 3 rows read 0:00:00"]


def test_of_several_files_none_lands_without_the_others(
    own_url: str, db: stretto.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    db.execute('create table "Odd s".t (a int)')
    (tmp_path / "good.csv").write_text("a\n1\n")
    (tmp_path / "bad.csv").write_text("a\nx\n")
    for more, landed in (((), 0), (("--chunks", "2"), 1)):
        said = CliRunner().invoke(app, ["load", "--url", own_url, "good.csv", "bad.csv", *T, *more])
        told = ("Nothing has landed" in said.stdout, "These have landed" in said.stdout)
        assert (said.exit_code, told) == (1, (landed == 0, landed == 1))
        assert db.fetchval('select count(*) from "Odd s".t') == landed


def test_a_closed_input_is_told(own_url: str, tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = f"exec '{sys.executable}' -m stretto load --url '{own_url}' - --into t <&-"
    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=env, check=False, cwd=tmp_path)
    assert (said.returncode, said.stderr) == (
        1,
        "stretto load: the standard input is closed: there is nothing to load\n",
    )


@pytest.mark.parametrize("width", [40, 60, 79])
def test_a_bar_is_one_line_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": str(width)}.items():
        monkeypatch.setenv(name, value)
    with View().bar("a/long/name/of/a/file.csv") as move:
        move(5, 1_000_000, 10)
    shown = re.sub(r"\x1b\[[0-9;?]*\w", "\r", capsys.readouterr().out)
    widths = {len(line) for line in re.split("[\r\n]", re.sub(r"(?<=\S)\r(?=\S)", "", shown))}
    assert 0 < max(widths) <= width
