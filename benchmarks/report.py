"""Figures into tables: medians, spreads, and ratios to the named peers."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from benchmarks.bars import Rounds, factor, overlap, rates
from benchmarks.cases import Case, Column
from benchmarks.runner import Outcome, describe


def spread(values: list[float]) -> float:
    """The distance of the extremes, as a part of the median."""
    return (max(values) - min(values)) / median(values)


def ratio(own: Rounds, other: Rounds) -> str:
    """The median of the ratios within each round; with ~ where the ranges overlap, for then it may be chance."""
    return f"{'~' if overlap(own, other) else ''}{factor(own, other):.2f}"


def table(case: Case, outcome: Outcome) -> str:
    """One variant's table in Markdown, the fastest first; below it what must hold, and whoever failed."""
    results = outcome.results
    present = [[name for name in each.split("|") if name in results] for each in case.baselines]
    baselines = [names[0] for names in present if names]
    heads = ["contender", case.rate.heading, "spread", *(f"x {name}" for name in baselines)]
    columns = [column for column in case.columns if any(column.key in r[0] for r in results.values())]
    rows = [heads + [column.heading for column in columns]]
    for name, rounds in sorted(results.items(), key=lambda item: -median(rates(item[1]))):
        cells = [name, _cell(case.rate, rounds), f"{spread(rates(rounds)):.0%}"]
        cells += ["1" if name == peer else ratio(rounds, results[peer]) for peer in baselines]
        rows.append(cells + [_cell(column, rounds) for column in columns])
    title = f"## {case.name}{': ' if outcome.variant else ''}{describe(outcome.variant)}\n\n{case.about}\n\n"
    text = title + _align(rows)
    if case.table is not None:
        text += "\n\n" + case.table(results)
    if bars := case.bars(outcome.variant):
        text += "\n\nmust hold:\n\n" + "\n".join(f"- {bar.line(results)}" for bar in bars)
    return text + "".join(f"\n\nFAILED {name}: {reason}" for name, reason in outcome.failures.items())


def _cell(column: Column, rounds: Rounds) -> str:
    found = [figures[column.key] for figures in rounds if column.key in figures]
    return format(median(found), column.form) if found else "-"


def _align(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in (rows[0], rule, *rows[1:]):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def heading(facts: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in facts.items())
