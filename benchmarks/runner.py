"""Runs a case: a fresh process for each contender and round, contenders in random order within a round."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Job
from benchmarks.contenders import Contender
from benchmarks.server import Target
from benchmarks.sizes import Sizes
from stretto.cli import urls

ROOT = Path(__file__).parent.parent


@dataclass
class Outcome:
    """What one variant of a case gave: figures of each round by contender, and why others gave none."""

    case: str
    variant: Mapping[str, Any]
    results: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Runner:
    """What is the same for all cases of a run."""

    target: Target
    core: int | None
    sizes: Sizes
    random: random.Random
    progress: Callable[[str], None]

    def run(self, case: Case, variant: Mapping[str, Any], contenders: list[Contender]) -> Outcome:
        """Run all contenders of one variant, round by round; one that failed is not asked again."""
        outcome = Outcome(case.name, variant)
        taking = [each for each in contenders if each.case == case.name and case.takes(each, variant)]
        for number in range(1, self.sizes.rounds + 1):
            order = [each for each in taking if each.name not in outcome.failures]
            self.random.shuffle(order)
            for contender in order:
                self.progress(f"{case.name} {describe(variant)} round {number}/{self.sizes.rounds}: {contender.name}")
                try:
                    figures = self._process(case, variant, contender)
                except ContenderFailed as error:
                    outcome.failures[contender.name] = str(error)
                    outcome.results.pop(contender.name, None)
                else:
                    outcome.results.setdefault(contender.name, []).append(figures)
        self.progress("")
        return outcome

    def _process(self, case: Case, variant: Mapping[str, Any], contender: Contender) -> dict[str, float]:
        job = Job(
            case=case.name,
            contender=contender.name,
            module=contender.module,
            variant=variant,
            url=self.target.url,
            server_pid=self.target.pid,
            core=self.core,
            sizes=self.sizes,
        )
        try:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.worker", *(["gevent"] if contender.gevent else [])],
                input=json.dumps(job.as_dict()),
                env={**os.environ, **contender.env},
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=self.sizes.patience,
            )
        except subprocess.TimeoutExpired:
            raise ContenderFailed(f"no result after {self.sizes.patience} seconds") from None
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise ContenderFailed(urls.without_password(said, self.target.url))
        figures: dict[str, float] = json.loads(done.stdout)
        return figures


class ContenderFailed(Exception):
    """A contender's process gave no figures; the message is the last line that it wrote."""


def describe(variant: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in variant.items())
