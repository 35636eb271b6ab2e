"""Who runs the server, and in which directories: what differs between root, an ordinary user and a container."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stretto.errors import ConfigError

SHELL = "/bin/sh"
_SOCKET_PATH_LIMIT = 103  # of sun_path without its final zero: 107 bytes on Linux, 103 on macOS and BSD


@dataclass(frozen=True)
class Account:
    """The user that the programs run as: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether that is somebody else than this process (which is root, then)."""
        return self.uid != os.geteuid()

    def popen(
        self,
        argv: Sequence[str | Path],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a program as this user, apart from our terminal (a Ctrl-C is for us) and our environment."""
        kept = ("PATH", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        return subprocess.Popen(  # noqa: S603  # a list without a shell; the callers choose the programs
            argv,
            user=self.uid if self.is_other else None,
            group=self.gid if self.is_other else None,
            extra_groups=[] if self.is_other else None,
            cwd="/",
            env={**environment, "LC_ALL": "C"},
            start_new_session=True,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )

    def answer(self, argv: Sequence[str | Path]) -> tuple[str, int]:
        """Run a program to its end and give what it printed and its return code; raises OSError if it can't be run."""
        with self.popen(argv, stdout=subprocess.PIPE) as process:
            text = process.communicate()[0].decode(errors="replace")
        return text.strip(), process.returncode

    def passes(self, test: str, path: Path) -> bool:
        """Tell whether a file test of sh holds for this user: ``-x`` of a directory is "may go into it"."""
        return self.answer([SHELL, "-c", f'[ {test} "$0" ]', path])[1] == 0


def choose_account(home: Path | None) -> Account:
    """Ourselves; for root the owner of the named directory, else ``postgres``, else ``nobody``.

    Raises:
        ConfigError: there is no such user, or root may not become it.
    """
    uid = os.geteuid()
    if uid == 0 and home is not None and home.exists():
        uid = home.stat().st_uid
    account = _unprivileged() if uid == 0 else _known(uid)
    try:
        account.passes("-x", Path("/"))
    except OSError as error:
        raise ConfigError(
            f"PostgreSQL does not run as root, and this process may not become {account.name!r} ({error.strerror}): "
            "run it as an ordinary user, or give the container CAP_SETUID and CAP_SETGID"
        ) from error
    return account


def _unprivileged() -> Account:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise ConfigError("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it as")


def _known(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise ConfigError(
            f"the user id {uid} has no name on this machine, and initdb needs one: add a line such as "
            f"'app:x:{uid}:0::/tmp:/bin/sh' to /etc/passwd, or run as a user that is listed there"
        ) from None
    return Account(entry.pw_name, uid, entry.pw_gid)


def make_run_directory(account: Account) -> Path:
    """Make the directory of the socket, the log and all that is temporary, with a path short enough for a socket."""
    for base in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108  # mkdtemp's, not ours to name
        length = len(os.fsencode(base)) + len("/stretto-pg-12345678/.s.PGSQL.65535")
        if length <= _SOCKET_PATH_LIMIT and os.access(base, os.W_OK | os.X_OK) and account.passes("-x", Path(base)):
            run = Path(tempfile.mkdtemp(prefix="stretto-pg-", dir=base))
            run.chmod(0o755)  # other users (a pooler's, say) may reach the socket
            return run
    raise ConfigError(
        "none of TMPDIR, /tmp and /var/tmp has a short path, can be written to, and is open to the user "
        f"{account.name!r}, as whom the server runs"
    )


def open_home(home: Path, account: Account) -> None:
    """Make the named directory where it is missing, and give it to the server's user where it is root's.

    Raises:
        ConfigError: it has something else in it, or the server's user can't reach it or write in it.
    """
    parents = [parent for parent in home.parents if parent.exists()]
    if not account.passes("-x", parents[0]):
        closed = next(parent for parent in reversed(parents) if not account.passes("-x", parent))
        raise ConfigError(
            f"the user {account.name!r}, as whom the server runs, can't go into {str(closed)!r}: name a directory "
            f"elsewhere, such as /var/tmp/{home.name}, or run this as an ordinary user"
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
        entries = [entry.name for entry in home.iterdir() if not entry.name.startswith("unfinished-")]
    except OSError as error:
        raise ConfigError(f"the directory {str(home)!r} can't be used: {error.strerror}") from error
    if entries and not (home / "data" / "PG_VERSION").exists():
        raise ConfigError(f"the directory {str(home)!r} is not empty and has no data of an earlier start: name another")
    if account.is_other and home.stat().st_uid == 0:
        os.chown(home, account.uid, account.gid)
    if not account.passes("-w", home):
        raise ConfigError(f"the user {account.name!r}, as whom the server runs, can't write in {str(home)!r}")
