"""What comes in and goes out over HTTP, for all four servers: forms and JSON read, replies as plain bytes.

It knows no web framework. A server reads a request in its own way, calls the service, and sends a `Reply`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import pages
from models import Game
from service import Changed, Invalid, NotFound, Refusal, Shelf

from stretto.errors import OperationalError

LIMIT = 64 * 1024  # bytes of a body; a form that is filled in to the brim has a tenth of it
HTML, JSON, CSS = "text/html; charset=utf-8", "application/json", "text/css; charset=utf-8"
ALLOWED = {
    r"/": "GET, HEAD",
    r"/new": "GET, HEAD, POST",
    r"/games/[^/]+": "GET, HEAD, POST",
    r"/style\.css": "GET, HEAD",
    r"/api/games": "GET, HEAD, POST",
    r"/api/games/[^/]+": "GET, HEAD, PUT",
}
POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class BadRequest(Refusal):
    """A request that can’t be understood."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Reply:
    """An answer: status, body, type, and the headers that it has beside those of every answer."""

    status: int
    body: bytes
    type: str = HTML
    more: tuple[tuple[str, str], ...] = ()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers that are ours to set."""
        return [
            ("Content-Type", self.type),
            ("Content-Length", str(len(self.body))),
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-cache"),
            *self.more,
        ]


# In -------------------------------------------------------------------------------------------------------------------


def form(content_type: str | None, body: bytes) -> dict[str, str]:
    """The fields of a form that was sent; raises BadRequest."""
    check(content_type, "application/x-www-form-urlencoded", body)
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=20))
    except ValueError:
        raise BadRequest("This is not a form of ours.") from None


def json_object(content_type: str | None, body: bytes) -> dict[str, object]:
    """The JSON object that was sent; raises BadRequest."""
    check(content_type, JSON, body)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise BadRequest("The body must be a JSON object.")
    return found  # pyright: ignore[reportUnknownVariableType]  # JSON's keys are strings


def check(content_type: str | None, wanted: str, body: bytes) -> None:
    """Refuse what is of another type or too large."""
    if (content_type or "").partition(";")[0].strip().lower() != wanted:
        raise BadRequest(f"This takes {wanted}.", 415)
    if len(body) > LIMIT:
        raise BadRequest(f"This takes no more than {LIMIT} bytes.", 413)


def key(text: str) -> int:
    """The key in a URL; raises NotFound for what can’t be one."""
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text):
        raise NotFound("There is no such game.")
    return int(text)


def version(entry: Mapping[str, object]) -> int:
    """The version that the sender has seen; raises BadRequest where it is not told."""
    found = entry.get("version")
    if isinstance(found, str) and re.fullmatch(r"[0-9]{1,18}", found):
        return int(found)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    raise BadRequest("Which version was changed? Send the `version` that was read.")


def after(query: str) -> str:
    """The name after which a page of games begins, of the URL's query."""
    found = dict(parse_qsl(query, errors="replace")).get("after", "")
    return found.replace("\0", "")


# Out: pages -----------------------------------------------------------------------------------------------------------


def shelf(found: Shelf) -> Reply:
    """The page with the games."""
    return Reply(200, pages.shelf(found).encode())


def new() -> Reply:
    """The page for a new game."""
    return Reply(200, pages.form({}).encode())


def edit(game: Game) -> Reply:
    """The page that changes a game."""
    return Reply(200, pages.form(values(game)).encode())


def refused(entry: Mapping[str, str], refusal: Refusal) -> Reply:
    """The form once more, as it was sent, with what is wrong; raises a refusal that has nothing to do with the form."""
    if isinstance(refusal, Invalid):
        return Reply(422, pages.form(entry, refusal.problems).encode())
    if isinstance(refusal, Changed):
        return Reply(409, pages.conflict(entry, values(refusal.current)).encode())
    raise refusal


def saved(game: Game) -> Reply:
    """The way back to the shelf, where the game is shown as the one that was saved."""
    return Reply(303, b"", more=(("Location", f"/#game-{game.id}"),))


@cache
def style() -> Reply:
    """The style sheet."""
    return Reply(200, (Path(__file__).parent / "style.css").read_bytes(), CSS)


# Out: JSON ------------------------------------------------------------------------------------------------------------


def values(game: Game) -> dict[str, str]:
    """A game's values as a form has them."""
    year = "" if game.year is None else str(game.year)
    return {"name": game.name, "year": year, "notes": game.notes, "version": str(game.version)}


def as_json(status: int, found: object, *more: tuple[str, str]) -> Reply:
    """A value as JSON, on one line."""
    return Reply(status, json.dumps(found, ensure_ascii=False).encode() + b"\n", JSON, more)


def plain(game: Game) -> dict[str, object]:
    """A game as JSON has it."""
    return {"id": game.id, "name": game.name, "year": game.year, "notes": game.notes, "version": game.version}


def games_json(found: Shelf) -> Reply:
    """The games as JSON; `more` goes into `?after=` for the next ones."""
    return as_json(200, {"games": [plain(game) for game in found.games], "more": found.more})


def game_json(game: Game) -> Reply:
    """One game as JSON."""
    return as_json(200, plain(game))


def added_json(game: Game) -> Reply:
    """A game that was added, as JSON."""
    return as_json(201, plain(game), ("Location", f"/api/games/{game.id}"))


# Out: what went wrong -------------------------------------------------------------------------------------------------


def of_error(path: str, error: BaseException | None) -> Reply:
    """The answer to what was raised: a page, or JSON under /api/. None: a URL or method that is not served."""
    status, text, more, beside = told(path, error)
    if path.startswith("/api/"):
        return as_json(status, {"error": text, **beside}, *more)
    return Reply(status, pages.trouble(status, text).encode(), more=more)


def told(path: str, error: BaseException | None) -> tuple[int, str, tuple[tuple[str, str], ...], dict[str, object]]:
    """Status, text, headers, and what JSON has beside the text."""
    match error:
        case None:
            allowed = methods(path)
            if allowed is None:
                return 404, "There is nothing at this address.", (), {}
            return 405, f"This address takes {allowed}.", (("Allow", allowed),), {}
        case BadRequest():
            return error.status, str(error), (), {}
        case NotFound():
            return 404, str(error), (), {}
        case Invalid():
            return 422, "The game can’t be stored like this.", (), {"problems": error.problems}
        case Changed():
            return 409, str(error), (), {"current": plain(error.current)}
        case OperationalError():
            return 503, "The database can’t be reached. Please try again in a moment.", (("Retry-After", "5"),), {}
        case _:
            return 500, "Something went wrong on our side.", (), {}


def methods(path: str) -> str | None:
    """The methods that a path takes; None where nothing is."""
    return next((allowed for pattern, allowed in ALLOWED.items() if re.fullmatch(pattern, path)), None)
