"""The benchmarks run: every installed contender answers rightly in every case (checked before its speed counts)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import cases, contenders, report
from benchmarks.__main__ import main, parse, sizes_of
from benchmarks.cases import Case, Column
from benchmarks.contenders import Contender
from benchmarks.measure import WrongAnswer, drive, expect
from benchmarks.runner import Outcome
from benchmarks.sizes import QUICK

from stretto import _core
from stretto.wire import buffer

BOTH_BUILDS = pytest.mark.skipif(not _core.is_compiled(buffer), reason="compares the compiled core with the other")


def expected(case: Case, found: list[Contender]) -> set[tuple[str, str]]:
    """Each variant of a case with each contender that takes it."""
    return {
        (str(variant), each.name)
        for variant in case.variants(QUICK)
        for each in found
        if each.case == case.name and case.takes(each, variant)
    }


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[BOTH_BUILDS, pytest.mark.slow] if name == "codecs" else [pytest.mark.slow])
        if name not in ("copy", "stream")
        else name
        for name in cases.NAMES
    ],
)
def test_quick_run_gives_figures_of_every_installed_contender(
    name: str, server_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "result.json"
    status = main([name, "--quick", "--no-pinning", "--url", server_url, "--json", str(path)])
    printed = capsys.readouterr().out
    outcomes = json.loads(path.read_text())["outcomes"]
    assert [outcome["failures"] for outcome in outcomes] == [{}] * len(outcomes)
    assert status == 0
    measured = {(str(outcome["variant"]), name) for outcome in outcomes for name in outcome["results"]}
    assert measured == expected(cases.load(name), contenders.load_all()[0])
    for outcome in outcomes:
        for contender, [figures] in outcome["results"].items():
            assert figures["rate"] > 0, contender
            assert f"| {contender} " in printed


def test_stretto_and_its_closest_peers_are_contenders_in_the_cases_that_have_budgets() -> None:
    found, _missing = contenders.load_all()
    modules = {name: {each.module for each in found if each.case == name} for name in cases.NAMES}
    assert modules["select"] >= {"stretto_", "asyncpg_", "psycopg3", "psycopg2_", "sqlalchemy_async"}
    assert modules["rows"] >= {"stretto_", "asyncpg_", "psycopg3", "psycopg2_", "sqlalchemy_sync"}
    assert modules["stream"] >= {"stretto_", "asyncpg_", "psycopg3"}
    assert modules["copy"] >= {"stretto_", "asyncpg_", "psycopg3"}


def test_unknown_case_is_refused_with_the_list_of_cases(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nonsense"])
    assert "no such case: nonsense" in capsys.readouterr().err


def test_wrong_answer_is_an_error_that_shows_both() -> None:
    with pytest.raises(WrongAnswer, match=r"row 7: \(8,\) instead of \(7,\)"):
        expect((8,), (7,), "row 7")


def test_blocking_contender_is_driven_without_an_event_loop() -> None:
    async def answer() -> int:
        return 42

    assert drive(Contender("any", "one", "python", False, open), answer()) == 42


def test_named_number_of_callers_replaces_those_of_the_quick_run() -> None:
    assert sizes_of(parse(["--quick", "--callers", "1,7"])).callers == (1, 7)


def rounds(*rates: float) -> list[dict[str, float]]:
    return [{"rate": rate, "client_us": 1e6 / rate} for rate in rates]


@pytest.mark.parametrize(
    ("own", "other", "text"),
    [
        (rounds(200, 300, 220), rounds(100, 100, 110), "2.00"),
        (rounds(110, 300, 90), rounds(100, 100, 100), "~1.10"),  # the ranges overlap: it may be chance
        (rounds(50), rounds(100), "0.50"),
    ],
)
def test_ratio_is_the_median_of_those_within_a_round(
    own: list[dict[str, float]], other: list[dict[str, float]], text: str
) -> None:
    assert report.ratio(own, other) == text


def test_table_shows_medians_spreads_ratios_and_who_failed() -> None:
    case = Case(
        name="toy",
        about="as a test has it",
        run=lambda _contender, _job: {},
        baselines=("one that is not installed|peer", "another one"),
        rate=Column("rate", "per s", ",.0f"),
        columns=(Column("client_us", "client us/op"), Column("never", "not measured")),
    )
    results = {"peer": rounds(1000, 1100, 900), "stretto": rounds(2000, 2000, 2500)}
    outcome = Outcome("toy", {"callers": 3}, results, {"third": "WrongAnswer: row 7"})
    assert report.table(case, outcome).splitlines() == [
        "## toy: callers 3",
        "",
        "as a test has it",
        "",
        "| contender | per s | spread | x peer | client us/op |",
        "| --------- | ----: | -----: | -----: | -----------: |",
        "| stretto   | 2,000 |    25% |   2.00 |        500.0 |",
        "| peer      | 1,000 |    20% |      1 |      1,000.0 |",
        "",
        "FAILED third: WrongAnswer: row 7",
    ]
