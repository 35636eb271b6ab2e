"""``stretto copy``: tables, or what a query gives, from one database into another."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from stretto import CopyProgress, Database, TableCopy
from stretto.cli.bars import Move, View, a_second
from stretto.cli.naming import Table, listed, table, unquoted
from stretto.errors import ConfigError, Error, UsageError

Transform = Callable[[dict[str, Any]], Mapping[str, Any] | None]

NAME = 36  # columns for the name of what is copied
_COLUMN = re.compile(r"^COPY .*?, line \d+, column ([^:\n]+)")
_QUERY = re.compile(r"\s*(select|with|values|table)\s", re.IGNORECASE)


class Item(NamedTuple):
    """One table, or query (a str), and where it goes."""

    source: Table | str
    into: Table

    @property
    def target(self) -> str:
        return ".".join(self.into)

    @property
    def name(self) -> str:
        if self.source == self.into:
            return self.target
        source = self.source if isinstance(self.source, str) else ".".join(self.source)
        first = source if len(source) + len(self.target) <= NAME else source[: NAME // 2] + "..."
        return f"{first} > {self.target}"


@dataclass
class Copy:
    """One run of the command: its options, and what came of it."""

    source: str
    target: str
    items: list[Item]
    jobs: int = 1
    columns: dict[str, str] | None = None
    transform: Transform | None = None
    create: bool = False
    verify: bool = False
    atomic: bool = True

    def run(self) -> None:
        """Copy one after the other, from one snapshot. Raises stretto's errors; what landed is printed first."""
        view = View()
        done: list[TableCopy] = []
        together = self.jobs == 1 and self.atomic
        with ExitStack() as stack:
            source = stack.enter_context(_database("--from", self.source, self.jobs))
            target = stack.enter_context(_database("--to", self.target, self.jobs))
            try:
                with source.transaction(isolation="repeatable_read", readonly=True), ExitStack() as block:
                    if together:
                        block.enter_context(target.transaction())
                    for item in self.items:
                        done.append(self._one(view, source, target, item))  # noqa: PERF401  # is read after a failure
            except BaseException:
                if done and together:
                    view.say("  Nothing has landed: all tables go in one transaction.")
                elif done:
                    view.say("  These have landed, before it failed:")
                    self._print(view, done)
                raise
        self._print(view, done)

    def _one(self, view: View, source: Database, target: Database, item: Item) -> TableCopy:
        with view.bar(item.name) as move, _naming(item):
            return source.copy_table(
                item.source,
                target,
                item.into,
                columns=self.columns,
                jobs=self.jobs,
                transform=self.transform,
                create=self.create,
                verify=self.verify,
                atomic=self.atomic,
                progress=lambda now: _moved(move, now),
            )

    def _print(self, view: View, done: list[TableCopy]) -> None:
        columns = ["table", "rows", "MB", "seconds", "rows/s", "as"]
        rows: list[list[object]] = []
        for item, one in zip(self.items, done, strict=False):
            rate = a_second(one.rows, one.seconds)
            rows.append([item.target, one.rows, one.bytes / 1e6, one.seconds, rate, one.format])
        if self.transform is not None:
            columns.append("dropped")
            rows = [[*row, one.dropped] for row, one in zip(rows, done, strict=True)]
        if self.verify:
            columns.append("verified by")
            rows = [
                [*row, f"checksum {one.checksum}" if one.checksum else "count"]
                for row, one in zip(rows, done, strict=True)
            ]
        view.table(columns, rows)


def _database(option: str, url: str, jobs: int) -> Database:
    """The Database of an option, which is named where it can't be."""
    try:
        return Database(url, connections=jobs + 1)
    except ConfigError as error:
        raise ConfigError(f"{option}: {error}") from None


def _moved(move: Move, now: CopyProgress) -> None:
    move(now.rows, now.rows, now.expected)


@contextmanager
def _naming(item: Item) -> Iterator[None]:
    """Say in an error which table it was, and which column where the server has told it."""
    try:
        yield
    except Error as error:
        message = getattr(error, "message", None)
        if message is not None:
            found = _COLUMN.search(getattr(error, "where", None) or "")
            column = f", column {found[1]}" if found else ""
            error.message = f"{item.target}{column}: {message}"  # type: ignore[attr-defined]  # a DatabaseError's
        raise


def items_of(tables: list[str], query: str | None, into: str | None, schema: str | None) -> list[Item]:
    """What was asked for. Raises UsageError for options that don't go together, and for what is no name or query."""
    if query is not None:
        if tables or into is None:
            raise UsageError("--query takes --into TABLE, and no --table")
        if not _QUERY.match(query):
            raise UsageError("--query takes SQL that begins with select, with, values or table, and a space")
        return [Item(query, table(into))]
    if not tables:
        raise UsageError("give --table TABLE, once or more, or --query SQL --into TABLE")
    if into is not None and len(tables) > 1:
        raise UsageError("--into goes with one table: for more of them write --table TABLE=INTO")
    items = []
    for text in tables:
        source, target = _pair(text)
        target = into or target
        name = table(source)
        if target is not None:
            items.append(Item(name, table(target)))
        else:
            items.append(Item(name, name if schema is None else (unquoted(schema, schema), name[-1])))
    return items


def columns_of(texts: list[str]) -> dict[str, str] | None:
    """The columns of ``a=b,c``: in the source and in the target."""
    pairs = [_pair(one) for text in texts for one in listed(text)]
    return {unquoted(old, old): unquoted(new or old, f"{old}={new}") for old, new in pairs} or None


def _pair(text: str) -> tuple[str, str | None]:
    """The two halves of ``a=b``, or one. Raises UsageError for more."""
    first, *rest = listed(text, "=")
    if len(rest) > 1:
        raise UsageError(f'{text!r} has two =: a name with one is written in double quotes, as "a=b"')
    return first, rest[0] if rest else None


def transform_of(name: str) -> Transform:
    """The function ``module:function``, from the current directory too. Raises ConfigError where there is none."""
    module_name, _, function_name = name.partition(":")
    if not function_name or not all(part.isidentifier() for part in module_name.split(".")):
        raise ConfigError(f"--transform {name}: it is written MODULE:FUNCTION")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as python -m does
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        text = f"--transform {name}: there is no module {error.name!r} here, nor where Python looks"
        raise ConfigError(text) from None
    except (Exception, SystemExit) as error:
        raise ConfigError(f"--transform {name}: its module raised {type(error).__name__}: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ConfigError(f"--transform {name}: the module has no function {function_name!r}")
    if inspect.iscoroutinefunction(function):
        raise ConfigError(f"--transform {name}: it is async, and called for each row without a loop: make it plain")

    def transform(row: dict[str, Any]) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] | None = function(row)
        except (Exception, SystemExit) as error:
            raise UsageError(f"--transform {name} raised {type(error).__name__}: {error}") from error
        return found

    return transform
