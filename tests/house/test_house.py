"""The rules of the house that a machine can see: floors, sizes, docstrings, generated files, what an import loads."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.builds import once

import stretto

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src/stretto").rglob("*.py"))
LINES = 400
# Modules that may be longer, and why.
LONGER = {
    "sqlstate.py": "generated: a class for each SQLSTATE",
    "errors.py": "the whole tree of errors is one subject",
    "_conninfo.py": "libpq's parser of connection strings in all its forms is one subject",
    "model/query.py": "one builder: what each of its methods says, its key and its text share its state",
    "flows/connect.py": "the whole story of one connection: hosts, protocol versions, TLS, targets",
    "protocol/machine.py": "what we say and what we hear of one conversation share their state",
    "runtime/aio.py": "one transport: its reading, writing, cancelling and closing share their state",
    "runtime/blocking.py": "the same for blocking sockets",
    "runtime/atraffic.py": "one pool's traffic: placing, waiting, handing out, taking back share one state",
    "runtime/traffic.py": "the same for threads and greenlets, under one lock",
}
# What costs time to load and is not needed to say `import stretto`.
HEAVY = {
    "asyncio", "asyncpg", "attr", "attrs", "cryptography", "gevent", "greenlet", "msgspec", "multiprocessing", "numpy",
    "pandas", "psycopg", "pydantic", "rich", "scramp", "sqlalchemy", "tkinter", "typer", "unittest", "uvloop",
}  # fmt: skip
VERBS = [stretto.Database, stretto.Connection, stretto.Batch]
VERBS += [stretto.AsyncDatabase, stretto.AsyncConnection, stretto.AsyncBatch]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this Python in the checkout."""
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")} | environment
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, env=env, check=False)


def test_imports_go_downward_only() -> None:
    said = run("-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache")
    assert said.returncode == 0, said.stdout + said.stderr


@once
@pytest.mark.parametrize("tool", ["make_sync.py", "make_sqlstate.py"])
def test_generated_files_are_in_step(tool: str) -> None:
    said = run(f"tools/{tool}", "--check")
    assert said.returncode == 0, said.stdout + said.stderr


def test_the_table_of_oids_is_the_servers(server_url: str) -> None:
    said = run("tools/make_oids.py", "--check", server_url)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_short_or_has_a_reason(path: Path) -> None:
    name = str(path.relative_to(ROOT / "src/stretto"))
    name = name.replace("_sync/", "_async/")
    assert len(path.read_text().splitlines()) <= LINES or name in LONGER


def test_reasons_for_long_modules_name_modules() -> None:
    assert [name for name in LONGER if not (ROOT / "src/stretto" / name).exists()] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert re.match(r'(# Generated .*\n)?(r?"""\S|$)', text)


EXEMPTION = re.compile(r"# ((?:type: ignore|pyright: ignore|noqa)(?:\[[\w, -]+\]|: ?[A-Z0-9, ]+[0-9])?)(.*)$")


@pytest.mark.parametrize("folder", ["src", "tools", "benchmarks", "chaos", "examples"])
def test_whoever_turns_a_checker_off_says_why(folder: str) -> None:
    bare = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        reasons: dict[str, str] = {}  # one in a file stands for the same thing again
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = EXEMPTION.search(line)
            if match and not reasons.setdefault(match[1], match[2].strip()):
                bare.append(f"{path.relative_to(ROOT)}:{number}")
    assert bare == []


def test_cython_is_not_imported() -> None:
    assert [p for p in SOURCES if re.search(r"^\s*(import|from) cython\b", p.read_text(), re.M)] == []


def public_methods(cls: type) -> Iterator[tuple[str, Any]]:
    for name, member in inspect.getmembers(cls):
        if not name.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
            yield name, member


@pytest.mark.parametrize("cls", VERBS, ids=lambda cls: cls.__name__)
def test_every_public_verb_has_a_docstring(cls: type) -> None:
    assert cls.__doc__
    bare = [name for name, member in public_methods(cls) if not re.match(r"\S.*[.:]", inspect.getdoc(member) or "")]
    assert bare == []


def test_both_front_doors_have_the_same_verbs() -> None:
    renamed = {"aclose": "close"}
    for blocking, asynchronous in zip(VERBS[:3], VERBS[3:], strict=True):
        there = {renamed.get(name, name) for name, _ in public_methods(asynchronous)}
        assert there == {name for name, _ in public_methods(blocking)}


def test_public_names_are_there() -> None:
    assert [name for name in stretto.__all__ if not hasattr(stretto, name)] == []


def test_the_part_for_tests_is_there_after_a_plain_import() -> None:
    said = run("-c", "import sys, stretto; print('stretto.testing' in sys.modules, stretto.testing.expect.__name__)")
    assert said.stdout.split() == ["False", "expect"], said.stderr


def test_the_version_is_that_of_the_package() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{stretto.__version__}"' in text


SELDOM = (
    "_async.database",
    "_sync.bulk",
    "_sync.moving",
    "flows.batches",
    "flows.bulk",
    "flows.moving",
    "runtime.crew",
)


@pytest.mark.parametrize("core", ["py", "c"])
def test_an_import_loads_nothing_heavy(core: str) -> None:
    if core == "c" and not stretto._core.compiled_modules():
        pytest.skip("the core is not compiled")
    said = run("-c", "import stretto, sys, json; print(json.dumps(list(sys.modules)))", STRETTO_CORE=core)
    assert said.returncode == 0, said.stderr
    loaded = json.loads(said.stdout)
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    assert {f"stretto.{name}" for name in SELDOM} & set(loaded) == set()
