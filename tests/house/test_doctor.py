"""stretto doctor: what it says of the connection and of Models, as a user runs it."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import stretto
from stretto.cli.app import app

MODULE = """
    from __future__ import annotations

    from stretto import Model, field, relation

    class Author(Model, table="author", schema="{schema}"):
        id: int = field(primary_key=True, generated=True)
        name: str
        books: list[Book] = relation()

    class Book(Model, table="book", schema="{schema}"):
        id: int = field(primary_key=True, generated=True)
        author_id: int = field(references="author.id")

    class Report(Model):
        count: int
"""


@pytest.fixture
def schema(server_url: str) -> Iterator[str]:
    name = f"doctor_{os.getpid()}"
    yield name
    with stretto.Database(server_url) as db:
        db.execute(f"drop schema if exists {name} cascade")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: str) -> Iterator[str]:
    """The name of a module with two tables, in the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"models_of_{schema}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(MODULE.format(schema=schema)))
    yield name
    sys.modules.pop(name, None)


def doctor(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["doctor", "--url", url, *arguments])


def words(result: Result) -> str:
    """What was printed, without the places where lines end."""
    return " ".join(result.output.split())


def test_it_tells_what_the_connection_is(server_url: str) -> None:
    result = doctor(server_url)
    assert result.exit_code == 0
    for word in ("PostgreSQL ", "encryption", "ms, the median of", stretto.__version__, stretto.core_info()):
        assert word in result.output


def test_tables_that_are_missing_and_then_are_there(server_url: str, module: str, schema: str) -> None:
    before = doctor(server_url, "--models", module)
    assert before.exit_code == 1
    assert words(before).count("there is no such table: create_tables() makes it") == 2
    assert "2 differences in 2 of 2 Models." in before.output
    models = sys.modules[module]
    with stretto.Database(server_url) as db:
        db.create_tables(models.Author, models.Book)
        after = doctor(server_url, "--models", module)
        assert after.exit_code == 0
        assert "All is well. 2 Models were compared with the live tables." in after.output
        db.execute(f'alter table {schema}.author alter name drop not null, add "[b]odd" int not null')
        odd = doctor(server_url, "--models", module)
    assert odd.exit_code == 1
    assert "Author.name" in odd.output
    assert "Author.[b]odd" in odd.output
    assert "the column may be NULL, and the Model has no None" in words(odd)
    assert "2 differences in 1 of 2 Models." in odd.output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module", "--models no_such_module: there is no module 'no_such_module' here"),
        ("json.nothing", "there is no module 'json.nothing' here"),
        ("json", "--models json: the module has no Model with a table"),
    ],
)
def test_a_module_without_models_is_one_line(server_url: str, name: str, message: str) -> None:
    result = doctor(server_url, "--models", name)
    assert result.exit_code == 1
    assert message in result.output
    assert result.output.count("\n") == 1


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = doctor(f"host={tmp_path} port=1 user=x password=secret_password")
    assert result.exit_code == 1
    assert result.output.startswith("stretto doctor: ")
    assert "secret_password" not in result.output
    assert result.output.count("\n") == 1
