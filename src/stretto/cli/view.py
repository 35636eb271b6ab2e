"""What the demo prints: tables of 80 to 100 columns, in a terminal with colours and in a log without."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.highlighter import ReprHighlighter
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from stretto import core_info
from stretto.cli.cost import Cost
from stretto.cli.race.live import Screen
from stretto.embedded import Server

WIDTH = 100
_INDENT = (0, 0, 0, 2)


class View:
    """The demo's output, on stdout."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self.screen = Screen(self._console)
        self._console.width = max(80, min(WIDTH, self._console.width))

    def title(self, text: str) -> None:
        self._console.print(f"\n[bold]stretto demo[/]  {text}\n")

    def section(self, title: str, code: str) -> None:
        self._console.print()
        self._console.rule(f"[bold]{title}[/]  [cyan]{escape(code)}[/]", align="left", style="dim")

    def say(self, text: str) -> None:
        self._console.print(self._wrapped(text), markup=False)

    def _wrapped(self, text: str) -> str:
        return textwrap.fill(text, self._console.width, initial_indent="  ", subsequent_indent="  ")

    def code(self, text: str, cost: Cost | None = None) -> None:
        tail = f"  [dim]{cost}[/]" if cost is not None else ""
        self._console.print(f"\n  [cyan]>>> {escape(text)}[/]{tail}")

    def error(self, error: Exception) -> None:
        """Print an error as Python does."""
        text = self._wrapped(f"{type(error).__name__}: {error}")
        self._console.print(text, style="red", markup=False)

    def started(self, server: Server, directory: Path, seconds: float) -> None:
        """Say which server runs, where, and since when."""
        self.say(
            f"PostgreSQL {server.version}, ready on port {server.port} after {seconds:.1f} s, its data in {directory}"
        )
        if core_info() != "compiled":
            self._console.print(
                "  [bold yellow]stretto's core is not compiled: it is about ten times slower than it could be.[/]"
            )

    @contextmanager
    def progress(self, what: str, total: float, unit: str | None) -> Iterator[Callable[[float], None]]:
        """A bar; gives the function that moves it on. Without a terminal its last state is printed, alone."""
        columns = [TextColumn(f"  {what}"), BarColumn(30), TextColumn("{task.percentage:3.0f}%")]
        last: ProgressColumn = TimeElapsedColumn() if unit is None else _Rate(unit)
        with Progress(*columns, last, console=self._console) as progress:
            task = progress.add_task(what, total=total)
            yield lambda count: progress.advance(task, count)
            progress.update(task, completed=total)

    def answer(self, question: str, call: str, rows: Sequence[Any], cost: Cost) -> None:
        """Print a question, how it was asked, what that took, and the answer: dataclass objects or dicts."""
        self._question(question, call, cost)
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
        cells = [_cells(row) for row in rows]
        for name, value in cells[0].items():
            number = isinstance(value, (int, float, Decimal, timedelta))
            table.add_column(name.replace("_", " "), justify="right" if number else "left", no_wrap=True)
        for row in cells:
            table.add_row(*(escape(_shown(value)) for value in row.values()))
        self._console.print(Padding(table, _INDENT, expand=False))

    def tree(self, question: str, call: str, branches: dict[str, list[str]], cost: Cost) -> None:
        """As answer, of objects that have others."""
        self._question(question, call, cost)
        for root, leaves in branches.items():
            tree = Tree(Text(root), guide_style="dim")
            for leaf in leaves:
                tree.add(Text(leaf))
            self._console.print(Padding(tree, _INDENT, expand=False))

    def _question(self, question: str, call: str, cost: Cost) -> None:
        self._console.print(f"\n  [bold]{escape(question)}[/]")
        code = textwrap.indent(call, "  ")
        fits = "\n" not in code and len(code) + 2 + len(str(cost)) <= self._console.width
        self._console.print(f"[cyan]{escape(code)}[/]{'' if fits else chr(10)}  [dim]{cost}[/]")

    def python(self, call: str, value: object) -> None:
        """Print a call and the object that it gives, as Python shows it."""
        self.code(call)
        self._console.print(ReprHighlighter()(self._wrapped(repr(value))))

    def ended(self, directory: Path, seconds: float, written: Sequence[Path]) -> None:
        """Say what is left: the report, and the data."""
        page, *others = written
        link = f"[cyan]{escape(str(page))}[/]"
        self._console.print(f"  [bold]The report:[/] {link} (open it in a browser)", soft_wrap=True)
        self.say(f"Beside it: {', '.join(path.name for path in others)}.")
        self._console.print(
            f"\n  [bold]{seconds:.0f} s[/] in all. The server is stopped; its data stays in {escape(str(directory))}\n",
            soft_wrap=True,
        )


class _Rate(ProgressColumn):
    """How many a second, over the whole time."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        elapsed = task.finished_time or task.elapsed
        rate = f"  {task.completed / elapsed:,.0f} {self._unit}/s" if elapsed else ""
        return Text(f"{task.completed:,.0f} {self._unit}{rate}")


def _cells(row: Any) -> dict[str, Any]:
    return row if isinstance(row, dict) else {each.name: getattr(row, each.name) for each in fields(row)}


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case float() | Decimal():
            return f"{value:,.1f}"
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value:%d %b %H:%M}"
        case date():
            return f"{value:%a %d %b}"
        case timedelta():
            return f"-{-value}" if value < timedelta() else str(value)
        case list():
            return " ".join(map(str, value))
    return str(value)
