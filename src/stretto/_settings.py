"""Settings: what libpq's keywords are set to and by whom, before anything is made of it."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping

from stretto._conninfo import OPTIONS, find_service, parse_dsn, suggestion, unknown_keyword
from stretto.errors import ConfigError

_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?0*[0-9]{1,10})[ \t\n\v\f\r]*")
_LARGEST_INT = 2**31 - 1


class Settings:
    """libpq's keywords and their values, each with where it is from. An empty value counts as given."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.sources: dict[str, str] = {}

    def put(self, keyword: str, value: str, source: str) -> None:
        """Give a keyword its value unless it has one."""
        if keyword in self.values:
            return
        if "\0" in value:
            raise ConfigError(f"{keyword} ({source}) has a NUL character")
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise ConfigError(f"{keyword} ({source}) is not UTF-8")
        self.values[keyword] = value
        self.sources[keyword] = source

    def fail(self, keyword: str, problem: str) -> ConfigError:
        """Make the error for a keyword's value."""
        return ConfigError(f"{keyword} ({self.sources[keyword]}) {problem}")

    def text(self, keyword: str) -> str | None:
        """The value; None when it is empty or not set."""
        return self.values.get(keyword) or None

    def elements(self, keyword: str) -> list[str]:
        """The parts of a list with commas; none when it is empty or not set."""
        text = self.text(keyword)
        return text.split(",") if text else []

    def choice(self, keyword: str) -> str:
        """The value, one of those that the keyword may have."""
        value, choices = self.values[keyword], OPTIONS[keyword].choices
        if value not in choices:
            raise self.fail(keyword, f"must be one of {', '.join(choices)}{suggestion(value, choices)}")
        return value

    def flag(self, keyword: str) -> bool:
        return self.text(keyword) is not None and self.choice(keyword) == "1"

    def integer(self, keyword: str) -> int | None:
        """The value as a number that fits C's int; None when it is empty or not set."""
        text = self.text(keyword)
        if text is None:
            return None
        number = integer_of(text)
        if number is None:
            raise self.fail(keyword, "must be an integer")
        return number

    def positive(self, keyword: str) -> int | None:
        """The value as a number; None for zero and less, which mean that there is no limit or the system's default."""
        number = self.integer(keyword)
        return number if number is not None and number > 0 else None

    def natural(self, keyword: str) -> int | None:
        """The value as a number, 0 for less; None when it is empty or not set."""
        number = self.integer(keyword)
        return None if number is None else max(number, 0)

    def key(self, keyword: str) -> bytes | None:
        """The value as the 32 bytes of a SCRAM key in base64."""
        if keyword not in self.values:
            return None
        try:
            key = base64.b64decode(self.values[keyword], validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32:
            raise self.fail(keyword, "must be 32 bytes in base64")
        return key


def integer_of(text: str) -> int | None:
    """Read a number as libpq does: blanks around it and a sign are allowed; None when it is none or no C int."""
    match = _INTEGER.fullmatch(text)
    number = int(match[1]) if match else None
    return number if number is not None and -_LARGEST_INT - 1 <= number <= _LARGEST_INT else None


def collect(dsn: object, keywords: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """Set what the arguments say, else the connection string, the service file, the environment, libpq's defaults."""
    settings = Settings()
    for keyword, value in keywords.items():
        if keyword not in OPTIONS:
            raise unknown_keyword(keyword, "the arguments", show=True)
        if value is not None:
            settings.put(keyword, _text_of(keyword, value), "argument")
    for keyword, text in _parsed(dsn).items():
        settings.put(keyword, text, "connection string")
    _put_defaults(settings, environ)
    return settings


def _parsed(dsn: object) -> dict[str, str]:
    if dsn is None:
        return {}
    if not isinstance(dsn, str):
        raise ConfigError(f"the connection string must be str, not {type(dsn).__name__}")
    return parse_dsn(dsn)


def _text_of(keyword: str, value: object) -> str:
    """Turn an argument into the text that libpq would take."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(int(value))
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise ConfigError(f"{keyword} (argument) must be str, int, bool or a path, not {type(text).__name__}")
    return text


def _put_defaults(settings: Settings, environ: Mapping[str, str]) -> None:
    """Add what the service file, the environment and libpq itself have for keywords without a value."""
    service = settings.values.get("service", environ.get("PGSERVICE"))
    if service is not None:
        servicefile = settings.values.get("servicefile", environ.get("PGSERVICEFILE"))
        for setting in find_service(service, servicefile, environ):
            settings.put(setting.keyword, setting.value, setting.source)
    for keyword, option in OPTIONS.items():
        if option.env is not None and option.env in environ:
            settings.put(keyword, environ[option.env], option.env)
    if environ.get("PGREQUIRESSL", "").startswith("1"):
        settings.put("sslmode", "require", "PGREQUIRESSL")
    if settings.text("sslrootcert") == "system":
        settings.put("sslmode", "verify-full", "default with sslrootcert=system")
    for keyword, option in OPTIONS.items():
        if option.default is not None:
            settings.put(keyword, option.default, "default")
