"""What the games application does, written once and plainly: functions that take a Database and wait for it.

A blocking program calls them. On asyncio `await db.run(service.games)` does, and the loop goes on while they wait.
A `Refusal` is an answer, not an accident: the servers make a page of it.
"""

# ruff: noqa: N818  # what is refused is named as people say it

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from models import NAME, NOTES, Game

import stretto
from stretto import select
from stretto.errors import StaleObject
from stretto.sqlstate import UniqueViolation

SHELF = 50  # games on a page
YEARS = range(-4000, 2101)  # Senet is about 5000 years old; nothing is planned so far ahead
LARGEST = 2**63 - 1  # a bigint
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode's categories of control, format and half characters, and breaks
JOINERS = "\u200c\u200d"  # of category Cf, but many scripts, and emoji, are written with them
FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol that are blank


class Refusal(Exception):
    """The root of what the service refuses."""


class NotFound(Refusal):
    """There is no such game."""


class Invalid(Refusal):
    """The entry can’t be stored. `problems` has a sentence for each field that is at fault."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(*problems.values())
        self.problems = dict(problems)


class Changed(Refusal):
    """Somebody else has changed the game meanwhile. `current` is what it is now; nothing was written."""

    def __init__(self, current: Game) -> None:
        super().__init__("Someone changed this game meanwhile.")
        self.current = current


@dataclass(frozen=True)
class Shelf:
    """A page of games by name, and the name after which the next page begins (None: this is the last)."""

    games: list[Game]
    more: str | None


@dataclass(frozen=True)
class Draft:
    """An entry that can be stored."""

    name: str
    year: int | None
    notes: str


def games(db: stretto.Database, after: str = "") -> Shelf:
    """The games whose names follow `after`: one page of them."""
    found = db.fetch(select(Game).where(Game.name > after).order_by(Game.name).limit(SHELF + 1))
    page = found[:SHELF]
    return Shelf(page, page[-1].name if len(found) > SHELF else None)


def game(db: stretto.Database, key: int) -> Game:
    """The game with this key; raises NotFound."""
    found = db.get(Game, key) if 0 < key <= LARGEST else None
    if found is None:
        raise NotFound("There is no such game.")
    return found


def add(db: stretto.Database, entry: Mapping[str, object]) -> Game:
    """Store a new game; raises Invalid."""
    draft = check(entry)
    try:
        return db.insert(Game(name=draft.name, year=draft.year, notes=draft.notes))
    except UniqueViolation as error:
        raise taken(draft) from error


def change(db: stretto.Database, key: int, version: int, entry: Mapping[str, object]) -> Game:
    """Write a game that was read at `version`; raises Changed where it has another one by now, Invalid, NotFound.

    One statement: the version is compared by the UPDATE itself, so that nothing can come between.
    """
    draft = check(entry)
    if not (0 < key <= LARGEST and 0 <= version <= LARGEST):
        raise Changed(game(db, key))
    mine = Game(name=draft.name, year=draft.year, notes=draft.notes)
    mine.id, mine.version = key, version
    try:
        return db.update(mine)
    except StaleObject as error:
        raise Changed(game(db, key)) from error
    except UniqueViolation as error:
        raise taken(draft) from error


def check(entry: Mapping[str, object]) -> Draft:
    """Make a Draft of what was typed, or sent as JSON; raises Invalid with all that is wrong with it."""
    problems: dict[str, str] = {}
    name = text_of(entry, "name", NAME, problems)
    notes = text_of(entry, "notes", NOTES, problems, lines=True)
    year = year_of(entry.get("year"), problems)
    if not name:
        problems.setdefault("name", "Please give the game a name.")
    elif not any(map(visible, name)):
        problems.setdefault("name", "There is nothing to be seen in this name.")
    if problems:
        raise Invalid(problems)
    return Draft(name, year, notes)


def text_of(entry: Mapping[str, object], field: str, most: int, problems: dict[str, str], lines: bool = False) -> str:
    """A text of the entry without the blanks around it; what is wrong with it goes into `problems`."""
    found = entry.get(field)
    if found is None:
        return ""
    if not isinstance(found, str):
        problems[field] = "This must be a text."
        return ""
    text = found.replace("\r\n", "\n").strip()
    if any(unstorable(letter) for letter in (text.replace("\n", "") if lines else text)):
        problems[field] = "There is a character in it that can’t be shown."
    elif len(text) > most:
        problems[field] = f"At most {most} characters, please: these are {len(text)}."
    return text


def unstorable(letter: str) -> bool:
    """Whether it can’t be seen, but changes how others are: such a character has no place in a name."""
    return unicodedata.category(letter) in UNSEEN and letter not in JOINERS


def visible(letter: str) -> bool:
    """Whether there is something to see where it stands alone: a letter, number, punctuation or symbol."""
    return unicodedata.category(letter)[0] in "LNPS" and letter not in FILLERS


def year_of(found: object, problems: dict[str, str]) -> int | None:
    """The year, which may be typed; what is wrong with it goes into `problems`."""
    if found is None or (isinstance(found, str) and not found.strip()):
        return None
    typed = isinstance(found, str) and re.fullmatch(r"[+-]?\d{1,5}", found.strip())
    year = int(typed[0]) if typed else found
    if not isinstance(year, int) or isinstance(year, bool) or year not in YEARS:
        problems["year"] = f"A year is a whole number from {YEARS[0]} to {YEARS[-1]}."
        return None
    return year


def taken(draft: Draft) -> Invalid:
    """The refusal of a name that another game has."""
    return Invalid({"name": f"There is a game called “{draft.name}” already."})
