"""The guide's code runs, page by page, on a real server, and prints what it says; its links lead somewhere."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.house.pages import blocks, broken_links

import stretto

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
    """The blocks of a page share a namespace, in which `url` is the database's, and one event loop."""
    names: dict[str, Any] = {"__name__": f"page_{path.stem}", "url": database}
    assert blocks(path)
    with asyncio.Runner() as runner:
        for block in blocks(path):
            code = compile(
                block.code, f"{path}:{block.line}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
            )
            result = eval(code, names)
            if inspect.iscoroutine(result):
                runner.run(result)
            assert capsys.readouterr().out == textwrap.dedent(block.output), place


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path) == []


def test_every_page_of_the_guide_is_in_the_navigation() -> None:
    navigation = (DOCS.parent / "mkdocs.yml").read_text()
    assert [str(page.relative_to(DOCS)) for page in GUIDE if str(page.relative_to(DOCS)) not in navigation] == []
