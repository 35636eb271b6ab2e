"""The race in a terminal: a line for each contender, with a bar that grows, and what each has done."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stretto.cli.race.findings import findings, rate
from stretto.cli.race.result import ENDED, Heat, Result, Standing

_OURS, _RUNS, _WRONG = "green", "yellow", "red"
_WIDEST = 120
_SPARKS = "▁▂▃▄▅▆▇█"
_FIGURES = 33  # columns: rate, p99, CPU, connections, and what is between them
_EDGE = 2
_WHOLE = 100  # from here on a figure has no decimals


class Screen:
    """What a race prints, on stdout. Without a terminal there are no moving bars, and all the rest."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._width = max(80, min(_WIDEST, self.console.width))

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph."""
        indent = " " * _EDGE
        wrapped = textwrap.fill(text, self._width, initial_indent=indent, subsequent_indent=indent)
        self.console.print(wrapped, style=style, markup=False, soft_wrap=True)

    @contextmanager
    def watching(self, result: Result) -> Iterator[None]:
        """Show the heat that is under way for the length of the block; what is printed meanwhile stands above it."""
        if not self.console.is_terminal:
            yield
        else:
            with Live(_UnderWay(self, result), console=self.console, refresh_per_second=4, transient=True):
                yield

    def heat(self, heat: Heat) -> None:
        """Print a heat that is over: its figures, the quickest first, and what they say."""
        others = [each for each in heat.standings if each.figures is None]
        self.console.print()
        self.console.print(self.table(heat, heat.ranked() + others), soft_wrap=True)
        self.console.print()
        for text in findings(heat):
            self.say(text)

    def table(self, heat: Heat, standings: list[Standing]) -> Group:
        """A heat's title, what is done, and a line for each."""
        room = self._width - _EDGE - _FIGURES
        longest = max(len(_name(each)) for each in standings)
        bar = max(8, min(50, room - longest))
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
        table.add_column("", width=min(longest, room - bar) + _EDGE, no_wrap=True, overflow="ellipsis")
        table.add_column("", width=bar - 1, no_wrap=True)
        for heading, wide in (("a second", 9), ("p99 ms", 7), ("CPU µs", 7), ("conn.", 5)):
            table.add_column(heading, justify="right", min_width=wide, no_wrap=True)
        best = max((rate(each) for each in heat.ranked()), default=0.0)
        for standing in standings:
            table.add_row(*_cells(standing, best, bar - 1), style=_style(standing))
        indent = " " * _EDGE
        about = textwrap.fill(heat.about, self._width, initial_indent=indent, subsequent_indent=indent)
        return Group(
            Text(f"{indent}{heat.title}", style="bold"),
            Text(about, style="dim"),
            Text(),
            table,
        )


class _UnderWay:
    """What moves on the screen while the race runs."""

    def __init__(self, screen: Screen, result: Result) -> None:
        self._screen = screen
        self._result = result

    def __rich__(self) -> Group | Text:
        under_way = [each for each in self._result.heats if not all(one.state in ENDED for one in each.standings)]
        if not under_way:
            return Text()
        heat = under_way[0]
        curve = Text(f"{' ' * _EDGE}connections  {_sparks(self._result, 50)}", style="dim")
        return Group(Text(), self._screen.table(heat, heat.standings), Text(), curve)


def _name(standing: Standing) -> str:
    return f"{' ' * _EDGE}{standing.title}"


def _style(standing: Standing) -> str:
    match standing.state:
        case "waiting" | "missing":
            return "dim"
        case "starting" | "running":
            return _RUNS
        case "failed":
            return _WRONG
    return _OURS if standing.ours else ""


def _cells(standing: Standing, best: float, width: int) -> list[str]:
    name, figures = _name(standing), standing.figures
    if figures is not None:
        bar = "━" * max(1, round(width * figures["rate"] / best))
        return [name, bar, *_numbers(standing, figures)]
    match standing.state:
        case "running":
            done = round(width * standing.part)
            return [name, "━" * done + "╌" * (width - done), *_numbers(standing, standing.so_far)]
        case "starting":
            return [name, "╌" * width, "", "", "", ""]
        case "missing":
            return [name, "", "not there", "", "", ""]
        case "failed":
            return [name, "", "failed", "", "", ""]
    return [name, "", "", "", "", ""]


def _numbers(standing: Standing, figures: dict[str, float]) -> list[str]:
    waits = _short(figures["p99_ms"]) if "p99_ms" in figures else "–"  # too few waits
    cpu = _short(figures["client_us"]) if "client_us" in figures else ""
    return [f"{standing.rate:,.0f}", waits, cpu, f"{standing.connections}"]


def _short(figure: float) -> str:
    return f"{figure:,.{1 if figure < _WHOLE else 0}f}"


def _sparks(result: Result, width: int) -> str:
    """The curve of the connections in so many characters, and the number now."""
    steps = result.connections[:]
    if not steps:
        return ""
    most, end = max(number for _, number in steps), max(steps[-1][0], 1e-9)
    heights = []
    at = 0
    for column in range(width):
        until, highest = end * (column + 1) / width, steps[at][1]
        while at + 1 < len(steps) and steps[at + 1][0] <= until:
            at += 1
            highest = max(highest, steps[at][1])
        heights.append(highest)
    return "".join(_SPARKS[(len(_SPARKS) - 1) * each // max(most, 1)] for each in heights) + f"  {steps[-1][1]}"
