"""Greenlets that share one connection: each case of ``greenlet_cases`` in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.live.conftest import EVERYWHERE

ROOT = Path(__file__).parents[2]
MODULE = Path(__file__).with_name("greenlet_cases.py")
CASES = re.findall(r"^def (\w+)\(url: str\) -> None:", MODULE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("case", CASES)
def test_greenlets(case: str, server_url: str) -> None:
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "tests.live.greenlet_cases", case, server_url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, cwd=ROOT)
    assert done.stderr == ""
    assert done.returncode == 0


def test_the_tests_of_models_run_in_greenlets(server_url: str) -> None:
    """The very files, in a process that is patched at its beginning; see ``places``."""
    files = [str(MODULE.with_name("_sync") / f"{name}.py") for name in EVERYWHERE]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "STRETTO_TEST_URL": server_url}
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=0", "--tb=short"]
    command = [sys.executable, "-m", "gevent.monkey", "--module", "pytest", *options, *files]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d{3} passed in", done.stdout, re.MULTILINE), done.stdout
