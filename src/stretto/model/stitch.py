"""Stitching: objects that came by statements of their own are put into the objects that they belong to.

Keys are read from the slots of the objects themselves. A key of several columns is a tuple; one with a NULL in it
belongs to nobody.
"""

from __future__ import annotations

from typing import Any

from stretto import capi


class Key:
    """The values of some slots of an object. ``members``: the slots' descriptors."""

    def __init__(self, members: list[Any]) -> None:
        self.slots = [capi.slot_of(member) for member in members]
        self.single = len(members) == 1

    def of(self, obj: Any) -> Any:
        """The key, or None where any of its values is None."""
        slot = self.slots[0]
        if self.single:
            return capi.get_slot(obj, slot, None)
        values = []
        for i in range(len(self.slots)):
            slot = self.slots[i]
            value = capi.get_slot(obj, slot, None)
            if value is None:
                return None
            values.append(value)
        return tuple(values)


def attach_one(parents: list[Any], local: Key, targets: list[Any], remote: Key, member: Any) -> bool:
    """Set the relation of each parent to the first target with its key, None where there is none.

    Return whether there was another one for any of them.
    """
    place = capi.slot_of(member)
    by_key: dict[Any, Any] = {}
    twins = set()
    for target in targets:
        key = remote.of(target)
        if key in by_key:
            twins.add(key)
        else:
            by_key[key] = target
    several = False
    for parent in parents:
        key = local.of(parent)
        capi.set_slot(parent, place, None if key is None else by_key.get(key))
        if twins and key is not None and key in twins:
            several = True
    return several


def attach_many(parents: list[Any], local: Key, children: list[Any], remote: Key, member: Any) -> None:
    """Set the relation of each parent to the list of the children with its key, in their order."""
    by_key = _lists(parents, local, member)
    for child in children:
        key = remote.of(child)
        found = by_key.get(key)
        if found is not None:
            found.append(child)


def attach_through(
    parents: list[Any], local: Key, pairs: list[Any], width: int, targets: list[Any], remote: Key, member: Any
) -> None:
    """As attach_many, by ``pairs``: tuples of the parent's key (``width`` values) and the target's."""
    by_key = _lists(parents, local, member)
    by_target: dict[Any, Any] = {}
    for target in targets:
        by_target[remote.of(target)] = target
    for pair in pairs:
        key = pair[0] if width == 1 else pair[:width]
        other = pair[width] if len(pair) == width + 1 else pair[width:]
        found = by_key.get(key)
        target = by_target.get(other)
        if found is not None and target is not None:
            found.append(target)


def _lists(parents: list[Any], local: Key, member: Any) -> dict[Any, list[Any]]:
    """An empty list for each parent, by its key; parents that are the same row share theirs. Nothing has a NULL key."""
    place = capi.slot_of(member)
    by_key: dict[Any, list[Any]] = {}
    for parent in parents:
        key = local.of(parent)
        found = by_key.get(key)
        if found is None:
            found = []
            if key is not None:
                by_key[key] = found
        capi.set_slot(parent, place, found)
    return by_key
