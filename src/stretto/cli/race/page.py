"""The race as a web page: a form to start one, bars that grow, and the report at the end. One race at a time.

    race = page.application(url)
    app = Starlette(routes=[*page.mounted(race, "/race"), ...])
    async with page.lifespan(race): ...                         # serve the app

Needs Starlette. The races are run by a thread; a browser asks for the state a few times a second.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from html import escape
from importlib.resources import files
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from stretto.cli import urls
from stretto.cli.race import ground, report, workloads
from stretto.cli.race.course import Course, chosen
from stretto.cli.race.guard import LOOPBACK, Guard, Refused, form_of
from stretto.cli.race.workloads import Sizes
from stretto.errors import ConfigError, Error, printable

_MOST = 10_000  # bytes of a form
_BUSY = "a race is under way: wait for its end"
_SECONDS, _OPERATIONS, _CALLERS = (0.05, 60.0), (10, 35_000), (1, 1000)


class Busy(Exception):  # noqa: N818  # it is a state, not a mistake
    """A race is under way, and there is one at a time."""


class Races:
    """The races of one server, one at a time.

    Args:
        url: of the server; each race has a database of its own there.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._course: Course | None = None
        self._report: str | None = None
        self._error = ""
        self._ended = False

    def start(self, form: Mapping[str, list[str]]) -> None:
        """Start one as a form says.

        Raises:
            Busy: one is under way.
            ConfigError: the form asks for what there is not.
        """
        races, sizes = chosen(form.get("workload", []), _last(form, "only")), _sizes(form)
        with self._lock:
            if self._ended or (self._thread is not None and self._thread.is_alive()):
                raise Busy(_BUSY)
            self._course, self._report, self._error = None, None, ""
            self._thread = threading.Thread(target=self._run, args=(races, sizes), daemon=True)
            self._thread.start()

    def state(self) -> dict[str, object]:
        """How the race stands, for JSON: whether one runs, its result so far, whether there is a report."""
        course, thread = self._course, self._thread
        return {
            "running": thread is not None and thread.is_alive(),
            "result": course.state() if course else None,
            "report": self._report is not None,
            "error": self._error,
        }

    def report(self) -> str | None:
        """The page of the last race that ended."""
        return self._report

    def close(self) -> None:
        """End the race that is under way, and let none start again."""
        with self._lock:
            self._ended = True
        if self._course is not None:
            self._course.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self, races: list[tuple[workloads.Workload, list[workloads.Entry]]], sizes: Sizes) -> None:
        try:
            with ground.existing(self._url) as place:
                self._course = Course(place, races, sizes)
                if self._ended:
                    return
                self._report = report.html(self._course.run())
        except (Error, OSError) as error:
            self._error = self._line(str(error))
        except Exception as error:  # a mistake of ours: who looks at the page shall see it, and stderr has all of it
            self._error = self._line(f"{type(error).__name__}: {error}")
            raise

    def _line(self, text: str) -> str:
        return urls.without_password(printable(text.partition("\n")[0]), self._url)


def application(url: str, *, hosts: Iterable[str] = LOOPBACK) -> Starlette:
    """The page, its state and its report, for a server of that URL; it is to be `mounted`, and ended (`lifespan`).

    It answers under the names of `hosts` only, and a race is started by its own form only (see `guard`).
    """
    app = Starlette(
        routes=[
            Route("/", _page),
            Route("/start", _start, methods=["POST"]),
            Route("/state", _state),
            Route("/report", _report),
        ],
        middleware=[Middleware(Guard, hosts)],
    )
    app.state.races = Races(url)
    return app


def mounted(app: Starlette, path: str) -> list[BaseRoute]:
    """The routes that have what `application` gave at a path, with a slash at its end and without."""
    return [Route(path, lambda _: RedirectResponse(f"{path}/")), Mount(path, app)]


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """End the race that is under way when the server ends: `app` is what `application` gave."""
    try:
        yield
    finally:
        app.state.races.close()  # not awaited: after Ctrl-C the task is being cancelled, and nothing may stay behind


async def _page(_request: Request) -> Response:
    assets = files(__package__).joinpath("assets")
    boxes = "".join(
        f'<label><input type="checkbox" name="workload" value="{name}"{" checked" if name == "select" else ""}>'
        f"{escape(workloads.load(name).title)}</label>"
        for name in workloads.NAMES
    )
    body = assets.joinpath("page.html").read_text()
    script = assets.joinpath("page.js").read_text()
    return HTMLResponse(report.document(body.replace("{workloads}", boxes).replace("{script}", script)))


async def _start(request: Request) -> Response:
    form: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl((await form_of(request, _MOST)).decode(errors="replace")):
            form.setdefault(name, []).append(value)
        request.app.state.races.start(form)
    except Refused as error:
        return JSONResponse({"error": str(error)}, error.status)
    except Busy as error:
        return JSONResponse({"error": str(error)}, 409)
    except ConfigError as error:
        return JSONResponse({"error": str(error)}, 400)
    if "json" in request.headers.get("accept", ""):
        return JSONResponse({}, 202)
    return RedirectResponse("./", 303)


async def _state(request: Request) -> Response:
    return JSONResponse(request.app.state.races.state(), headers={"Cache-Control": "no-store"})


async def _report(request: Request) -> Response:
    text = request.app.state.races.report()
    return HTMLResponse(text) if text else JSONResponse({"error": "no race has ended yet"}, 404)


def _sizes(form: Mapping[str, list[str]]) -> Sizes:
    return Sizes(
        callers=int(_number(form, "callers", _CALLERS, Sizes.callers)),
        seconds=_number(form, "seconds", _SECONDS, 1.0),
        operations=int(_number(form, "operations", _OPERATIONS, 1_000)),
    )


def _number(form: Mapping[str, list[str]], name: str, bounds: tuple[float, float], default: float) -> float:
    text = _last(form, name)
    if text is None:
        return default
    least, most = bounds
    try:
        number = float(text)
    except ValueError:
        raise ConfigError(f"{name}: {text[:20]!r} is no number") from None
    if not least <= number <= most:
        raise ConfigError(f"{name} is from {least:g} to {most:g}, not {number:g}")
    return number


def _last(form: Mapping[str, list[str]], name: str) -> str | None:
    return form.get(name, [""])[-1] or None
