"""The README's programs run unchanged, in a process of their own and without a server, and print what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.house.pages import Block, blocks, broken_links

import stretto

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.mark.parametrize("block", blocks(README), ids=lambda block: f"line {block.line}")
def test_a_program_runs_unchanged(block: Block, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(block.code)
    env = {**os.environ, "PYTHONPATH": str(Path(stretto.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-W", "error", program], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == block.output != ""


def test_the_first_program_has_twenty_lines_or_so() -> None:
    code = blocks(README)[0].code
    assert len([line for line in code.splitlines() if line.strip()]) <= 20


def test_its_links_lead_somewhere() -> None:
    assert broken_links(README) == []
