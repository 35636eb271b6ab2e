"""The pages as HTML: plain functions from values to text. What comes from outside is escaped where it is put in."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from models import NAME, NOTES, Game
from service import YEARS, Shelf, visible

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Crect x='2' y='2' width='28' height='28' rx='8' fill='%23c2410c'/%3E"
    "%3Cg fill='%23fff'%3E%3Ccircle cx='10' cy='10' r='3'/%3E%3Ccircle cx='16' cy='16' r='3'/%3E"
    "%3Ccircle cx='22' cy='22' r='3'/%3E%3C/g%3E%3C/svg%3E"
)
LOGO = (
    '<svg viewBox="0 0 32 32" aria-hidden="true"><rect x="2" y="2" width="28" height="28" rx="8"/>'
    '<circle cx="10" cy="10" r="3"/><circle cx="16" cy="16" r="3"/><circle cx="22" cy="22" r="3"/></svg>'
)
TROUBLES = {404: "Not here", 405: "Not like this", 500: "Our fault", 503: "One moment"}
TONES = 6  # colours of the tiles, in style.css


def page(title: str, body: str) -> str:
    """A whole page around its body, which is HTML already."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)} · Games</title>
<link rel="icon" href="{ICON}">
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header class="bar">
<a class="brand" href="/">{LOGO}<span>Games</span></a>
<a class="button" href="/new">New game</a>
</header>
<main>
{body}
</main>
<footer>One <code>models.py</code>, one <code>service.py</code>, four servers: this page is the same on each.</footer>
</body>
</html>
"""


# The shelf ------------------------------------------------------------------------------------------------------------


def shelf(found: Shelf) -> str:
    """The page with the games."""
    if not found.games:
        return page("The shelf", EMPTY)
    cards = "\n".join(map(card, found.games))
    more = f'<p class="more"><a class="button quiet" href="/?after={quote(found.more or "")}">More games</a></p>'
    return page("The shelf", f'<h1>The shelf</h1>\n<ul class="cards">\n{cards}\n</ul>\n{more if found.more else ""}')


EMPTY = """<div class="empty">
<h1>The shelf is empty</h1>
<p>Put the first game on it.</p>
<p><a class="button" href="/new">New game</a></p>
</div>"""


def card(game: Game) -> str:
    """One game on the shelf."""
    year = "" if game.year is None else f'<span class="year">{shown_year(game.year)}</span>'
    notes = f'<p class="notes">{escape(game.notes)}</p>' if game.notes else ""
    return f"""<li class="card" id="game-{game.id}">
<span class="tile tone-{game.id % TONES}" aria-hidden="true">{escape(initial(game.name))}</span>
<div>
<h2><a href="/games/{game.id}">{escape(game.name)}</a></h2>
{year}{notes}
</div>
</li>"""


def initial(name: str) -> str:
    """The letter on a game’s tile."""
    return next(filter(visible, name), " ").upper()


def shown_year(year: int) -> str:
    """A year as people write it."""
    return str(year) if year > 0 else f"{-year} BC" if year else "0"


# The form -------------------------------------------------------------------------------------------------------------

NOTHING: Mapping[str, str] = {}


def form(entry: Mapping[str, str], problems: Mapping[str, str] = NOTHING) -> str:
    """The page for a new game, or for one that is changed: then the entry has the version that was read."""
    title = "Edit game" if "version" in entry else "New game"
    return page(title, f'<section class="sheet">\n<h1>{title}</h1>\n{fields(entry, problems, "Save")}\n</section>')


def fields(entry: Mapping[str, str], problems: Mapping[str, str], submit: str) -> str:
    """The form itself. It is sent to the address of its own page."""
    version = f'<input type="hidden" name="version" value="{escape(entry["version"])}">\n' if "version" in entry else ""
    alert = f'<p class="alert" role="alert">{again(len(problems))}</p>\n' if problems else ""
    controls = "\n".join(
        [
            control("name", "Name", f"At most {NAME} characters.", entry, problems),
            control("year", "Year", f"Optional; from {YEARS[0]} to {YEARS[-1]}.", entry, problems),
            control("notes", "Notes", f"Optional; at most {NOTES} characters.", entry, problems),
        ]
    )
    return f"""<form method="post" novalidate>
{alert}{version}{controls}
<p class="actions"><button class="button">{submit}</button> <a class="button quiet" href="/">Cancel</a></p>
</form>"""


def again(count: int) -> str:
    """What stands above a form with so many problems."""
    return "One thing needs another look." if count == 1 else f"{count} things need another look."


def control(name: str, label: str, hint: str, entry: Mapping[str, str], problems: Mapping[str, str]) -> str:
    """A label, its control, and under it what is wrong, or else a hint."""
    value = escape(entry.get(name, ""))
    wrong = problems.get(name)
    invalid = ' aria-invalid="true"' if wrong else ""
    common = f'id="{name}" name="{name}" aria-describedby="{name}-hint"{invalid}'
    if name == "notes":
        box = f'<textarea {common} rows="5">\n{value}</textarea>'
    elif name == "year":
        box = f'<input {common} value="{value}" inputmode="numeric" autocomplete="off">'
    else:
        box = f'<input {common} value="{value}" required autocomplete="off">'
    under = (
        f'<p class="wrong" id="{name}-hint">{escape(wrong)}</p>'
        if wrong
        else f'<p class="hint" id="{name}-hint">{hint}</p>'
    )
    return f'<div class="field">\n<label for="{name}">{label}</label>\n{box}\n{under}\n</div>'


# Somebody else was quicker --------------------------------------------------------------------------------------------


def conflict(mine: Mapping[str, str], current: Mapping[str, str]) -> str:
    """The form as it was sent, ready to be sent for the new version, and beside it what the game is now."""
    entry = {**mine, "version": current["version"]}
    rows = "\n".join(difference(name, mine.get(name, ""), current[name]) for name in ("name", "year", "notes"))
    return page(
        "Changed meanwhile",
        f"""<h1>Edit game</h1>
<p class="alert" role="alert">Someone changed this game meanwhile. Compare, then save yours or leave it.</p>
<div class="sides">
<section class="sheet" aria-labelledby="mine">
<h2 id="mine">Yours</h2>
{fields(entry, NOTHING, "Save mine")}
</section>
<section class="sheet current" aria-labelledby="current">
<h2 id="current">As it is now</h2>
<dl>
{rows}
</dl>
</section>
</div>""",
    )


def difference(name: str, mine: str, current: str) -> str:
    """A value as it is now, marked where it is another one than mine."""
    same = mine.replace("\r\n", "\n").strip() == current
    mark = "" if same else ' <span class="mark">differs</span>'
    return f"<dt>{name.capitalize()}{mark}</dt>\n<dd>{escape(current) or NONE}</dd>"


NONE = '<span class="none">nothing</span>'


# What went wrong ------------------------------------------------------------------------------------------------------


def trouble(status: int, text: str) -> str:
    """The page of an error."""
    title = TROUBLES.get(status, "Not like this")
    return page(
        title,
        f"""<div class="empty">
<p class="status">{status}</p>
<h1>{title}</h1>
<p>{escape(text)}</p>
<p><a class="button" href="/">To the shelf</a></p>
</div>""",
    )
