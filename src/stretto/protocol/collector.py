"""How often the cyclic garbage collector comes for young objects, while there are very many that all are alive.

CPython's own threshold (700) makes it walk them again and again for nothing. The threshold is raised and the switch not
turned: what stalls must not stop it for good. There is no lock: in a race of threads the threshold may be back early,
but it is the program's own again when the last one has resumed.
"""

from __future__ import annotations

import gc

_wanted: list[int] = []  # a list grows and shrinks atomically
_ours: set[int] = set()  # thresholds that are no program's own
_own = gc.get_threshold()


def relieve(young: int) -> None:
    """Let it come when there are ``young`` of them, until ``resume``; of several the most counts.

    A program's own threshold is left alone where it is as high, or 0 (off).
    """
    global _own
    found = gc.get_threshold()
    if found[0] not in _ours:
        _own = found
    _wanted.append(young)
    _apply()


def resume(young: int) -> None:
    """End what ``relieve`` began, in any order and thread."""
    _wanted.remove(young)
    _apply()


def _apply() -> None:
    own = _own
    young = max([own[0], *_wanted])
    if own[0] > 0 and young != gc.get_threshold()[0]:
        if young != own[0]:
            _ours.add(young)
        gc.set_threshold(young, *own[1:])
