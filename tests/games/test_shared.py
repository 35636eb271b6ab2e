"""What the four servers share is one file each, without `await`; nothing else talks to the database."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.games.serving import GAMES, ROOT, SERVERS

import stretto

SHARED = ("models.py", "service.py")
ASYNC = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)


@pytest.mark.parametrize("name", SHARED)
def test_there_is_one_and_it_has_no_await(name: str) -> None:
    assert [str(path.relative_to(ROOT)) for path in (ROOT / "examples").rglob(name)] == [f"examples/games/{name}"]
    tree = ast.parse((GAMES / name).read_text())
    assert [node for node in ast.walk(tree) if isinstance(node, ASYNC)] == []


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_uses_them_and_has_no_sql_of_its_own(name: str) -> None:
    path = GAMES / f"serve_{name}.py"
    assert {"models", "service", "replies"} <= imported(path)
    called = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert called & {"fetch", "fetchrow", "fetchval", "execute", "insert", "update", "select"} == set()


def test_a_process_loads_these_files_and_no_other() -> None:
    code = f"import sys; sys.path.insert(0, {str(GAMES)!r}); import serve_{{}} as s; print(s.service.__file__)"
    source = str(Path(stretto.__file__).parent.parent)
    env = {**os.environ, "PYTHONPATH": source}
    with ExitStack() as stack:
        started = [
            subprocess.Popen([sys.executable, "-c", code.format(name)], stdout=subprocess.PIPE, text=True, env=env)
            for name in SERVERS
        ]
        said = [stack.enter_context(process).communicate(timeout=100)[0].strip() for process in started]
    assert said == [str(GAMES / "service.py")] * len(SERVERS)


def test_the_script_needs_no_server_and_prints_what_it_says(
    databases: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(GAMES))
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location("offline", GAMES / "offline.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        module.main(databases["offline"])
    finally:
        for name in {"models", "service"} & (set(sys.modules) - before):
            del sys.modules[name]
    assert capsys.readouterr().out == textwrap.dedent(module.__doc__.partition("on an empty database:\n\n")[2])
