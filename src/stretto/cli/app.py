"""The commands and their options. What they do is in a module of each; what goes wrong is one line and status 1."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from stretto.errors import DatabaseError, Error, printable

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def stretto() -> None:
    """Python's way to PostgreSQL."""


@app.command()
def demo(
    directory: Annotated[
        Path | None,
        typer.Option(
            help="Where the server's data is kept for the next time.", show_default="under the temporary directory"
        ),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds of the race.", show_default="9, fewer on a slow machine")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One short round: for CI.")] = False,
) -> None:
    """Start a PostgreSQL of your own, load all flights of 2013 from New York, and ask about them."""
    from stretto.cli.demo import Demo

    with _one_line("demo"):
        Demo(directory, rounds=1 if quick else rounds, quick=quick).run()


@app.command()
def doctor(
    url: Annotated[
        str | None, typer.Option(help="The database, as a URL or key=value.", show_default="as PG* variables say")
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option(metavar="MODULE", help="Compare the Models of this module with the live tables.")
    ] = None,
) -> None:
    """Look at the connection, and whether Models and the live tables agree. Status 1 where they do not."""
    from stretto.cli.doctor import Doctor

    with _one_line("doctor"):
        healthy = Doctor(url, models or []).run()
    raise typer.Exit(0 if healthy else 1)


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files, also .gz; - is the standard input.")],
    into: Annotated[str, typer.Option(metavar="TABLE", help="The table.")],
    create: Annotated[bool, typer.Option("--create", help="Make the table from the first rows.")] = False,
    format: Annotated[
        Literal["csv", "text", "binary"] | None,
        typer.Option(help="COPY's format.", show_default="as the name says, else csv"),
    ] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B", help="The columns, in the order of the file.")] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first line of CSV names the columns.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(metavar="CHAR", help="What stands between values.", show_default="as the first line")
    ] = None,
    null: Annotated[str | None, typer.Option(metavar="TEXT", help="What stands for NULL.")] = None,
    chunks: Annotated[int | None, typer.Option(min=1, help="Connections that load at the same time.")] = None,
    atomic: Annotated[
        bool, typer.Option("--atomic/--no-atomic", help="All or nothing, or commit each chunk by itself.")
    ] = True,
    on_conflict: Annotated[
        Literal["ignore", "update"] | None, typer.Option(help="What becomes of rows whose key is there already.")
    ] = None,
    errors: Annotated[
        Literal["raise", "report"], typer.Option(help="End at a bad row, or leave it out and list it.")
    ] = "raise",
    sample: Annotated[
        int, typer.Option(min=0, metavar="ROWS", help="How many rows --create looks at; 0: all.")
    ] = 10_000,
    url: Annotated[
        str | None, typer.Option(help="The database, as a URL or key=value.", show_default="as PG* variables say")
    ] = None,
) -> None:
    """Load files into a table. Status 1 where that fails."""
    from stretto.cli.files import Source
    from stretto.cli.load import Load

    names = None if columns is None else [name.strip() for name in columns.split(",")]
    form: dict[str, Any] = {"format": format, "header": header, "delimiter": delimiter, "null": null}
    with _one_line("load"):
        Load(
            url,
            [Source(path) for path in files],
            into,
            create=create,
            columns=names,
            chunks=chunks,
            atomic=atomic,
            on_conflict=on_conflict,
            errors=errors,
            sample=sample,
            **form,
        ).run()


@app.command()
def copy(
    source: Annotated[str, typer.Option("--from", metavar="URL", help="The database that is read.")],
    target: Annotated[str, typer.Option("--to", metavar="URL", help="The database that is written.")],
    table: Annotated[
        list[str] | None, typer.Option(metavar="TABLE[=INTO]", help="A table, and where it goes. May be repeated.")
    ] = None,
    query: Annotated[str | None, typer.Option(metavar="SQL", help="What this gives, instead of a table.")] = None,
    into: Annotated[str | None, typer.Option(metavar="TABLE", help="Where the query's rows, or the table, go.")] = None,
    schema: Annotated[str | None, typer.Option(help="The target's schema for all tables without INTO.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option(metavar="A=B,C", help="The columns, and their names in the target.")
    ] = None,
    transform: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Called with each row, a dict: returns one, or None to drop it."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Ranges of a table that travel at the same time.")] = 1,
    create: Annotated[bool, typer.Option("--create", help="Make the tables: columns, types and primary keys.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare count and checksum on both sides.")] = False,
    atomic: Annotated[
        bool, typer.Option("--atomic/--no-atomic", help="All or nothing, or commit each range by itself.")
    ] = True,
) -> None:
    """Copy tables from one database into another. Status 1 where that fails."""
    from stretto.cli.copy import Copy, columns_of, items_of, transform_of

    with _one_line("copy"):
        items = items_of(table or [], query, into, schema)
        chosen = columns_of(columns or [])
        hook = None if transform is None else transform_of(transform)
        Copy(source, target, items, jobs, chosen, hook, create=create, verify=verify, atomic=atomic).run()


@contextmanager
def _one_line(command: str) -> Iterator[None]:
    """End with one line on stderr and status 1 where stretto, the server or the machine refuses."""
    try:
        yield
    except (Error, OSError) as error:
        print(f"stretto {command}: {_in_one_line(error)}", file=sys.stderr)
        raise typer.Exit(1) from None


def _in_one_line(error: Exception) -> str:
    """The message, and of a server's log that is in it the line that says why."""
    text = error.message if isinstance(error, DatabaseError) else str(error)
    first, *rest = text.splitlines() or [type(error).__name__]
    fatal = [line.partition("FATAL:")[2].strip() for line in rest if "FATAL:" in line]
    return printable(f"{first.partition('; the end of its log')[0]}: {fatal[-1]}") if fatal else printable(first)
