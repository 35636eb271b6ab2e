"""The command and its table: bars met and missed, and what is told of a contender that fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from chaos.catalogue import SCENARIOS, Scenario
from chaos.measure import Figures, at_most, at_most_the, none, not_below
from chaos.report import Table, cell

from chaos import __main__ as command


async def nothing(*_: object) -> Figures:
    return {}


def table_of(*bars: object, **figures: Figures) -> Table:
    table = Table()
    table.add(Scenario("t", "a fault", bars, nothing), figures)  # type: ignore[arg-type]  # any bars
    return table


VERDICTS = [
    (at_most("errors", 3), {"stretto": {"errors": 3}}, True),
    (at_most("errors", 3), {"stretto": {"errors": 4}}, False),
    (at_most("errors", 3), {"stretto": {"errors": 1}, "threads": {"errors": 4}}, False),
    (at_most("errors", 3), {"stretto": {"errors": 1}, "asyncpg": {"errors": 400}}, True),
    (none("errors"), {"stretto": {"errors": 1}}, False),
    (at_most_the("errors", "kills"), {"stretto": {"errors": 5, "kills": 5}}, True),
    (at_most_the("errors", "kills"), {"stretto": {"errors": 6, "kills": 5}}, False),
    (not_below("ok/s", "asyncpg"), {"stretto": {"ok/s": 5.0}, "asyncpg": {"ok/s": 6.0}}, False),
    (not_below("ok/s", "asyncpg"), {"stretto": {"ok/s": 5.0}}, True),
    (at_most("s", 1.0), {"stretto": {"s": float("inf")}}, False),
    (none("errors"), {"stretto": {"failed to end": "TimeoutError after 60 s"}}, False),
]


@pytest.mark.parametrize(("bar", "figures", "met"), VERDICTS)
def test_a_bar_is_met_or_missed(bar: object, figures: dict[str, Figures], met: bool) -> None:
    table = table_of(bar, **figures)
    assert (table.missed == []) is met
    assert ("MISSED" in str(table)) is not met


def test_all_contenders_stand_side_by_side_and_texts_below() -> None:
    figures = {"stretto": {"errors": 1, "by kind": "1 ConnectionLost"}, "asyncpg": {"errors": 2000}}
    said = str(table_of(at_most("errors", 3), **figures))
    assert "| errors | <= 3 |       1 |       - |   2,000 |            - | met |" in said
    assert "- a fault: by kind, stretto: 1 ConnectionLost" in said
    assert "1 bars met, 0 missed" in said


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (0.5, "0.500"), (1234.5, "1,234"), (float("inf"), "never"), (5000, "5,000")]
)
def test_figures_are_shown_shortly(value: object, shown: str) -> None:
    assert cell(value) == shown


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """The command silences the libraries that it maltreats."""
    kept = {name: logging.getLogger(name).level for name in command.SILENCED}
    yield
    for name, level in kept.items():
        logging.getLogger(name).setLevel(level)


def test_the_command_measures_and_its_status_is_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["t2b", "--quick", "--only", "stretto"]) == 0
    assert "**T2b" in capsys.readouterr().out


def test_the_command_says_what_went_wrong(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> Figures:
        raise RuntimeError("the scenario itself")

    broken = Scenario("t2b", "broken", (), fail)
    monkeypatch.setattr("chaos.catalogue.SCENARIOS", [broken])
    assert command.main(["t2b", "--only", "stretto"]) == 1
    assert "MISSED broken: stretto: RuntimeError" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["t9"], ["t1", "--only", "libpq"]])
def test_what_there_is_not_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert "there are" in capsys.readouterr().err


def test_every_scenario_has_bars_of_figures() -> None:
    assert all(scenario.bars for scenario in SCENARIOS)
    assert len({scenario.title for scenario in SCENARIOS}) == len(SCENARIOS)
