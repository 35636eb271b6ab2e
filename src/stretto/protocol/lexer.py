r"""A lexer over SQL: a list of short tokens, and the statements that they make.

It follows PostgreSQL's own (src/backend/parser/scan.l): strings of all kinds, dollar quotes, quoted names, comments in
comments. It is there to find keywords and calls, so that all strings are one token, and all numbers. Its time is linear
in the text's length, and it never raises. '\\'' is read as with standard_conforming_strings=on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Bytes above 127 belong to names in PostgreSQL: a no-break space does, too. What a name begins with, and what it holds,
# is said by the ASCII characters that it has not: to compile a class that reaches to U+10FFFF takes milliseconds.
_TOKEN = re.compile(
    r"""[ \t\n\r\f\v]*(?:
      ([^\x00-@\[-^`{-\x7f][^\x00-#%-/:-@\[-^`{-\x7f]*)                  # 1 a word
    | ([()=<>,;:+*~!@#%^&|`?.])                                          # 2 a mark
    | (')                                                                # 3 begins a string
    | ([0-9]+\.?[0-9]*)                                                  # 4 a number
    | (")                                                                # 5 begins a quoted name
    | (--[^\n\r]*)                                                       # 6 a comment
    | (/\*)                                                              # 7 begins one that may hold others
    | (\$(?:[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*)?\$)            # 8 begins a dollar-quoted string
    | (.)                                                                # 9 any other character
    | \Z)""",
    re.VERBOSE | re.DOTALL,
)
_WORD, _MARK, _STRING, _NUMBER, _NAME, _LINE, _BLOCK, _DOLLAR, _OTHER = range(1, 10)
_NAME_END = re.compile(r'"(?!")|""')
_ESCAPE_END = re.compile(r"['\\]")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# A string goes on in the next line: 'a'  -- comment
#                                    'b'
_CONTINUED = re.compile(r"(?:[ \t\f\v]|--[^\n\r]*+)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*+[\n\r])*'")
_UNICODE_ESCAPE = re.compile(r"\\(?:([0-9A-Fa-f]{4})|\+([0-9A-Fa-f]{6})|(\\))")


def tokenize(sql: str) -> tuple[list[str], bool]:
    """Cut SQL into tokens; False when a string, name or comment has no end.

    A word is in lower case, a quoted name has its opening quote, "'" stands for any string and "0" for any number;
    everything else is itself. Comments are left out.
    """
    tokens: list[str] = []
    place = 0
    while (match := _TOKEN.match(sql, place)) and (kind := match.lastindex):
        text = match[kind]
        place = match.end()
        if kind == _WORD:
            if text in ("e", "E") and sql.startswith("'", place):
                place = _end_of_escapes(sql, place + 1)
                text = "'"
            tokens.append(text.lower() if text.isascii() else text)
        elif kind in (_MARK, _OTHER):
            tokens.append(text)
        elif kind == _STRING:
            _drop_prefix(sql, place - 1, tokens)
            place = _end_of_string(sql, place)
            tokens.append("'")
        elif kind == _NUMBER:
            tokens.append("0")
        elif kind == _NAME:
            start, prefixed = place, _drop_prefix(sql, place - 1, tokens)
            place = _end_of_name(sql, start)
            tokens.append(_name(sql[start : place - 1], prefixed))
        elif kind == _DOLLAR:
            end = sql.find(text, place)
            place = end + len(text) if end >= 0 else -1
            tokens.append("'")
        elif kind == _BLOCK:
            place = _end_of_comment(sql, place)
        if place < 0:
            return tokens, False
    return tokens, True


def hide_strings(sql: str) -> str:
    """Put '...' in the place of each string, for a log, and of whatever has no end."""
    parts: list[str] = []
    shown = place = 0
    while place >= 0 and (match := _TOKEN.match(sql, place)) and (kind := match.lastindex):
        text, start, place = match[kind], match.start(kind), match.end()
        string = kind in (_STRING, _DOLLAR)
        if kind == _WORD and text in ("e", "E") and sql.startswith("'", place):
            start, place, string = place, _end_of_escapes(sql, place + 1), True
        elif kind == _STRING:
            place = _end_of_string(sql, place)
        elif kind == _DOLLAR:
            end = sql.find(text, place)
            place = end + len(text) if end >= 0 else -1
        elif kind == _NAME:
            place = _end_of_name(sql, place)
        elif kind == _BLOCK:
            place = _end_of_comment(sql, place)
        if string or place < 0:
            parts.append(f"{sql[shown:start]}'...'")
            shown = place
    return "".join(parts) + (sql[shown:] if shown >= 0 else "")


def number_names(sql: str) -> tuple[str, list[str]]:
    """Put $1, $2 ... in the places of :name, the same for the same; return the text and the names in that order.

    A name follows its colon at once; ``::type`` is none.
    """
    parts: list[str] = []
    names: list[str] = []
    shown = place = 0
    while place >= 0 and (match := _TOKEN.match(sql, place)) and (kind := match.lastindex):
        text, place = match[kind], match.end()
        if text == ":" and kind == _MARK:
            if sql.startswith(":", place):
                place += 1
            elif (word := _TOKEN.match(sql, place)) and word.lastindex == _WORD and word.start(_WORD) == place:
                parts.append(f"{sql[shown : place - 1]}${_number_of(word[_WORD], names)}")
                shown = place = word.end()
        else:
            place = _skip(sql, kind, text, place)
    return "".join([*parts, sql[shown:]]), names


def _number_of(name: str, names: list[str]) -> int:
    if name not in names:
        names.append(name)
    return names.index(name) + 1


def _skip(sql: str, kind: int, text: str, place: int) -> int:
    """The end of what a token begins; -1 without one."""
    if kind == _WORD and text in ("e", "E") and sql.startswith("'", place):
        return _end_of_escapes(sql, place + 1)
    if kind == _STRING:
        return _end_of_string(sql, place)
    if kind == _NAME:
        return _end_of_name(sql, place)
    if kind == _BLOCK:
        return _end_of_comment(sql, place)
    if kind == _DOLLAR:
        end = sql.find(text, place)
        return end + len(text) if end >= 0 else -1
    return place


def _end_of_string(sql: str, place: int) -> int:
    """Find the end of '..', in which a doubled quote is one; -1 without one."""
    while end := sql.find("'", place) + 1:
        if not sql.startswith("'", end):
            return end
        place = end + 1
    return -1


def _end_of_escapes(sql: str, place: int) -> int:
    r"""Find the end of E'..', in which \' and '' are quotes; -1 without one."""
    while match := _ESCAPE_END.search(sql, place):
        place = match.end()
        if match[0] == "\\" or sql.startswith("'", place):
            place += 1
        elif continued := _CONTINUED.match(sql, place):
            place = continued.end()
        else:
            return place
    return -1


def _end_of_name(sql: str, place: int) -> int:
    """Find the end of a quoted name, in which a doubled quote is one; -1 without one."""
    for match in _NAME_END.finditer(sql, place):
        if match.end() == match.start() + 1:
            return match.end()
    return -1


def _end_of_comment(sql: str, place: int) -> int:
    """Find the end of a comment, with those within it; -1 without one."""
    depth = 1
    for match in _COMMENT_EDGE.finditer(sql, place):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return -1


def _drop_prefix(sql: str, start: int, tokens: list[str]) -> bool:
    """Take back the U and & in front of U&'..' and U&"..": they are one word."""
    prefixed = sql[max(start - 2, 0) : start] in ("U&", "u&") and tokens[-2:] == ["u", "&"]
    if prefixed:
        del tokens[-2:]
    return prefixed


def _name(quoted: str, unicode: bool) -> str:
    r"""Read a quoted name: its doubled quotes and, in U&"..", what stands for a character: \0041, \+000041."""
    name = '"' + quoted.replace('""', '"')
    return _UNICODE_ESCAPE.sub(_character, name) if unicode and "\\" in name else name


def _character(match: re.Match[str]) -> str:
    code = int(match[1] or match[2] or "5c", 16)
    return chr(code) if code <= 0x10FFFF else match[0]


_SHAPING = frozenset(("(", ")", ";", "atomic", "case", "end"))


def split(tokens: list[str]) -> Iterator[list[str]]:
    """Yield the tokens of each statement that is not empty, and "" twice: two places ahead are always there.

    The semicolons in parentheses (CREATE RULE) and in BEGIN ATOMIC .. END do not end one.
    """
    statement: list[str] = []
    depth = 0
    body = 0  # how many BEGIN ATOMIC and CASE are open
    for word in tokens:
        if word not in _SHAPING:
            statement.append(word)
            continue
        if word == ";" and not depth and not body:
            if statement:
                yield [*statement, "", ""]
                statement = []
            continue
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= depth > 0
        elif word == "atomic":
            body += not body and not depth and statement[-1:] == ["begin"] and _is_routine(statement)
        elif body and statement[-1] not in ("as", "."):
            body += (word == "case") - (word == "end")
        statement.append(word)
    if statement:
        yield [*statement, "", ""]


def _is_routine(statement: list[str]) -> bool:
    head = statement[:4]
    if head[1:3] == ["or", "replace"]:
        del head[1:3]
    return head[0] == "create" and head[1] in ("function", "procedure")
