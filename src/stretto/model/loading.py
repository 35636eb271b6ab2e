"""From rows to objects of Models: which maker fills their slots, and remembers what was loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stretto.codecs.makers import ArrangedMaker, CompositeMaker, ModelMaker
from stretto.model.base import Model, Origin, slot_of
from stretto.model.table import Table


def maker_of(table: Table, names: Sequence[str], text: str = "a row") -> ModelMaker:
    """The maker of objects from the values of these attributes, in this order; ``text`` says where they are from."""
    whole = len(names) == len(table.fields)
    cls = table.model if whole else table.partial
    slots = [slot_of(table, name) for name in names]
    return ModelMaker(cls, slots, _ORIGIN, Origin(text, tuple(names)), _LOADED)


def located(maker: Any, text: str) -> Any:
    """The same maker for objects of a statement of their own, which NotLoaded names."""
    if type(maker) is ArrangedMaker:
        return ArrangedMaker(located(maker.inner, text), maker.order, maker.converters)
    if type(maker) is CompositeMaker:
        return CompositeMaker(located(maker.inner, text))
    if type(maker) is not ModelMaker:
        return maker
    return ModelMaker(maker.cls, maker.members, _ORIGIN, Origin(text, maker.origin.names), _LOADED)


_ORIGIN: Any = type.__getattribute__(Model, "_origin_")
_LOADED: Any = type.__getattribute__(Model, "_loaded_")
