"""Worlds that stretto is not made for: it says so at once. (gevent's, for which it is, has its own tests.)"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SUBINTERPRETER = """
import importlib.util, sys
name = "_interpreters" if importlib.util.find_spec("_interpreters") else "_xxsubinterpreters"
interpreters = __import__(name)
if sys.argv[2] == "second":
    import stretto
code = '''
try:
    import stretto
except ImportError as error:
    print(type(error).__name__, error, flush=True)
else:
    print("loaded", flush=True)
'''
interpreters.run_string(interpreters.create(), code)
"""

WITHOUT_GIL = """
import sys
sys._is_gil_enabled = lambda: False
try:
    import stretto
except ImportError as error:
    print(type(error).__name__, error)
"""

# What eventlet.monkey_patch() does to this module.
WITHOUT_POLL = """
import select, sys
del select.poll
import stretto
with stretto.Database(sys.argv[1], acquire_timeout=5) as db:
    for verb in (db.fetchval, db.execute):
        try:
            verb("select 1")
        except stretto.errors.UsageError as error:
            print(type(error).__name__, error)
"""


def said_by(program: str, *arguments: str) -> list[str]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("load", ["first", "second"])
def test_a_subinterpreter_is_refused_whoever_loads_it_first(load: str) -> None:
    (said,) = said_by(SUBINTERPRETER, "", load)
    assert said.startswith("ImportError stretto can't be loaded in a subinterpreter")
    assert "mod_wsgi" in said


def test_a_python_that_runs_without_the_gil_is_refused() -> None:
    (said,) = said_by(WITHOUT_GIL)
    assert said.startswith("ImportError stretto is not made for Python without the GIL")


def test_a_world_without_poll_is_refused_before_anything_is_opened(server_url: str) -> None:
    said = said_by(WITHOUT_POLL, server_url)
    assert [line.partition(",")[0] for line in said] == ["UsageError select.poll is missing"] * 2
    assert "gevent, threads or asyncio" in said[0]
