"""The interpreted and the compiled codecs give the same values, bytes and errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.builds import once

ROOT = Path(__file__).parents[2]


def outcomes(core: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STRETTO_CORE": core, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return subprocess.run(
        [sys.executable, "-m", "tests.codecs.outcomes"], cwd=ROOT, env=environment, capture_output=True, text=True
    )


@once
def test_both_builds_do_the_same() -> None:
    compiled, interpreted = outcomes("c"), outcomes("py")
    if "the core is not compiled" in compiled.stderr:
        pytest.skip("the core is not compiled")
    assert (compiled.returncode, interpreted.returncode) == (0, 0), compiled.stderr + interpreted.stderr
    ours, theirs = compiled.stdout.splitlines(), interpreted.stdout.splitlines()
    assert len(ours) > 10_000
    for one, other in zip(ours, theirs, strict=True):
        assert one == other
