"""What is left of a race: one page that needs nothing else, pictures of it, and all figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from pathlib import Path

from stretto.cli.race import pictures, plots
from stretto.cli.race.findings import findings, rate
from stretto.cli.race.result import Heat, Result, Standing
from stretto.cli.race.workloads import NAMES

PAGE, DATA = "race.html", "race.json"
_COLUMNS = (
    ("p50_ms", "p50 ms", ".3g"),
    ("p99_ms", "p99 ms", ".3g"),
    ("max_ms", "longest ms", ".3g"),
    ("client_us", "client CPU µs", ",.3g"),
    ("client_share", "client cores", ".2f"),
    ("rss_mb", "memory MB", ",.0f"),
)
_METHOD = (
    "Each contender ran once, alone, in a process of its own that had its library in it and stretto, which does the "
    "counting (about 10 MB); its answers were checked. A warm-up does not count. Blocking SQLAlchemy is on psycopg2; "
    "on asyncio SQLAlchemy, Tortoise and Piccolo are on asyncpg. Client and server shared the machine's cores. Rates "
    "are operations over the time that was measured; p99: 99 of 100 waited no longer than this, and of fewer than 100 "
    "waits there is none; CPU is the client's process, user and system, for one operation; memory is the most that it "
    "had. The connections are those that the server's pg_stat_activity showed for the race's database, looked at "
    "twenty times a second. One short run on one machine: differences of a few per cent are none. The benchmark, with "
    "rounds and cores kept apart, is `make bench`."
)


def write(result: Result, directory: Path) -> list[Path]:
    """Write the page, the JSON and, where a Chromium is there, the pictures; return their paths.

    Pictures of an earlier race are gone after it, as this one may not have them.

    Raises:
        OSError: the directory does not take them.
    """
    for name in ("race", *(f"race-{name}" for name in NAMES)):
        (directory / f"{name}.png").unlink(missing_ok=True)
    data, page = directory / DATA, directory / PAGE
    data.write_text(json.dumps(result.as_dict(), indent=1) + "\n")
    page.write_text(html(result))
    figures = {"race.png": summary(result), **{f"race-{each.name}.png": _figure(result, each) for each in _run(result)}}
    return [page, data, *pictures.write({name: document(body, "picture") for name, body in figures.items()}, directory)]


def html(result: Result) -> str:
    """The page, with its style and its data in it."""
    data = json.dumps(result.as_dict()).replace("<", "\\u003c")
    parts = [
        "<h1>The race</h1>",
        f'<p class="soft">stretto beside its peers, {_made(result)}, {result.seconds:.0f} seconds in all</p>',
        f'<div class="cards">{"".join(map(_card, _run(result)))}</div>',
        *(_section(result, heat) for heat in result.heats),
        f"<section><h2>How it was measured</h2><p>{_code(_METHOD)}</p>{_facts(result)}</section>",
        f'<script type="application/json" id="race">{data}</script>',
    ]
    return document("".join(parts))


def document(body: str, kind: str = "") -> str:
    """A whole page with the style in it, and nothing that it would have to fetch."""
    style = files(__package__).joinpath("assets", "race.css").read_text()
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>stretto race</title>'
        f'<link rel="icon" href="data:,"><style>{style}</style></head><body class="{kind}">{body}</body></html>\n'
    )


def summary(result: Result) -> str:
    """One picture of all heats: each library at its best."""
    columns = [
        f"<div><h3>{escape(heat.title)} <small>{heat.unit} a second</small></h3>"
        f"{plots.bars(_best(heat), 'rate', _rate)}</div>"
        for heat in _run(result)
    ]
    return (
        f'<div class="columns" style="--columns:{len(columns)}">{"".join(columns)}</div>'
        f"<figcaption>Each library at its best in a short race. {escape(result.conditions())}.</figcaption>"
    )


def _run(result: Result) -> list[Heat]:
    """The heats that have figures."""
    return [heat for heat in result.heats if heat.ranked()]


def _best(heat: Heat) -> list[Standing]:
    """The best of each library, the quickest first."""
    best: dict[str, Standing] = {}
    for each in heat.ranked():
        best.setdefault(each.library, each)
    return list(best.values())


def _made(result: Result) -> str:
    return escape(result.made.replace("T", " ").replace("+00:00", " UTC"))


def _rate(figure: float) -> str:
    return f"{figure:,.0f}"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"  # three digits


def _card(heat: Heat) -> str:
    best = _best(heat)
    ours = next((each for each in best if each.ours), None)
    peer = next((each for each in best if not each.ours), None)
    head = ours or best[0]
    beside = f": {rate(ours) / rate(peer):.2g} times {peer.library}, the quickest peer" if ours and peer else ""
    return (
        f'<div class="card"><b>{rate(head):,.0f}</b>'
        f"<span>{heat.unit} a second by {escape(head.title)}{escape(beside)}</span></div>"
    )


def _section(result: Result, heat: Heat) -> str:
    texts = "".join(f"<p>{escape(text)}</p>" for text in findings(heat))
    head = f'<section><h2>{escape(heat.title)}</h2><p class="about">{escape(heat.about)}.</p>{texts}'
    ranked = heat.ranked()
    if not ranked:
        return f"{head}</section>"
    key, name = _waits(ranked)
    waits = sorted(ranked, key=lambda each: (each.figures or {})[key])
    cpu = sorted(ranked, key=lambda each: (each.figures or {})["client_us"])
    figures = [
        _throughput(result, heat),
        '<div class="pair">',
        _plot(
            *(result, f"{name} of {heat.waiting}", "milliseconds, less is better"),
            plots.bars(waits, key, _short, heat.standings),
        ),
        _plot(
            *(result, f"Client CPU for one of the {heat.unit}", "microseconds, less is better"),
            plots.bars(cpu, "client_us", _short, heat.standings),
        ),
        "</div>",
        _connections(result, heat),
        f'<div class="wide">{_table(heat)}</div>',
    ]
    return f"{head}{''.join(figures)}</section>"


def _waits(ranked: list[Standing]) -> tuple[str, str]:
    """The figure of their waits that all of them have, and its name: p99 takes a hundred waits."""
    return ("p99_ms", "p99") if all("p99_ms" in (each.figures or {}) for each in ranked) else ("max_ms", "Longest")


def _plot(result: Result, title: str, hint: str, plot: str) -> str:
    return (
        f"<figure><h3>{escape(title)} <small>{escape(hint)}</small></h3>{plot}"
        f"<figcaption>{escape(result.conditions())}.</figcaption></figure>"
    )


def _connections(result: Result, heat: Heat) -> str:
    hint = "over the seconds of the heat; the numbers are those of the names above"
    return _plot(result, "Connections open", hint, plots.curve(result, heat.standings))


def _throughput(result: Result, heat: Heat) -> str:
    plot = plots.bars(heat.ranked(), "rate", _rate, heat.standings)
    return _plot(result, f"{heat.unit.capitalize()} a second", "more is better", plot)


def _figure(result: Result, heat: Heat) -> str:
    """A heat as a picture."""
    head = f'<h2>{escape(heat.title)}</h2><p class="about">{escape(heat.about)}.</p>'
    return head + _throughput(result, heat) + _connections(result, heat)


def _table(heat: Heat) -> str:
    headings = (f"{heat.unit}/s", *(heading for _, heading, _ in _COLUMNS), "connections", "version")
    heads = "".join(f"<th>{text}</th>" for text in headings)
    numbers = {id(each): number for number, each in enumerate(heat.standings, 1)}
    others = [each for each in heat.standings if each.figures is None]
    rows = "".join(_row(numbers[id(each)], each) for each in (*heat.ranked(), *others))
    return f'<table><thead><tr><th>#</th><th class="text">who</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _row(number: int, standing: Standing) -> str:
    head = f'<td>{number}</td><td class="text">{escape(standing.title)}</td>'
    figures = standing.figures
    if figures is None:
        said = {"missing": f"not installed: {standing.reason}", "failed": f"failed: {standing.reason}"}
        text = escape(said.get(standing.state, standing.state))
        return f'<tr class="{standing.state}">{head}<td class="text" colspan="{len(_COLUMNS) + 3}">{text}</td></tr>'
    cells = [_rate(figures["rate"]), *(_cell(figures, key, form) for key, _, form in _COLUMNS), standing.connections]
    cells.append(escape(standing.version or ""))
    return f'<tr class="{"ours" if standing.ours else ""}">{head}{"".join(f"<td>{each}</td>" for each in cells)}</tr>'


def _cell(figures: dict[str, float], key: str, form: str) -> str:
    return format(figures[key], form) if key in figures else "–"


def _facts(result: Result) -> str:
    server = ", ".join(f"{name} {value}" for name, value in result.server.items())
    sizes = result.sizes
    asked = (
        f"{sizes.callers} callers, {sizes.connections} connections, {sizes.seconds:g} seconds, "
        f"{sizes.operations:,} operations, {sizes.points:,} rows, {sizes.parents:,} parents"
    )
    facts: Iterator[tuple[str, str]] = iter({**result.machine, "server": server, "sizes": asked}.items())
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(text)}</dd>' for name, text in facts)}</dl>"


def _code(text: str) -> str:
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))
