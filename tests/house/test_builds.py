"""Two builds of one text: each module of the core is compiled in the one and interpreted in the other, with the same
public names."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.builds import once

from stretto import _core

ROOT = Path(_core.__file__).parent
MODULES = sorted(
    ".".join(("stretto", *pxd.relative_to(ROOT).with_suffix("").parts))
    for pxd in ROOT.rglob("*.pxd")
    if pxd.stem != "capi"
)
COMPILED = _core.compiled_modules()
# Prints the public names of each module and the public methods of each class in it (where no class is compiled, its
# attributes are those of its objects).
ASK = """
import importlib, inspect, json, sys
def public(thing):
    return sorted(name for name in dir(thing) if not name.startswith("_"))
def methods(thing):
    return [name for name in public(thing) if callable(getattr(thing, name))]
answer = {}
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    own = [n for n in public(module) if getattr(getattr(module, n), "__module__", name) == name]
    answer[name] = {n: methods(getattr(module, n)) if inspect.isclass(getattr(module, n)) else [] for n in own}
print(json.dumps(answer))
"""
needs_compiled = pytest.mark.skipif(not COMPILED, reason="the core is not compiled: make build")


def ask(core: str, *arguments: str, source: str = ASK) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"STRETTO_CORE": core, "PYTHONPATH": str(ROOT.parent)}
    command = [sys.executable, "-c", source, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_of_the_core_is_of_the_build_that_runs(name: str) -> None:
    assert _core.is_compiled(importlib.import_module(name)) == (_core.core_info() == "compiled")


def test_all_of_the_core_is_compiled_or_nothing() -> None:
    assert sorted(COMPILED) in ([], MODULES)


@once
@needs_compiled
def test_both_builds_have_the_same_public_names() -> None:
    compiled, interpreted = (json.loads(ask(core, *MODULES).stdout) for core in ("c", "py"))
    for name in MODULES:
        hidden = hidden_functions(name)
        assert compiled[name] == {n: methods for n, methods in interpreted[name].items() if n not in hidden}


def hidden_functions(name: str) -> set[str]:
    """The functions that are C only in the compiled build: those that the .pxd declares with cdef."""
    declared = (ROOT.parent / name.replace(".", "/")).with_suffix(".pxd").read_text()
    return set(re.findall(r"^cdef (?!class).*?(\w+)\(", declared, re.MULTILINE))


@needs_compiled
def test_no_compiled_module_is_older_than_its_source() -> None:
    stale = [name for name, file in COMPILED.items() if file.stat().st_mtime < _newest(name)]
    assert stale == [], "run make build"


def _newest(name: str) -> float:
    source = ROOT.parent / name.replace(".", "/")
    return max(source.with_suffix(suffix).stat().st_mtime for suffix in (".py", ".pxd"))


@pytest.mark.parametrize("core", ["C", "yes"])
def test_another_value_of_stretto_core_is_refused(core: str) -> None:
    said = ask(core, source="import stretto")
    assert said.returncode == 1
    assert f"STRETTO_CORE must be 'py' or 'c', not '{core}'" in said.stderr


@once
def test_without_a_compiler_the_build_says_so_loudly_and_works_interpreted(tmp_path: Path) -> None:
    checkout = ROOT.parents[1]
    shutil.copytree(ROOT, tmp_path / "src/stretto", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy2(checkout / "setup.py", tmp_path)
    if (checkout / "build/cython").exists():  # the C files that are there need not be made again
        shutil.copytree(checkout / "build/cython", tmp_path / "build/cython")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STRETTO_")}
    environment |= {"CC": "/bin/false", "PYTHONPATH": "src"}

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment | more, cwd=tmp_path, check=False
        )

    built = run("setup.py", "-q", "build_ext", "--inplace")
    assert built.returncode == 0, built.stderr
    assert "stretto was installed WITHOUT its compiled core" in built.stderr
    assert "STRETTO_EXT=require makes a failure an error" in built.stderr
    assert list(tmp_path.rglob("*.so")) == []
    assert run("setup.py", "-q", "build_ext", "--inplace", STRETTO_EXT="require").returncode != 0
    said = run("-c", "import stretto; print(stretto.core_info(), stretto.__file__)")
    assert said.stdout.split() == ["interpreted", str(tmp_path / "src/stretto/__init__.py")], said.stderr
