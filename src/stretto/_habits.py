"""What other libraries call it: their names and what is written here instead, for the errors that say so.

A name is refused with an AttributeError, so that ``hasattr`` says no. It costs nothing where no such name is used: no
class has a ``__getattr__`` for it, which would slow down all of its attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from stretto.errors import UsageError

C = TypeVar("C", bound=type)

_RESERVE = (
    "'with db.connection() as connection:' reserves a connection until the end of the block (async with, on asyncio)"
)
_BLOCK = "'with db.transaction():' commits at its end, or rolls back what an exception leaves (async with, on asyncio)"
_POOL = "Database(url, connections=10), or AsyncDatabase on asyncio, is a pool, and connects when it is first used"
_FETCH = "fetch(sql, *args) gives the rows, fetchrow() the first one, fetchval() a value, stream() one after the other"
_PREPARED = "statements are prepared by themselves, once for each connection: fetch(sql, *args)"
_JSON = "dicts, lists and other values are given to json and jsonb as they are"

# stretto.<name>
MODULE = {
    "connect": _POOL,
    "create_pool": _POOL,
    "Pool": _POOL,
    "ConnectionPool": _POOL,
    "AsyncConnectionPool": _POOL,
    "Record": "rows are of the class stretto.Row",
    "exceptions": "errors are in stretto.errors, with a class for each SQLSTATE in stretto.sqlstate",
    "Json": _JSON,
    "Jsonb": _JSON,
}

# Of a Database, a Connection or a transaction, where it has no such name.
_COMMON = {
    "cursor": _FETCH,
    "fetchone": "fetchrow(sql, *args) gives the first row, or None",
    "fetchall": "fetch(sql, *args) gives all rows",
    "query": _FETCH,
    "prepare": _PREPARED,
    "commit": _BLOCK,
    "rollback": _BLOCK,
    "begin": _BLOCK,
    "autocommit": f"each statement commits by itself, unless it is in a transaction: {_BLOCK}",
    "isolation_level": "transaction(isolation='repeatable_read') says it for one transaction",
    "set_isolation_level": "transaction(isolation='repeatable_read') says it for one transaction",
    "row_factory": "each call says what its rows become: fetch(sql, into=Author)",
    "pipeline": "concurrent statements are pipelined by themselves; batch() gives several one fate and one round trip",
    "copy": "copy_in(table, rows) and copy_out(table, file)",
    "copy_from_table": "copy_out(table, file)",
    "copy_from_query": "copy_out(sql, file)",
    "copy_to_table": "copy_in(table, source, format='csv')",
    "copy_records_to_table": "copy_in(table, rows)",
    "copy_expert": "copy_in(table, file, format='csv') and copy_out(table, file)",
    "add_listener": "'for notification in db.listen(channel):' (async for, on asyncio)",
    "remove_listener": "listening ends with the loop over db.listen(channel)",
    "notifies": "'for notification in db.listen(channel):' (async for, on asyncio)",
    "add_log_listener": "on_notice(function) of a connection",
    "remove_log_listener": "on_notice(None) of a connection",
    "add_notice_handler": "on_notice(function) of a connection",
    "is_in_transaction": "in_transaction, of a connection",
    "set_builtin_type_codec": "hstore and json have their codecs from the start; set_type_codec() is for others",
    "reset_type_codec": "a Database of its own for what needs other codecs",
}
DATABASE = _COMMON | {
    "acquire": _RESERVE,
    "release": _RESERVE,
    "getconn": _RESERVE,
    "putconn": _RESERVE,
    "open": "a Database connects when it is first used",
    "wait": "a Database connects when it is first used",
    "terminate": "close(timeout=0)",
    "get_size": "stats().connections",
    "get_idle_size": "stats().idle",
    "get_stats": "stats()",
    **dict.fromkeys(
        (
            "connections",
            "pipelining",
            "timeout",
            "acquire_timeout",
            "queue",
            "max_idle",
            "max_lifetime",
            "slow",
            "leak_detection",
        ),
        "it is an argument of the constructor, and is not changed afterwards",
    ),
}
CONNECTION = _COMMON | {
    "close": "the end of the block of connection() gives it back",
    "terminate": "the end of the block of connection() gives it back",
    "is_closed": "closed",
    "set_type_codec": "db.set_type_codec(), once for all connections of a Database",
    "get_server_pid": "pid",
    "get_server_version": "parameters['server_version']",
    "get_settings": "parameters",
    "info": "pid, parameters and in_transaction",
}
TRANSACTION = _COMMON | {
    "start": _BLOCK,
    "commit": _BLOCK,
    "rollback": f"{_BLOCK}; raise one of your own",
    "close": _BLOCK,
}

# Arguments of asyncpg.connect, asyncpg.create_pool, psycopg_pool and SQLAlchemy's create_engine.
_HOW_MANY = "connections= says how many there are at most; each is opened when it is first wanted"
_NO_NEED = "what is prepared is kept and renewed by itself, behind PgBouncer too"
KEYWORDS = {
    "dsn": "the URL is the first argument",
    "conninfo": "the connection string is the first argument",
    "min_size": _HOW_MANY,
    "max_size": _HOW_MANY,
    "pool_size": _HOW_MANY,
    "max_overflow": _HOW_MANY,
    "minconn": _HOW_MANY,
    "maxconn": _HOW_MANY,
    "command_timeout": "it is timeout=, of the Database and of each call",
    "pool_timeout": "it is acquire_timeout=",
    "max_waiting": "it is queue=",
    "pool_recycle": "it is max_lifetime=",
    "max_inactive_connection_lifetime": "it is max_idle=",
    "statement_cache_size": _NO_NEED,
    "max_cached_statement_lifetime": _NO_NEED,
    "max_cacheable_statement_size": _NO_NEED,
    "prepare_threshold": _NO_NEED,
    "ssl": "it is sslmode=, as 'verify-full', with sslrootcert=, sslcert= and sslkey=",
    "direct_tls": "it is sslnegotiation='direct' with sslmode='require' or above",
    "record_class": "each call says what its rows become, by into=",
    "row_factory": "each call says what its rows become, by into=",
    "json_serializer": "it is dumps=",
    "json_deserializer": "it is loads=",
    "autocommit": "each statement commits by itself, unless it is in a transaction()",
    "isolation_level": "it is isolation=, of transaction()",
    "init": "set_type_codec() of the Database is for codecs, server_settings= for settings",
    "setup": "set_type_codec() of the Database is for codecs, server_settings= for settings",
    "echo": "slow= logs slow statements, trace= writes all that is said and heard",
}


class Elsewhere:
    """In the place of an attribute that a class has not: to read or set it raises AttributeError with what to do."""

    __slots__ = ("name", "remedy")

    def __init__(self, name: str, remedy: str) -> None:
        self.name = name
        self.remedy = remedy

    def __get__(self, obj: object, cls: type) -> NoReturn:
        raise AttributeError(f"{cls.__name__} has no {self.name}: {self.remedy}")

    def __set__(self, obj: object, value: object) -> NoReturn:
        raise AttributeError(f"{type(obj).__name__} has no {self.name}: {self.remedy}")


def names_elsewhere(remedies: Mapping[str, str]) -> Callable[[C], C]:
    """Make a class refuse names that it has not, each with what is written instead; ``dir`` does not show them."""

    def decorate(cls: C) -> C:
        for name in remedies.keys() - set(dir(cls)):
            setattr(cls, name, Elsewhere(name, remedies[name]))
        cls.__dir__ = _shown  # type: ignore[assignment]  # as every class may
        return cls

    return decorate


def _shown(self: object) -> list[str]:
    return [name for name in object.__dir__(self) if not _refused(type(self), name)]


def _refused(cls: type, name: str) -> bool:
    return isinstance(next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None), Elsewhere)


def remedy_for(keyword: str) -> str:
    """Make the end of an error's sentence for an argument of other libraries, or nothing."""
    return f"; {KEYWORDS[keyword]}" if keyword in KEYWORDS else ""


class Unentered:
    """What a block's maker gives says that it is to be entered, to those who await it or go on as if it were."""

    def __await__(self) -> Any:
        raise UsageError(_RESERVE)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name}: {_RESERVE}")
