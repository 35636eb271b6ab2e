"""The guide's code runs, page by page, on a real server, and prints what it says; its links lead somewhere."""

from __future__ import annotations

import os
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
GUIDE = sorted((DOCS / "guide").glob("*.md"))


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
    names: dict[str, Any] = {"__name__": f"page_{path.stem}", "url": database}
    assert blocks(path)
    for block in blocks(path):
        place = f"{path.name}, the block at line {block.line}"
        exec(compile(block.code, place, "exec", dont_inherit=True), names)
        assert capsys.readouterr().out == textwrap.dedent(block.output), place
    for value in names.values():
        if isinstance(value, stretto.Database):
            value.close()


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
