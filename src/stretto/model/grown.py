"""What the rows of a query with included relations become: by one statement (Graph), or by one trip (Trips)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from stretto.codecs.arrays import NESTS_NONE, Array
from stretto.codecs.base import Codec
from stretto.codecs.makers import ArrangedMaker, Maker
from stretto.codecs.modelmakers import GraphMaker, ModelMaker, RootMaker
from stretto.codecs.nested import RECORD, RECORD_ARRAY, Nested
from stretto.model.base import Origin, slot_of
from stretto.model.branches import Branch, Level, Source
from stretto.model.compile import Writer
from stretto.model.fields import Field
from stretto.model.keys import Values
from stretto.model.loading import LOADED, ORIGIN, Whole
from stretto.model.plan import converter
from stretto.model.stitch import Key, attach_many, attach_one, attach_through
from stretto.model.table import Table
from stretto.sqlstate import CardinalityViolation

Lookup = Callable[[int], Codec | None]


def level_maker(
    table: Table, names: Sequence[str], codecs: Sequence[Codec], branches: Sequence[Branch], text: str
) -> Maker:
    """The maker of the objects of one level, from the values of these attributes and then of these relations."""
    fields = [table.fields[name] for name in names]
    cls = table.model if len(fields) == len(table.fields) else table.partial
    members = [slot_of(table, name) for name in names]
    origin = Origin(text, tuple(names))
    maker: Maker
    if branches:
        relations = [(branch.relation.slot, branch.join.many) for branch in branches]
        maker = GraphMaker(cls, members, ORIGIN, origin, LOADED, relations)
    else:
        maker = ModelMaker(cls, members, ORIGIN, origin, LOADED)
    converters = [converter(one.annotation, codec, one.column) for one, codec in zip(fields, codecs, strict=False)]
    if not any(converters):
        return maker
    converters += [None] * len(branches)
    return ArrangedMaker(maker, list(range(len(converters))), converters)


# One statement ------------------------------------------------------------------------------------------------------


class Graph:
    """Objects with these attributes and relations, as one row each. ``text`` says where they are from.

    ``shares``: some of them may belong to several.
    """

    __slots__ = ("branches", "names", "shares", "table", "text")

    def __init__(self, table: Table, names: tuple[str, ...], branches: tuple[Branch, ...], text: str) -> None:
        self.table = table
        self.names = names
        self.branches = branches
        self.text = text
        self.shares = any(map(_shares, branches))


class Growing:
    """A Graph for one fetch: what belongs to several objects is one object in it, and in no other fetch."""

    __slots__ = ("_codecs", "_lookup", "_maker", "_plans", "graph")

    def __init__(self, graph: Graph, lookup: Lookup) -> None:
        self.graph = graph
        self._lookup = lookup
        self._codecs: Sequence[Codec] | None = None
        self._maker: Maker | None = None
        self._plans: dict[Any, Maker] = {}

    def maker(self, codecs: Sequence[Codec], makers: dict[Any, Any]) -> Maker:
        """The maker of the objects from a statement's columns, the same one until it is described anew.

        ``makers``: those that the statement keeps till then. What all fetches may share is kept there.
        """
        if self._maker is None or self._codecs is not codecs:
            kept = makers.get(self.graph)
            if kept is None:
                kept = makers[self.graph] = {}
            self._plans = kept
            self._maker = kept.get(None) or self._make(codecs)
            self._codecs = codecs
            if not self.graph.shares:
                kept[None] = self._maker
        return self._maker

    def forget(self) -> None:
        """Keep nothing of what has come: what comes next has objects of its own."""
        self._maker = None

    def _make(self, codecs: Sequence[Codec]) -> Maker:
        graph = self.graph
        width = len(graph.names)
        inner = self._level(graph, graph.table, graph.names, codecs[:width], graph.branches, graph.text)
        return RootMaker(inner, [*codecs[:width], *[self._codec(one) for one in graph.branches]])

    def _level(
        self,
        of: Any,
        table: Table,
        names: Sequence[str],
        codecs: Sequence[Codec],
        branches: Sequence[Branch],
        text: str,
    ) -> Maker:
        key = (id(of), *codecs)
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = level_maker(table, names, codecs, branches, text)
        return found

    def _codec(self, branch: Branch) -> Codec:
        names = list(branch.table.fields)

        def plan(codecs: list[Codec]) -> Maker:
            text = f"{branch.relation!r} of {self.graph.text}"
            return self._level(branch, branch.table, names, codecs[: len(names)], branch.nested, text)

        inner = {len(names) + place: self._codec(one) for place, one in enumerate(branch.nested)}
        nested = Nested(len(names) + len(inner), inner, self._lookup, plan, _shared(branch))
        return Array("record[]", RECORD_ARRAY, nested, RECORD, NESTS_NONE) if branch.join.many else nested


def _shared(branch: Branch) -> bool:
    """Whether the same object may belong to several of those above."""
    return branch.join.kind in ("many-to-one", "many-to-many")


def _shares(branch: Branch) -> bool:
    return _shared(branch) or any(map(_shares, branch.nested))


def stitched(branches: Sequence[Branch], own: Sequence[Field] = ()) -> frozenset[str]:
    """The attributes by which a trip puts these relations into their objects, and these themselves into others."""
    return frozenset([one.name for one in (*own, *[field for branch in branches for field in branch.join.local])])


def _singles(branches: Sequence[Branch]) -> Iterator[Branch]:
    """The relations that may turn out to be more than one object."""
    for one in branches:
        if one.join.kind == "one-to-one" and not one.order_by:
            yield one
        yield from _singles(one.nested)


def _several(branch: Branch) -> str:
    one = repr(branch.relation)
    return (
        f"{one} is one object, and more than one belongs to the same: make it a list, or say which is the first by"
        f" related({one}, order_by=...)"
    )


@contextmanager
def told(into: Any) -> Iterator[None]:
    """Say which relation it may be where a server's CardinalityViolation comes out of a Growing's statement."""
    try:
        yield
    except CardinalityViolation as error:
        if type(into) is Growing and error.hint is None:
            error.hint = "; ".join(map(_several, _singles(into.graph.branches))) or None
        raise


# One trip -----------------------------------------------------------------------------------------------------------


class Part:
    """One of the statements: its SQL, the places of its values, what its rows become."""

    __slots__ = ("into", "order", "sql")

    def __init__(self, sql: str, order: list[int], into: Any) -> None:
        self.sql = sql
        self.order = order
        self.into = into

    def item(self, values: Values) -> tuple[str, tuple[Any, ...], Any]:
        """What a batch takes."""
        return self.sql, tuple([values[place] for place in self.order]), self.into


class Stitch:
    """One relation: the parts (by number) that have the objects above, the pairs of keys (or -1), and the objects."""

    __slots__ = ("above", "below", "branch", "local", "pairs", "remote")

    def __init__(self, branch: Branch, above: int, pairs: int, below: int) -> None:
        self.branch = branch
        self.above = above
        self.pairs = pairs
        self.below = below
        mine: Table = branch.relation.model.__table__
        self.local = Key([slot_of(mine, one.name) for one in branch.join.local])
        self.remote = Key([slot_of(branch.table, one.name) for one in branch.join.remote])

    def put(self, rows: list[list[Any]]) -> None:
        """Put the objects of one part into those of the other."""
        above, below, member = rows[self.above], rows[self.below], self.branch.relation.slot
        if self.pairs >= 0:
            width = len(self.branch.join.local)
            attach_through(above, self.local, rows[self.pairs], width, below, self.remote, member)
        elif self.branch.join.many:
            attach_many(above, self.local, below, self.remote, member)
        else:
            several = attach_one(above, self.local, below, self.remote, member)
            if several and not self.branch.order_by:
                raise CardinalityViolation(_several(self.branch))


class Trips:
    """The statements for objects and their relations, and how they are put together.

    ``given``: the objects are there already, and stand before the statements' rows.
    """

    __slots__ = ("_given", "parts", "stitches")

    def __init__(self, given: bool = False) -> None:
        self.parts: list[Part] = []
        self.stitches: list[Stitch] = []
        self._given = given

    def add(self, sql: str, writer: Writer, into: Any) -> int:
        """Add a statement; return the place that its rows will have."""
        self.parts.append(Part(sql, writer.order, into))
        return len(self.parts) - (not self._given)

    def follow(self, branches: Sequence[Branch], source: Source, above: int, text: str) -> None:
        """Add the statements of relations of the objects of part ``above``, which are from ``source``."""
        for branch in branches:
            level = Level(source, branch)
            own = f"{branch.relation!r} of {text}"
            pairs = -1
            if branch.join.through is not None:
                writer = Writer()
                pairs = self.add(level.pairs(writer), writer, tuple)
            writer = Writer()
            into = Whole(branch.table, tuple(branch.table.fields), own, stitched(branch.nested, branch.join.remote))
            below = self.add(level.statement(writer), writer, into)
            self.stitches.append(Stitch(branch, above, pairs, below))
            self.follow(branch.nested, level, below, own)

    def stitch(self, rows: list[list[Any]]) -> None:
        """Put together what the statements gave."""
        for one in self.stitches:
            one.put(rows)


class Going:
    """Trips with the values of one fetch."""

    __slots__ = ("trips", "values")

    def __init__(self, trips: Trips, values: Values) -> None:
        self.trips = trips
        self.values = values

    def items(self) -> list[tuple[str, tuple[Any, ...], Any]]:
        """What a batch takes."""
        return [part.item(self.values) for part in self.trips.parts]
