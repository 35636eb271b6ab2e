"""Each program in examples/ runs on a real server and prints what its docstring says; pyright finds nothing in it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builds import once

import stretto

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture
def database(server_url: str) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"stretto_example_{os.getpid()}"
    with stretto.Database(server_url) as admin:
        admin.execute(f"create database {name}")
        try:
            yield f"{server_url.rpartition('/')[0]}/{name}"
        finally:
            admin.execute(f"drop database {name} with (force)")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_it_says(path: Path, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
        module.main(database)
    finally:
        del sys.modules[spec.name]
    assert capsys.readouterr().out == textwrap.dedent(module.__doc__.partition("It prints:\n\n")[2])


@once
def test_pyright_in_strict_mode_finds_nothing_in_the_examples() -> None:
    pytest.importorskip("pyright", reason="make lint and make types install it")
    source = {"PYTHONPATH": str(Path(stretto.__file__).parent.parent)}
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **source})
    assert done.returncode == 0, done.stdout + done.stderr
