"""Makers for objects of Models: they know where an object is from, what it was loaded with, and its relations."""

from __future__ import annotations

from typing import Any

from stretto import capi
from stretto.codecs.makers import Maker, own_slot


class ModelMaker(Maker):
    """Objects of a Model: SlotsMaker, and in two further slots where the object is from and the values as they came.

    ``members`` are the slots' descriptors, one a column. ``origin`` is one for all objects, which may have a
    ``__dict__`` beside. Raises TypeError for a class or descriptor with which this would not be sound.
    """

    def __init__(self, cls: Any, members: list[Any], origin_member: Any, origin: Any, loaded_member: Any) -> None:
        if cls.__new__ is not object.__new__ or cls.__itemsize__:
            raise TypeError(f"{cls.__qualname__} is not a plain slotted class")
        self.slotted = not cls.__dictoffset__
        self.cls = cls
        self.members = members
        self.origin = origin
        self.slots = [own_slot(cls, slot) for slot in members]
        self.origin_slot = own_slot(cls, origin_member)
        self.loaded_slot = own_slot(cls, loaded_member)
        self.count = len(members)

    def make(self, values: list[Any]) -> Any:
        obj = capi.new_object(self.cls) if self.slotted else capi.new_instance(self.cls)
        for i in range(self.count):
            slot = self.slots[i]
            capi.set_slot(obj, slot, values[i])
        capi.set_slot(obj, self.origin_slot, self.origin)
        capi.set_slot(obj, self.loaded_slot, capi.new_row(tuple, values))
        return obj


class GraphMaker(ModelMaker):
    """Objects of a Model with their relations, whose values (objects, or lists of them) stand behind the columns'.

    ``relations`` are pairs of a slot's descriptor and whether it takes a list.
    """

    def __init__(
        self,
        cls: Any,
        members: list[Any],
        origin_member: Any,
        origin: Any,
        loaded_member: Any,
        relations: list[tuple[Any, bool]],
    ) -> None:
        super().__init__(cls, members, origin_member, origin, loaded_member)
        self.relation_slots = [own_slot(cls, slot) for slot, _ in relations]
        self.many = [many for _, many in relations]

    def make(self, values: list[Any]) -> Any:
        count = self.count
        columns = values[:count]
        obj = capi.new_object(self.cls) if self.slotted else capi.new_instance(self.cls)
        for i in range(count):
            slot = self.slots[i]
            capi.set_slot(obj, slot, values[i])
        capi.set_slot(obj, self.origin_slot, self.origin)
        capi.set_slot(obj, self.loaded_slot, capi.new_row(tuple, columns))
        for i in range(len(self.relation_slots)):
            value = values[count + i]
            if value is None and self.many[i]:
                value = []
            slot = self.relation_slots[i]
            capi.set_slot(obj, slot, value)
        return obj


class RootMaker(Maker):
    """Another maker, for values that are decoded by codecs of its own."""

    def __init__(self, inner: Maker, codecs: list[Any]) -> None:
        self.inner = inner
        self.codecs = codecs

    def columns(self, codecs: list[Any]) -> list[Any]:
        return self.codecs

    def make(self, values: list[Any]) -> Any:
        return self.inner.make(values)
