"""What was measured, and with what: as an object and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from stretto import Database, core_info
from stretto.cli.profile.parts import CROWD_HOW, HOW, PARTS, Profile
from stretto.cli.profile.rounds import Line

_SERVER = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "jit")
_BUSY = 0.1  # the share of the time without a core from which on the figures are said to be disturbed


@dataclass(frozen=True, slots=True)
class Setting:
    """What the figures were measured with: the client, and the server and its settings."""

    client: Mapping[str, str]
    server: Mapping[str, str]

    @classmethod
    def of(cls, db: Database) -> Setting:
        """Of this process and the server of a Database."""
        try:
            ours = version("stretto")
        except PackageNotFoundError:
            ours = "from its sources"
        client = {
            "stretto": f"{ours}, {core_info()}",
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        }
        server = {name: db.fetchval("select current_setting($1)", name) for name in _SERVER}
        way = "select case when inet_server_addr() is null then 'Unix socket' else 'TCP' end"
        tls = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
        server["reached by"] = db.fetchval(way) + (" and TLS" if db.fetchval(tls) else "")
        return cls(client, server)


@dataclass(frozen=True, slots=True)
class Report:
    """All lines with their profiles. ``others``: modules on a server of their own; ``missing``: not installed."""

    setting: Setting
    rounds: int
    lines: Mapping[Line, Profile]
    others: Sequence[str]
    missing: Sequence[str]

    def how(self) -> dict[str, str]:
        """How each part is measured."""
        crowd = {"many callers": CROWD_HOW} if any(line.callers > 1 for line in self.lines) else {}
        return HOW | crowd

    def notes(self) -> list[str]:
        """What has to be known about these figures."""
        notes = [f"{name} has a server of its own: its wire is what `select 1` waits there." for name in self.others]
        below = sorted(
            {
                f"{line.name} ({line.style}), {line.work.title}: {part}"
                for line, profile in self.lines.items()
                for part in PARTS
                if profile.raw.get(part, 0.0) < 0
            }
        )
        if below:
            notes.append(f"Too small to be told from noise, so counted as nothing: {'; '.join(below)}.")
        waited = max((profile.waited for profile in self.lines.values()), default=0.0)
        if waited > _BUSY:
            notes.append(
                f"The machine was busy: up to {100 * waited:.0f} % of a line's time client or server had no core to "
                "run on. Measure again when it is quiet before you believe differences."
            )
        if self.missing:
            notes.append(f"Not installed, so not among them: {', '.join(self.missing)}.")
        return notes

    def as_json(self) -> str:
        """All of it. Times are in microseconds for one call."""
        profiles = [
            {
                "driver": line.name,
                "style": line.style,
                "callers": line.callers,
                "work": line.work.key,
                "whole": _micro(profile.whole),
                "spread": _micro(profile.spread),
                "parts": _micros(profile.parts),
                "measured": _micros(profile.raw),
                "stamps": _micros(profile.stamps),
                "client_cpu": _micro(profile.cpu),
                "server_cpu": None if profile.backend is None else _micro(profile.backend),
                "without_a_core": round(profile.waited, 4),
                "calls_per_second": round(profile.rate, 1),
                "calls": profile.calls,
            }
            for line, profile in self.lines.items()
        ]
        whole = {
            **asdict(self.setting),
            "rounds": self.rounds,
            "works": {line.work.key: line.work.title for line in self.lines},
            "how": self.how(),
            "notes": self.notes(),
            "profiles": profiles,
        }
        return json.dumps(whole, indent=2) + "\n"


def _micro(seconds: float) -> float:
    return round(1e6 * seconds, 3)


def _micros(parts: Mapping[str, float]) -> dict[str, float]:
    return {name: _micro(seconds) for name, seconds in parts.items()}
