"""The states of a reply, as one table: which message may come, and what comes then.

A ``Request`` has a script, one letter for each message it sent; the letter is the state in which its reply is awaited.
The other states are reached by what the server answers. Everything that decides about legality is in this table; the
machine adds only what a message carries. NoticeResponse, ParameterStatus and NotificationResponse may come at any time;
ErrorResponse ends the script's letters up to the Sync's (PostgreSQL manual, "Message Flow").
"""

from __future__ import annotations

ILLEGAL = 0
ADVANCE = 1  # this letter of the script is answered
COPY_END = 2  # a COPY has ended: back to the simple query, or on in the script

# Letters of scripts.
PARSE = "P"
PARAMETERS = "p"
COLUMNS = "c"
BIND = "B"
EXECUTE = "E"
CLOSE = "C"
SYNC = "Y"
QUERY = "Q"

# States that only the server's answers lead to.
QUERY_ROWS = "q"
COPY_IN = "I"
COPY_OUT = "O"
COPY_OUT_DONE = "o"
EXHAUSTED = "."  # all that was sent is answered, but no Sync was sent yet

TABLE: dict[str, dict[str, int | str]] = {
    PARSE: {"1": ADVANCE},
    PARAMETERS: {"t": ADVANCE},
    COLUMNS: {"T": ADVANCE, "n": ADVANCE},
    BIND: {"2": ADVANCE},
    EXECUTE: {"D": EXECUTE, "C": ADVANCE, "I": ADVANCE, "s": ADVANCE, "G": COPY_IN, "H": COPY_OUT},
    CLOSE: {"3": ADVANCE},
    SYNC: {"Z": ADVANCE},
    QUERY: {"T": QUERY_ROWS, "C": QUERY, "I": QUERY, "Z": ADVANCE, "G": COPY_IN, "H": COPY_OUT},
    QUERY_ROWS: {"D": QUERY_ROWS, "C": QUERY},
    COPY_IN: {"C": COPY_END},
    COPY_OUT: {"d": COPY_OUT, "c": COPY_OUT_DONE},
    COPY_OUT_DONE: {"C": COPY_END},
    EXHAUSTED: {},
}


def flatten() -> bytes:
    """The table as bytes, indexed by ``state * 128 + message``."""
    flat = bytearray(128 * 128)
    for state, row in TABLE.items():
        for message, then in row.items():
            flat[ord(state) * 128 + ord(message)] = then if isinstance(then, int) else ord(then)
    return bytes(flat)
