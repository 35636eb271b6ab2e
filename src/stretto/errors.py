"""The whole tree of errors.

It is PEP 249's, with a class for each SQLSTATE below it (``stretto.sqlstate``, generated) and stretto's own::

    Error
    ├── InterfaceError                  the caller's fault; nothing was sent
    │   ├── UsageError                  a verb used in a way it can't be
    │   ├── ConfigError                 a URL, keyword, environment variable or file that can't be understood
    │   └── TransactionClosed
    └── DatabaseError                   .sqlstate .detail .hint .position .query ... when the server sent it
        ├── DataError
        │   ├── EncodeError             a value that does not fit its parameter; nothing was sent
        │   └── DecodeError             a value that has no place in Python, or a class that has none for a column
        ├── OperationalError
        │   ├── ConnectionLost          .outcome: 'not_sent', 'unknown' or 'rolled_back'
        │   ├── ConnectError            no connection could be made
        │   │   ├── AuthenticationError
        │   │   └── TLSError
        │   ├── StatementTimeout        also a TimeoutError; .outcome as above
        │   ├── PoolTimeout             also a TimeoutError
        │   ├── PoolClosed
        │   └── CommitUnknown
        ├── IntegrityError
        ├── InternalError
        │   └── ProtocolError           the server said what it may not say; the connection is discarded
        ├── ProgrammingError
        └── NotSupportedError
"""

from __future__ import annotations


class Error(Exception):
    """The root of everything that stretto raises."""


class InterfaceError(Error): ...


class UsageError(InterfaceError): ...


class ConfigError(InterfaceError): ...


class TransactionClosed(InterfaceError): ...


class DatabaseError(Error): ...


class DataError(DatabaseError): ...


class EncodeError(DataError): ...


class DecodeError(DataError): ...


class OperationalError(DatabaseError): ...


class ConnectionLost(OperationalError): ...


class ConnectError(OperationalError): ...


class AuthenticationError(ConnectError): ...


class TLSError(ConnectError): ...


class StatementTimeout(OperationalError, TimeoutError): ...


class PoolTimeout(OperationalError, TimeoutError): ...


class PoolClosed(OperationalError): ...


class CommitUnknown(OperationalError): ...


class IntegrityError(DatabaseError): ...


class InternalError(DatabaseError): ...


class ProtocolError(InternalError): ...


class ProgrammingError(DatabaseError): ...


class NotSupportedError(DatabaseError): ...
