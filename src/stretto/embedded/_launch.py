"""From the programs to a running server: initdb, the password, the start, the stop."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self
from urllib.parse import quote

from stretto.embedded._account import Account, open_home
from stretto.embedded._guardian import Guardian
from stretto.embedded._programs import Programs
from stretto.errors import ConfigError, OperationalError, printable

HOST = "127.0.0.1"
USER = "postgres"
_START_SECONDS = 60.0  # a server that was killed replays its log before it is ready
_STOP_SECONDS = 10.0  # for each way of stopping, before the next harder one
_POLL_SECONDS = 0.01
_CONNECT_SECONDS = 5.0
_PORT_ATTEMPTS = 5
_LOG_LINES = 20
_STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class StartError(OperationalError):
    """The server, or a program that prepares its data, failed; the message has the end of its log."""

    def __str__(self) -> str:
        return "\n".join(printable(line) for line in self.message.splitlines())


@dataclass(eq=False)
class Server:
    """A running server; as a context manager it is stopped at the end of the block."""

    url: str = field(repr=False)  # it may have a password
    port: int
    socket_directory: Path
    data_directory: Path
    bin_directory: Path
    version: str
    pid: int
    _process: subprocess.Popen[bytes] = field(repr=False)
    _guardian: Guardian = field(repr=False)
    _owner: int = field(repr=False, default_factory=os.getpid)

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server and remove what is temporary; a mode that takes too long is followed by the next harder one.

        A second call does nothing, nor does one in a fork of the process that started the server.

        Raises:
            ConfigError: for another mode.
        """
        if mode not in _STOP_SIGNALS:
            raise ConfigError(f"the mode of stop() is 'smart', 'fast' or 'immediate', not {mode!r}")
        if self._owner != os.getpid() or self._process.returncode is not None:
            return
        modes = list(_STOP_SIGNALS)
        for number in [*(_STOP_SIGNALS[each] for each in modes[modes.index(mode) :]), signal.SIGKILL]:
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
                break
        self._guardian.ended()
        self._guardian.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


@dataclass(frozen=True)
class Launcher:
    """The steps of one start, and what they need."""

    programs: Programs
    account: Account
    guardian: Guardian
    run: Path
    log: IO[bytes]

    def data_directory(self, home: Path | None, unfinished: Path, durable: bool) -> Path:
        """The data of an earlier start, or new data: made beside its place, so that it is there whole or not at all."""
        data = (home or self.run) / "data"
        if home is not None:
            open_home(home, self.account)
        if not data.exists():
            self._initdb(unfinished, durable)
            try:
                unfinished.rename(data)
            except OSError:
                if not data.exists():  # else another process was first, and its data is as good
                    raise
        major = (data / "PG_VERSION").read_text().strip()
        if major != self.programs.version.partition(".")[0]:
            raise ConfigError(
                f"the data in {str(data)!r} is of PostgreSQL {major} and the programs in "
                f"{str(self.programs.directory)!r} are {self.programs.version}: set STRETTO_PG_BIN to the programs of "
                f"{major}, or name another directory"
            )
        return data

    def _initdb(self, data: Path, durable: bool) -> None:
        data.mkdir(mode=0o700)
        if self.account.is_other:
            os.chown(data, self.account.uid, self.account.gid)
        sync = [] if durable else ["--no-sync"]
        # Who gets in is said by the hba_file of each start; the one that initdb writes is not used.
        self._finish("initdb", "-D", data, "-U", USER, "--locale=C", "--encoding=UTF8", "--auth=trust", *sync)

    def set_password(self, data: Path, password: str, options: Mapping[str, str]) -> None:
        """Set it by the server's single-user mode, through a pipe: it is in no argument, file or log."""
        if (data / "standby.signal").exists():
            return  # read-only: the password is the primary's
        quiet = {**options, "password_encryption": "scram-sha-256", "exit_on_error": "on", "log_statement": "none"}
        quiet |= {"log_min_error_statement": "panic", "log_min_duration_statement": "-1"}
        quoted = "".join(f"\\+{ord(character):06x}" for character in password)
        statement = f"alter role {USER} password U&'{quoted}'\n"
        self._finish("postgres", "--single", "-D", data, *_as_arguments(quiet), "postgres", text=statement)

    def serve(self, data: Path, options: Mapping[str, str], password: str | None, port: int | None) -> Server:
        """Start the server and wait until it is ready. A free port that was snatched away is chosen again."""
        hba_file = self.run / "pg_hba.conf"
        hba_file.write_text(_hba("trust" if password is None else "scram-sha-256"))
        hba_file.chmod(0o644)
        for _ in range(1 if port else _PORT_ATTEMPTS):
            number = port or _free_port()
            own = {"listen_addresses": HOST, "hba_file": str(hba_file), **options}
            own |= {"port": str(number), "unix_socket_directories": str(self.run)}
            process = self._launch("postgres", "-D", data, *_as_arguments(own))
            if self._becomes_ready(process, data):
                self._try_connect(number)
                return self._describe(process, data, number, password)
            self.guardian.ended()
            if "could not create any TCP/IP sockets" not in self._log_tail():
                break
        raise self._failure(f"the server on port {number} ended with code {process.returncode} as it started")

    def _becomes_ready(self, process: subprocess.Popen[bytes], data: Path) -> bool:
        """Wait for the server's word in postmaster.pid; False when it ended instead."""
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None:
            if _says_ready(data, process.pid):
                return True
            if time.monotonic() > deadline:
                raise self._failure(f"the server was not ready after {_START_SECONDS:.0f} seconds")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
        return False

    def _try_connect(self, port: int) -> None:
        try:
            socket.create_connection((HOST, port), _CONNECT_SECONDS).close()
        except OSError as error:
            raise self._failure(f"the server is ready but not at {HOST}:{port} ({error.strerror})") from error

    def _describe(self, process: subprocess.Popen[bytes], data: Path, port: int, password: str | None) -> Server:
        secret = "" if password is None else f":{quote(password, safe='')}"
        return Server(
            url=f"postgresql://{USER}{secret}@{HOST}:{port}/postgres",
            port=port,
            socket_directory=self.run,
            data_directory=data,
            bin_directory=self.programs.directory,
            version=self.programs.version,
            pid=process.pid,
            _process=process,
            _guardian=self.guardian,
        )

    def _launch(self, name: str, *arguments: str | Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        return self.guardian.launch([self.programs.directory / name, *arguments], self.log, stdin)

    def _finish(self, name: str, *arguments: str | Path, text: str = "") -> None:
        """Run a program to its end; raises StartError where it fails."""
        process = self._launch(name, *arguments, stdin=subprocess.PIPE)
        process.communicate(text.encode())
        self.guardian.ended()
        if process.returncode:
            raise self._failure(f"{name} ended with code {process.returncode}")

    def _failure(self, what: str) -> StartError:
        return StartError(f"{what}; the end of its log:\n{self._log_tail()}")

    def _log_tail(self) -> str:
        text = (self.run / "server.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-_LOG_LINES:])


def _says_ready(data: Path, pid: int) -> bool:
    """Tell whether postmaster.pid is this server's and its eighth line says that it takes connections."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() in ("ready", "standby")


def _as_arguments(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _hba(method: str) -> str:
    """Who gets in: everybody on this machine, by the one method."""
    lines = []
    for database in ("all", "replication"):
        lines.append(f"local {database} all {method}\n")
        lines += [f"host {database} all {address} {method}\n" for address in ("127.0.0.1/32", "::1/128")]
    return "".join(lines)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
