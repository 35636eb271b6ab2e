"""The figures of all contenders side by side, and whether stretto's bars are met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.catalogue import Scenario
from chaos.contenders import NAMES
from chaos.measure import OURS, Figures

HEADS = ("", "bar", *NAMES, "")
BROKEN = "failed to end"  # the figure of whoever had none


class Table:
    """Rows for each figure of each scenario; ``missed`` names the bars that stretto missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        self._met = 0
        self._rows: list[tuple[str, ...]] = []
        self._notes: list[str] = []

    def add(self, scenario: Scenario, figures: Mapping[str, Figures]) -> None:
        """Take in what was found, and judge it."""
        bars = {bar.figure: bar.text for bar in scenario.bars}
        self._rows.append((f"**{scenario.title}**", *[""] * (len(HEADS) - 1)))
        for figure in dict.fromkeys(figure for found in figures.values() for figure in found):
            values = {who: found[figure] for who, found in figures.items() if figure in found}
            verdicts = [self._judge(scenario, who, figure, figures) for who in OURS if who in values]
            if all(isinstance(value, str) for value in values.values()):  # texts would make the table too wide
                self._notes += [f"- {scenario.title}: {figure}, {who}: {value}" for who, value in values.items()]
                continue
            mark = "MISSED" if False in verdicts else "met" if True in verdicts else ""
            cells = (cell(values.get(who)) for who in NAMES)
            self._rows.append((figure, bars.get(figure, ""), *cells, mark))

    def _judge(self, scenario: Scenario, who: str, figure: str, figures: Mapping[str, Figures]) -> bool | None:
        own = figures[who]
        if figure == BROKEN:
            self.missed.append(f"{scenario.title}: {who}: {own[figure]}")
            return False
        verdicts = [bar.holds(own[figure], own, figures) for bar in scenario.bars if bar.figure == figure]
        if not verdicts:
            return None
        self._met += sum(verdicts)
        if not all(verdicts):
            text = next(bar.text for bar in scenario.bars if bar.figure == figure)
            self.missed.append(f"{scenario.title}: {figure} {text}: {who} {cell(own[figure])}")
        return all(verdicts)

    def __str__(self) -> str:
        """All in one table of Markdown; below it the texts, and the verdict."""
        verdict = f"{self._met} bars met, {len(self.missed)} missed"
        missed = [f"MISSED {each}" for each in self.missed]
        return "\n".join([*_aligned([HEADS, *self._rows]), "", *self._notes, "", verdict, *missed])


def cell(value: Any) -> str:
    """A figure as the table shows it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return "never" if value == float("inf") else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    plain = [row for row in rows if not row[0].startswith("**")]
    widths = [max(len(row[i]) for row in plain) for i in range(len(HEADS))]
    lines = [
        f"| {row[0].ljust(widths[0])} | "
        + " | ".join(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))
        + " |"
        for row in rows
    ]
    rule = [f"|{'-' * (widths[0] + 2)}|" + "|".join("-" * (width + 1) + ":" for width in widths[1:]) + "|"]
    return [lines[0], *rule, *lines[1:]]
