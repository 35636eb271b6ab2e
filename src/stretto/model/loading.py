"""From rows to objects of Models: which maker fills their slots, and remembers what was loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stretto._places import places
from stretto.codecs.base import Codec
from stretto.codecs.makers import ArrangedMaker, CompositeMaker
from stretto.codecs.modelmakers import ModelMaker
from stretto.codecs.slots import Slots
from stretto.errors import UsageError
from stretto.model.base import Model, Origin, slot_of
from stretto.model.shapes import Field as ShapeField
from stretto.model.shapes import Shape
from stretto.model.table import Table

_NOTHING: frozenset[str] = frozenset()
_FOLDED = {"citext"}  # types whose equal values are not equal to Python


def maker_of(table: Table, names: Sequence[str], text: str = "a row") -> ModelMaker:
    """The maker of objects from the values of these attributes, in this order; ``text`` says where they are from."""
    whole = len(names) == len(table.fields)
    cls = table.model if whole else table.partial
    slots = [slot_of(table, name) for name in names]
    return ModelMaker(cls, slots, ORIGIN, Origin(text, tuple(names)), LOADED)


def located(maker: Any, into: Any, sql: str, codecs: Sequence[Codec]) -> Any:
    """The same maker for objects of a statement of their own, which NotLoaded names, and where it was first asked.

    Raises UsageError for keys that are not to be stitched by.
    """
    if type(into) is Whole:
        into.check(codecs)
    if not isinstance(maker, ModelMaker | ArrangedMaker | CompositeMaker):
        return maker
    text = into.text if type(into) is Whole else sql
    return _told(maker, text + "".join(f", first asked at {one}" for one in places(1)))


def _told(maker: Any, text: str) -> Any:
    if type(maker) is ArrangedMaker:
        return ArrangedMaker(_told(maker.inner, text), maker.order, maker.converters)
    if type(maker) is CompositeMaker:
        return CompositeMaker(_told(maker.inner, text))
    if type(maker) is ModelMaker:
        return ModelMaker(maker.cls, maker.members, ORIGIN, Origin(text, maker.origin.names), LOADED)
    return maker


class Whole:
    """What a query's rows become: objects of a Model with these attributes. A target for ``plan_for``.

    ``stitched``: the attributes that are compared here with those of other objects, to put them together.
    """

    __slots__ = ("names", "stitched", "table", "text")

    def __init__(self, table: Table, names: tuple[str, ...], text: str, stitched: frozenset[str] = _NOTHING) -> None:
        self.table = table
        self.names = names
        self.text = text
        self.stitched = stitched

    def check(self, codecs: Sequence[Codec]) -> None:
        """Raise UsageError where Python and the server do not agree on what is equal."""
        for name, codec in zip(self.names, codecs, strict=False):
            if name in self.stitched and codec.name in _FOLDED:
                raise UsageError(
                    f"{self.text}: {self.table.model.__qualname__}.{name} is {codec.name}, by which objects can't be"
                    ' put together here, since equal values differ in case: use include(..., strategy="statement")'
                )

    def _shape_(self, _: Any) -> Shape:
        table = self.table
        wanted = [table.fields[name] for name in self.names]
        fields = tuple(ShapeField(one.column, (), True, one.annotation) for one in wanted)
        return Shape(table.model, fields, lambda columns: maker_of(table, [table.columns[one].name for one in columns]))


ORIGIN: Any = type.__getattribute__(Model, "_origin_")
LOADED: Any = type.__getattribute__(Model, "_loaded_")
known_of = Slots(Model, [ORIGIN, LOADED], None).values  # where an object is from, and with what; None: it is new
