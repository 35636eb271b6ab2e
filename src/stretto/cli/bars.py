"""What `stretto copy` and `stretto load` print: a bar for what runs, and tables of what has landed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from stretto.errors import printable

WIDTH, LEAST = 100, 80
BAR = 24
Move = Callable[[float, int, float | None], None]  # how far it is, how many rows that are, and of how much


class View:
    """The output of one command, on stdout."""

    def __init__(self) -> None:
        self._console, self._moving = _Console(highlight=False), _Console(highlight=False)
        width = min(WIDTH, self._console.width)
        self._console.width = max(LEAST, width)  # a terminal that has less wraps it
        self._moving.width = width if self._moving.is_terminal else max(LEAST, width)  # what moves must stay one line

    @contextmanager
    def bar(self, what: str) -> Iterator[Move]:
        """A bar; gives the function that moves it. Without a terminal its last state is printed, alone."""
        shown = printable(what)
        size = min(40, max(12, len(shown)))
        room = self._moving.width - size - 46  # for the percentage, the rows and the time
        name = TextColumn(f"  {{task.fields[what]:<{size}}}", markup=False)
        bar = [BarColumn(min(BAR, room))] if room > 2 else []
        columns = [name, *bar, TaskProgressColumn(), _Rows(Column(no_wrap=True)), TimeElapsedColumn()]
        with Progress(*columns, console=self._moving) as progress:
            task = progress.add_task("", total=None, what=shown, rows=0, failed=False)

            def move(done: float, rows: int, total: float | None) -> None:
                progress.update(task, total=max(done, total) if total else None, completed=done, rows=rows)

            try:
                yield move
            except BaseException:
                progress.update(task, total=1, completed=0, failed=True)
                raise
            progress.update(task, total=1, completed=1)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table; numbers stand to the right."""
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
        lines = [list(row) for row in rows]
        for place, column in enumerate(columns):
            number = bool(lines) and isinstance(lines[0][place], (int, float))
            table.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=number)
        for line in lines:
            table.add_row(*(Text(_shown(value)) for value in line))
        self._console.print()
        self._console.print(table)

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(printable(text), markup=False)


class _Console(Console):
    """One that is quiet where nobody reads what is printed, as behind `head`; rich's would end the program there."""

    def on_broken_pipe(self) -> None:
        with suppress(SystemExit):
            super().on_broken_pipe()


class _Rows(ProgressColumn):
    """How many rows, and how many a second over the whole time; of what failed, how many had been read."""

    def render(self, task: Task) -> Text:
        rows = task.fields["rows"]
        if task.fields["failed"]:
            return Text(f"failed, {rows:,} rows read")
        elapsed = task.finished_time or task.elapsed
        rate = f"  {rows / elapsed:,.0f}/s" if elapsed else ""
        return Text(f"{rows:,} rows{rate}")


def a_second(count: int, seconds: float) -> int:
    """So many a second."""
    return round(count / seconds) if seconds > 0 else count


def _shown(value: object) -> str:
    match value:
        case float():
            return f"{value:,.2f}"
        case int():
            return f"{value:,}"
    return "" if value is None else printable(str(value))
