"""The commands and their options. What they do is in a module of each; what goes wrong is one line and status 1."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

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
def race(
    modules: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODULE]...", help="With --profile: DB-API modules, as psycopg2.", show_default="known ones"
        ),
    ] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Where does a call's time go?")] = False,
    url: Annotated[
        str | None, typer.Option(help="The PostgreSQL server, as a URL.", show_default="one of its own")
    ] = None,
    url_for: Annotated[
        list[str] | None, typer.Option(metavar="MODULE=URL", help="Another module, and the server that it is for.")
    ] = None,
    callers: Annotated[int, typer.Option(min=1, help="Callers at a time on asyncio, beside one.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, help="How often each kind of call is measured.")] = 15,
    output: Annotated[Path | None, typer.Option(help="A file for all figures, as JSON.", show_default="none")] = None,
) -> None:
    """Measure stretto beside other drivers."""
    from stretto.cli import profile as profiling

    if not profile:
        raise typer.BadParameter("say what to measure: --profile")
    with _one_line("race"):
        others = profiling.urls(url_for or [])
        profiling.profile(modules or [], url=url, url_for=others, callers=callers, rounds=rounds, output=output)


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
