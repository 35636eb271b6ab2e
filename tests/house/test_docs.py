"""The pages' code runs and prints what they say, their links lead somewhere, every public name is in the reference."""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.house.pages import blocks, broken_links

import stretto
from stretto.cli.app import app

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
GUIDE = [*sorted((DOCS / "guide").glob("*.md")), DOCS / "types.md", DOCS / "index.md"]
FRAMEWORKS = ("quart", "aiohttp", "django")


@pytest.fixture
def database(server_url: str) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"stretto_docs_{os.getpid()}"
    with stretto.Database(server_url) as admin:
        admin.execute(f"create database {name}")
        try:
            yield f"{server_url.rpartition('/')[0]}/{name}"
        finally:
            admin.execute(f"drop database {name} with (force)")


@pytest.mark.parametrize("path", GUIDE, ids=lambda path: path.stem)
def test_a_pages_blocks_run_and_print_what_it_says(
    path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The blocks of a page share a namespace, in which `url` is the database's."""
    logs = [logging.getLogger(name) for name in ("stretto.slow", "stretto.pool")]
    before = [(log.propagate, log.handlers[:]) for log in logs]
    names: dict[str, Any] = {"__name__": f"page_{path.stem}", "url": database}
    assert blocks(path)
    try:
        for block in blocks(path):
            place = f"{path.name}, the block at line {block.line}"
            exec(compile(block.code, place, "exec", dont_inherit=True), names)
            assert capsys.readouterr().out == textwrap.dedent(block.output), place
    finally:
        for log, (propagate, handlers) in zip(logs, before, strict=True):  # a page may say where they go
            log.propagate, log.handlers[:] = propagate, handlers
    for value in names.values():
        if isinstance(value, stretto.Database):
            value.close()


def test_each_framework_has_a_program() -> None:
    found = [name for block in blocks(DOCS / "frameworks.md") for name in FRAMEWORKS if f"import {name}" in block.code
             or f"from {name} import" in block.code]  # fmt: skip
    assert found == list(FRAMEWORKS)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_frameworks_program_prints_what_the_page_says(name: str, database: str) -> None:
    pytest.importorskip(name)
    [block] = [each for each in blocks(DOCS / "frameworks.md") if f"{name}_game" in each.code]
    path = os.pathsep.join([str(Path(stretto.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    program = [sys.executable, "-c", f"url = {database!r}\n{block.code}"]
    done = subprocess.run(program, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=100)
    assert (done.returncode, done.stdout) == (0, block.output), done.stderr


def test_the_tutorial_is_a_program_that_needs_no_installed_server(tmp_path: Path) -> None:
    page = blocks(DOCS / "tutorial.md")
    program = tmp_path / "tutorial.py"
    program.write_text("\n\n".join(block.code for block in page))
    env = {**os.environ, "PYTHONPATH": str(Path(stretto.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-W", "error", program], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(block.output for block in page)


PUBLIC = (
    *("stretto", "stretto.errors", "stretto.web", "stretto.web.fastapi", "stretto.web.tornado"),
    *("stretto.testing", "stretto.testing.plugin", "stretto.embedded"),
)
_DIRECTIVE = re.compile(r"^::: ([\w.]+)(?:\n +options: \{(.*)\})?$", re.MULTILINE)


def public_names(module_name: str) -> list[str]:
    """What a module offers: its `__all__`, else the classes and functions that are its own."""
    module = importlib.import_module(module_name)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module_name]
    return [name for name in getattr(module, "__all__", own) if not name.startswith("_")]


def in_the_reference() -> set[str]:
    """The names that the directives of the reference's pages bring, those of whole modules too."""
    found = set()
    for page in (DOCS / "reference").glob("*.md"):
        for name, options in _DIRECTIVE.findall(page.read_text()):
            found.add(name)
            members = re.search(r"members: \[(.*?)\]", options)
            if name in PUBLIC or name == "stretto.sqlstate":
                named = members[1].split(", ") if members else public_names(name)
                found |= {f"{name}.{each}" for each in named}
    return found


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    names = {f"{module}.{name}" for name in public_names(module)} - {"stretto.Error"}  # it is stretto.errors.Error
    assert names
    assert names - in_the_reference() == set()


@pytest.mark.parametrize("module", PUBLIC)
def test_what_the_reference_shows_says_what_it_is(module: str) -> None:
    """A name without a docstring of its own would be left out without a word."""
    bare = []
    for name in public_names(module):
        value = getattr(importlib.import_module(module), name)
        text = inspect.getdoc(value) if inspect.isclass(value) or inspect.isroutine(value) else "a constant"
        if not text or text.startswith(
            (f"{name}(", "Alias for")
        ):  # what dataclasses and NamedTuple write by themselves
            bare.append(name)
    assert bare == []


def test_the_reference_has_nothing_that_is_not_there() -> None:
    for name in in_the_reference():
        module = max((each for each in (*PUBLIC, "stretto.sqlstate") if f"{name}.".startswith(f"{each}.")), key=len)
        rest = name.removeprefix(module).lstrip(".")
        assert not rest or hasattr(importlib.import_module(module), rest), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path) == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (DOCS.parent / "mkdocs.yml").read_text()
    assert [page.name for page in PAGES if f" {page.relative_to(DOCS)}\n" not in navigation] == []


def test_every_command_and_its_options_are_documented() -> None:
    text = (DOCS / "commands.md").read_text()
    commands = typer.main.get_command(app)
    assert isinstance(commands, typer.core.TyperGroup)
    for name, command in commands.commands.items():
        page = text.partition(f"## stretto {name}\n")[2].partition("\n## ")[0]
        assert [each.opts for each in command.params if f"`{each.opts[0]}" not in page] == []
