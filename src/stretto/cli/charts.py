"""How the demo shows its second part: a table of all figures, and bars for each number of callers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stretto.cli.crowd import ALL, Contender, Crowd

_EVEN = 1.03  # less than this apart counts as equal in so short a run
_OURS = "green"
_BESIDE_THE_BAR = 42  # columns: indentation, runtime, name, rate


@dataclass(frozen=True)
class _Score:
    contender: Contender
    rate: float

    @property
    def ours(self) -> bool:
        return self.contender.driver == "stretto"


def table(crowd: Crowd) -> Padding:
    """A line for each contender: lookups a second by each number of callers, and what the most of them cost."""
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    shown.add_column("runtime", no_wrap=True)
    shown.add_column("driver", no_wrap=True)
    for count in ALL:
        shown.add_column(_callers(count), justify="right", no_wrap=True)
    for heading in ("CPU", "longest"):
        shown.add_column(heading, justify="right", no_wrap=True)
    runtime = ""
    for contender, figures in crowd.scores.items():
        if runtime not in ("", contender.runtime):
            shown.add_section()
        rates = {each.callers: f"{each.rate:,.0f}" for each in figures}
        most = figures[-1]
        shown.add_row(
            "" if contender.runtime == runtime else contender.runtime,
            contender.name,
            *(rates.get(count, "") for count in ALL),
            f"{most.cpu:,.0f} µs",
            _span(most.longest),
            style=_OURS if contender.driver == "stretto" else "",
        )
        runtime = contender.runtime
    return Padding(shown, (0, 0, 0, 2), expand=False)


def bars(crowd: Crowd, width: int) -> Iterator[Text]:
    """Bars of the rates for each number of callers, the quickest first, in lines of that width."""
    for count in ALL:
        scores = sorted(_scores(crowd, count), key=lambda score: -score.rate)
        if not scores:
            continue
        yield Text(f"  {_callers(count)}", style="bold")
        for score in scores:
            length = max(1, round((width - _BESIDE_THE_BAR) * score.rate / scores[0].rate))
            name = f"    {score.contender.runtime:<10}{score.contender.name:<17}"
            yield Text(f"{name}{score.rate:>9,.0f}  {'━' * length}", style=_OURS if score.ours else "", no_wrap=True)
        yield Text()


def findings(crowd: Crowd) -> Iterator[str]:
    """How stretto compares: its best with the most callers, and where another driver was quicker."""
    scores = _scores(crowd, ALL[-1])
    best = max((score for score in scores if score.ours), key=lambda score: score.rate, default=None)
    peer = max((score for score in scores if not score.ours), key=lambda score: score.rate, default=None)
    if best and peer:
        yield (
            f"With {_callers(ALL[-1])} stretto did {best.rate:,.0f} lookups a second at its best "
            f"({best.contender.runtime}), the quickest other driver {peer.rate:,.0f} ({_with_runtime(peer)})."
        )
    if peer:
        losses = "; ".join(_losses(crowd)) or "none (by more than 3 %)"
        yield f"Quicker than stretto in the same runtime: {losses}."
    for contender, reason in crowd.failed.items():
        yield f"{contender.name}, {contender.runtime}, gave no figures: {reason}"
    if crowd.missing:
        yield f"Not installed, so not among them: {', '.join(crowd.missing)} (pip install 'stretto[demo]')."


def _losses(crowd: Crowd) -> Iterator[str]:
    """The drivers that were quicker than stretto in their runtime, with as many callers."""
    for count in ALL:
        scores = _scores(crowd, count)
        ours = {score.contender.runtime: score.rate for score in scores if score.ours}
        for score in scores:
            lead = score.rate / ours.get(score.contender.runtime, score.rate)
            if not score.ours and lead > _EVEN:
                yield f"{_with_runtime(score)}, {_callers(count)}, by {100 * (lead - 1):.0f} %"


def _scores(crowd: Crowd, callers: int) -> list[_Score]:
    return [
        _Score(contender, each.rate)
        for contender, figures in crowd.scores.items()
        for each in figures
        if each.callers == callers
    ]


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _callers(count: int) -> str:
    return f"{count} caller{'s' if count > 1 else ''}"


def _with_runtime(score: _Score) -> str:
    return f"{score.contender.name}, {score.contender.runtime}"
