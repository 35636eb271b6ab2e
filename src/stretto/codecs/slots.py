"""The slots of an object that may lack values, read and filled all at once: an unset slot costs no exception."""

from __future__ import annotations

from typing import Any

from stretto import capi


class Slots:
    """Some slots of one class; ``members`` are their descriptors, ``unset`` stands for a value that is not there."""

    def __init__(self, cls: Any, members: list[Any], unset: Any) -> None:
        for member in members:
            if not issubclass(cls, getattr(member, "__objclass__", ())):
                raise TypeError(f"{member!r} is not a slot of {cls.__qualname__}")
        self.cls = cls
        self.unset = unset
        self.slots = [capi.slot_of(member) for member in members]

    def check(self, obj: Any) -> None:
        """Raise TypeError for an object of another class: its slots would be elsewhere."""
        if not isinstance(obj, self.cls):
            raise TypeError(f"a {self.cls.__qualname__} is needed, not a {type(obj).__name__}")

    def values(self, obj: Any) -> list[Any]:
        """The values, in the order of the members. Raises TypeError for an object of another class."""
        self.check(obj)
        found = []
        for slot in self.slots:
            found.append(capi.get_slot(obj, slot, self.unset))  # noqa: PERF401  # compiled, append is the faster one
        return found

    def complete(self, obj: Any) -> bool:
        """Whether each slot has a value."""
        return self.are_set(self.values(obj))

    def are_set(self, values: list[Any]) -> bool:
        """Whether no value is missing of those that ``values`` gave."""
        for value in values:  # noqa: SIM110  # compiled, the loop is the faster one
            if value is self.unset:
                return False
        return True

    def given(self, values: list[Any], made: list[int]) -> tuple[bool, ...]:
        """Which values there are. Those at the places ``made`` are unset where they are None: the server makes them."""
        for place in made:
            if values[place] is None:
                values[place] = self.unset
        found = []
        for value in values:
            found.append(value is not self.unset)  # noqa: PERF401  # compiled, append is the faster one
        return tuple(found)

    def pick(self, values: list[Any], places: tuple[int, ...]) -> tuple[Any, ...]:
        """The values at these places."""
        found = []
        for place in places:
            found.append(values[place])  # noqa: PERF401  # as above
        return tuple(found)

    def fill(self, obj: Any, values: list[Any], places: tuple[int, ...], row: Any) -> None:
        """Put a row into these places of ``values`` and of the object. Raises as values, IndexError for a short row."""
        self.check(obj)
        i = 0
        for place in places:
            value = row[i]
            i += 1  # noqa: SIM113  # compiled, a counter is the faster one
            values[place] = value
            slot = self.slots[place]
            capi.set_slot(obj, slot, value)
