"""The commands and their options. What they do is in a module of each; what goes wrong is one line and status 1."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from stretto.cli.stopping import Told, as_interrupts
from stretto.errors import DatabaseError, Error, printable

_REPORT = Path("stretto-race")
_OF_THE_RACE = ("workload", "connections", "seconds", "operations", "only")
_OF_THE_PROFILE = ("modules", "url_for", "rounds")

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
    output: Annotated[Path, typer.Option(metavar="DIR", help="Where the race's report goes.")] = _REPORT,
    quick: Annotated[bool, typer.Option("--quick", help="A race of few, no more than a glance: for CI.")] = False,
) -> None:
    """Start a PostgreSQL of your own, load all flights of 2013 from New York, ask about them, and race the peers."""
    from stretto.cli.demo import Demo

    with _one_line("demo"), as_interrupts():
        Demo(directory, output=output, quick=quick).run()


@app.command()
def race(
    context: typer.Context,
    modules: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODULE]...",
            help="With --profile: DB-API modules, as psycopg2.",
            show_default="those for PostgreSQL that are installed",
        ),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="No race: where does the time of a call go, by each module?")
    ] = False,
    url_for: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE=URL", help="With --profile: another module, and the server that it is for."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="With --profile: how often each call is measured.")] = 15,
    workload: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="select, mixed, graph or census; may be given several times.", show_default="all"
        ),
    ] = None,
    callers: Annotated[int, typer.Option(min=1, max=1000, help="Of select and census, at a time.")] = 40,
    connections: Annotated[int, typer.Option(min=1, max=100, help="That each pool may have.")] = 10,
    seconds: Annotated[float, typer.Option(min=0.05, help="That each runs in select, graph and census.")] = 2.0,
    operations: Annotated[int, typer.Option(min=10, help="That each does in mixed; the seeds did 35,000.")] = 3_500,
    only: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those with this in their name; others after a |.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="A server that runs already.", show_default="one of its own is started")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the report goes.", show_default=f"{_REPORT}; none with --profile"),
    ] = None,
) -> None:
    """Race stretto and every peer that is installed, watch them, and write a report: a page, pictures, JSON."""
    _refuse(context, _OF_THE_RACE if profile else _OF_THE_PROFILE, "the race" if profile else "--profile")
    if profile:
        from stretto.cli import profile as profiling

        with _one_line("race"), as_interrupts():
            others = profiling.urls(url_for or [])
            profiling.profile(modules or (), url=url, url_for=others, callers=callers, rounds=rounds, output=output)
        return
    from stretto.cli.race.command import Command
    from stretto.cli.race.workloads import Sizes

    sizes = Sizes(callers=callers, connections=connections, seconds=seconds, operations=operations)
    with _one_line("race"), as_interrupts():
        well = Command(workload or [], only, sizes, url, output or _REPORT).run()
    raise typer.Exit(0 if well else 1)


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
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first line names the columns.", show_default="of CSV"),
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(metavar="CHAR", help="What stands between values.", show_default="as the first line")
    ] = None,
    null: Annotated[str | None, typer.Option(metavar="TEXT", help="What stands for NULL.")] = None,
    chunks: Annotated[int | None, typer.Option(min=1, help="Connections that load at the same time.")] = None,
    chunk_size: Annotated[
        int | None,
        typer.Option(min=1, metavar="ROWS", help="At least so many are a chunk.", show_default="100,000 or 4 MB"),
    ] = None,
    atomic: Annotated[
        bool, typer.Option("--atomic/--no-atomic", help="All or nothing, or commit each chunk by itself.")
    ] = True,
    on_conflict: Annotated[
        Literal["ignore", "update"] | None, typer.Option(help="What becomes of rows whose key is there already.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="The columns of that key.", show_default="any, or the primary key to update"),
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
    from stretto.cli.naming import names, table

    form: dict[str, Any] = {"format": format, "header": header, "null": null}
    with _one_line("load"), as_interrupts():
        Load(
            url,
            [Source(path) for path in files],
            table(into),
            create=create,
            columns=names(columns),
            delimiter="\t" if delimiter == r"\t" else delimiter,
            chunks=chunks,
            chunk_size=chunk_size,
            atomic=atomic,
            on_conflict=on_conflict,
            on=names(on),
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

    with _one_line("copy"), as_interrupts():
        items = items_of(table or [], query, into, schema)
        chosen = columns_of(columns or [])
        hook = None if transform is None else transform_of(transform)
        Copy(source, target, items, jobs, chosen, hook, create=create, verify=verify, atomic=atomic).run()


def _refuse(context: typer.Context, names: tuple[str, ...], whose: str) -> None:
    """Raise BadParameter for options that were given and would do nothing: they are somebody else's."""
    for each in context.command.params:
        source = context.get_parameter_source(each.name or "")
        if each.name in names and source is not None and source.name == "COMMANDLINE":
            name = "a MODULE" if each.param_type_name == "argument" else each.opts[0]
            raise typer.BadParameter(f"{name} is for {whose}")


@contextmanager
def _one_line(command: str) -> Iterator[None]:
    """End with one line on stderr and status 1 where stretto, the server or the machine refuses."""
    try:
        yield
    except (Error, OSError) as error:
        print(f"stretto {command}: {_in_one_line(error)}{_notes(error)}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt as interrupt:
        told = interrupt if isinstance(interrupt, Told) else None
        how = f"ended by {told}" if told else "interrupted"
        print(f"\nstretto {command}: {how}{_notes(interrupt)}", file=sys.stderr)
        raise typer.Exit(told.status if told else 130) from None


def _notes(error: BaseException) -> str:
    """What was noted at an error: rows that have landed, a table that is left."""
    return printable("".join([f"; {note}" for note in getattr(error, "__notes__", ())]))


def _in_one_line(error: Exception) -> str:
    """The message, and of a server's log that is in it the line that says why."""
    text = error.message if isinstance(error, DatabaseError) else str(error)
    first, *rest = text.splitlines() or [type(error).__name__]
    fatal = [line.partition("FATAL:")[2].strip() for line in rest if "FATAL:" in line]
    return printable(f"{first.partition('; the end of its log')[0]}: {fatal[-1]}") if fatal else printable(first)
