"""The one table of the games application. No server, no loop and no `await` in sight: all four servers use it."""

from __future__ import annotations

from stretto import Model, field

NAME = 80  # characters
NOTES = 500


class Game(Model, table="game"):
    """A game on the shelf. `version` grows with each update, which is how a change that was not seen is noticed."""

    id: int = field(primary_key=True, generated=True)
    version: int = field(version=True)
    name: str = field(unique=True, check=f"char_length(name) between 1 and {NAME}")
    year: int | None = None
    notes: str = field(default="", check=f"char_length(notes) <= {NOTES}")
