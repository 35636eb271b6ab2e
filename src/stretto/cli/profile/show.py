"""The profile in a terminal: for each kind of call a table in microseconds, and bars of which each letter is a part."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from stretto.cli.profile.parts import PARTS, Profile
from stretto.cli.profile.report import Report, Setting
from stretto.cli.profile.rounds import Line

_WIDTH = 100
_LABEL = 16  # columns for a driver
_BESIDE = _LABEL + 23  # columns of a bar's line that are not the bar
_INDENT = (0, 0, 0, 2)
# A letter and a colour for each part: bars can be read in a log, too.
_SIGNS = {
    "queued": ("q", "white on bright_black"),
    "encode": ("e", "black on yellow"),
    "wire": ("w", "white on blue"),
    "server": ("s", "black on cyan"),
    "decode": ("d", "black on green"),
    "rest": ("p", "white on magenta"),
    "no_cpu": (".", "dim"),
}
_NAMES = {"rest": "rest of Python", "no_cpu": "no cpu"}


class Show:
    """The output, on stdout."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._console.width = max(80, min(_WIDTH, self._console.width))

    def begin(self, setting: Setting) -> None:
        """Say what is measured, with what."""
        self._console.print("\n[bold]stretto race --profile[/]  Where does a call's time go?\n")
        client, server = (
            ", ".join(f"{name} {value}" for name, value in part.items()) for part in (setting.client, setting.server)
        )
        self._say(f"Client: {client}")
        self._say(f"Server: PostgreSQL {server.removeprefix('server_version ')}")

    @contextmanager
    def progress(self) -> Iterator[Callable[[float], None]]:
        """A bar in a terminal; its function hears the part that is done."""
        columns = (TextColumn("  Measuring"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bar:
            task = bar.add_task("", total=1.0)
            yield lambda done: bar.advance(task, done)

    def report(self, report: Report) -> None:
        """Print tables, bars, and how each part was measured."""
        for title, group in groupby(report.lines.items(), key=lambda item: item[0].work.title):
            lines = dict(group)
            self._console.print()
            self._console.rule(f"[bold]{title}[/]  microseconds for a call", align="left", style="dim")
            self._console.print(Padding(table(lines), _INDENT, expand=False))
            for text in bars(lines, self._console.width):
                self._console.print(text)
        self._console.print()
        self._console.print(legend())
        self._console.print("\n  [bold]How it is measured[/]")
        for part, how in report.how().items():
            self._say(f"{_NAMES.get(part, part)}: {how}.", indent="    ")
        self._say(
            "±: half of the rounds are within it. I/O, beside the bars: the share of wire and server.", indent="    "
        )
        for note in report.notes():
            self._say(note)

    def written(self, path: Path) -> None:
        """Say where the JSON is."""
        self._say(f"All figures as JSON: {path}")

    def _say(self, text: str, indent: str = "  ") -> None:
        filled = textwrap.fill(text, self._console.width, initial_indent="  ", subsequent_indent=indent)
        self._console.print(filled, markup=False)


def table(lines: Mapping[Line, Profile]) -> Table:
    """A line for each driver: the parts, and the whole with its spread."""
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="dim")
    shown.add_column("", no_wrap=True, max_width=_LABEL)
    for heading in (*PARTS, "whole", "±"):
        shown.add_column(heading.replace("_", " "), justify="right", no_wrap=True)
    for line, profile in lines.items():
        figures = map(_figure, [*(profile.parts[part] for part in PARTS), profile.whole])
        spread = f"{100 * profile.spread / profile.whole:.0f}%"
        shown.add_row(_label(line), *figures, spread, style="green" if line.name == "stretto" else "")
    return shown


def bars(lines: Mapping[Line, Profile], width: int) -> Iterable[Text]:
    """A bar for each driver, all of one length: the shares of the parts."""
    for line, profile in lines.items():
        text = Text(f"  {_label(line):<{_LABEL}} ", no_wrap=True)
        for part, length in _lengths(profile, width - _BESIDE):
            letter, style = _SIGNS[part]
            text.append(letter * length, style=style)
        waited = profile.parts["wire"] + profile.parts["server"]
        text.append(f" {profile.rate:>7,.0f}/s {100 * waited / sum(profile.parts.values()):3.0f} % I/O")
        yield text


def legend() -> Text:
    """Which letter is which part."""
    text = Text("  ")
    for part in PARTS:
        letter, style = _SIGNS[part]
        text.append(letter, style=style)
        text.append(f" {_NAMES.get(part, part)}  ")
    return text


def _lengths(profile: Profile, width: int) -> Iterator[tuple[str, int]]:
    """How many letters each part has; together always the width."""
    total, seen, drawn = sum(profile.parts.values()), 0.0, 0
    for part in PARTS:
        seen += profile.parts[part]
        until = round(width * seen / total)
        yield part, until - drawn
        drawn = until


def _label(line: Line) -> str:
    if line.callers > 1:
        return f"  {line.callers} callers"
    return line.name if line.style == "blocking" else f"{line.name} {line.style}"


def _figure(seconds: float) -> str:
    micro = 1e6 * seconds
    return f"{micro:,.0f}" if micro >= 99.5 else f"{micro:.1f}"
