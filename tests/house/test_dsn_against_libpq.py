"""parse_dsn and Config.parse held against libpq itself (the one inside psycopg), on generated texts.

A case is one text, or one choice of settings.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock
from urllib.parse import unquote_to_bytes

import psycopg
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from psycopg import pq
from tests.builds import once
from tests.cases import cases

from stretto._conninfo import OPTIONS
from stretto.config import Config, parse_dsn
from stretto.errors import ConfigError

pytestmark = once  # no module of the core has a part in it
CASES, CHOICES = cases(2500, 2, cost=4), cases(500, cost=20)
EACH = 5  # texts for each that is drawn: itself, and some that are bent at random, which takes no time
FUZZ = settings(max_examples=-(-CASES // EACH), deadline=None, suppress_health_check=list(HealthCheck))

NEWER = {"servicefile"}  # what libpq 18 has not
KEYWORDS = sorted(set(OPTIONS) - NEWER)


def test_the_keywords_their_variables_and_defaults_are_libpq_s() -> None:
    theirs = {
        option.keyword.decode(): ((option.envvar or b"").decode() or None, (option.compiled or b"").decode() or None)
        for option in pq.Conninfo.get_defaults()
    }
    mine = {keyword: (option.env, option.default) for keyword, option in OPTIONS.items() if keyword not in NEWER}
    if pq.version() < 180000:
        pytest.skip(f"psycopg has libpq {pq.version()}")
    # libpq's defaults of these are said elsewhere, or are of no effect here.
    for keyword in ("sslcertmode", "krbsrvname"):
        mine[keyword] = theirs[keyword]
    assert mine == theirs


# --- texts -------------------------------------------------------------------------------------------------------

SPICE = ":/?#[]@!$&'()*+,;=%\\ \t\n\v\f\r\"<>^`{|}~"
seeds = st.integers(0, 2**32 - 1)
word = st.text(st.sampled_from("abcxyz019._-é日"), max_size=6)
spicy = st.text(st.sampled_from("ab1é" + SPICE), max_size=8)
keyword = st.sampled_from(KEYWORDS)
odd_keyword = st.sampled_from([*KEYWORDS, "requiressl", "ssl", "", "Host", "hosts", "pass%77ord", "a b"]) | spicy
equals = st.just("=")
odd_equals = st.sampled_from(["="] * 4 + ["", "==", " = "])

# In URLs.
part = st.lists(word | st.sampled_from(["%41", "%2f", "%C3%A9", "%20", "%3a"]), max_size=3).map("".join)
odd_part = part | spicy | st.builds("%{:02x}".format, st.integers(0, 255)) | st.sampled_from(["%", "%4", "%zz", "%00"])
ipv6 = st.sampled_from(["[::1]", "[fe80::1%25eth0]"])
odd_ipv6 = st.builds("[{}]".format, spicy) | st.sampled_from(["[", "[]", "[::1", "[::1]x"])
Texts = st.SearchStrategy[str]


def urls(scheme: Texts, part: Texts, ipv6: Texts, keyword: Texts, equals: Texts) -> Texts:
    host = st.builds("{}{}".format, part | ipv6, st.just("") | st.builds(":{}".format, part))
    parameter = st.builds("{}{}{}".format, keyword, equals, part | st.just("true"))
    return st.builds(
        "{}{}{}{}{}".format,
        scheme,
        st.just("") | st.builds("{}@".format, part) | st.builds("{}:{}@".format, part, part),
        st.lists(host, max_size=3).map(",".join),
        st.just("") | st.builds("/{}".format, part),
        st.just("") | st.builds("?{}".format, st.lists(parameter, max_size=3).map("&".join)),
    )


schemes = st.sampled_from(["postgresql://", "postgres://"])
odd_schemes = schemes | st.sampled_from(["postgresql:/", "Postgres://", "postgresql://postgres://"])
url = urls(schemes, part, ipv6, keyword, equals)
odd_url = urls(odd_schemes, odd_part, odd_ipv6, odd_keyword, odd_equals)

# In pairs.
space = st.sampled_from(["", "", " ", "\t", "\n \v", "\f\r"])
odd_space = st.sampled_from(["", " ", "\x1c", "\x85", "\xa0", "\u3000"])
quoted = st.lists(st.sampled_from(["a", " ", "=", "\\'", "\\\\", "\\x", "\n"])).map("".join).map("'{}'".format)
bare = st.lists(st.sampled_from(["a", "é", "\\ ", "\\'", "\\\\", "\\x", "%"])).map("".join)


def pairs(keyword: Texts, equals: Texts, value: Texts, gap: Texts) -> Texts:
    pair = st.builds("{}{}{}{}{}{}".format, keyword, space, equals, space, value, gap)
    return st.lists(pair, max_size=4).map("".join)


line = pairs(keyword | st.just("requiressl"), equals, quoted | bare, st.just(" "))
odd_line = pairs(odd_keyword, odd_equals, quoted | bare | spicy | st.builds("'{}".format, word), odd_space)


@st.composite
def bent(draw: st.DrawFn, texts: Texts) -> str:
    """A text with some characters taken out, doubled or thrown in."""
    text = draw(texts)
    for _ in range(draw(st.sampled_from([1, 2]))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.sampled_from(["", *SPICE])) + text[place + draw(st.integers(-1, 1)) :]
    return text


def with_bent(text: str, seed: int) -> Iterator[str]:
    """The text, and EACH - 1 that are bent as above, but by chance alone."""
    yield text
    r = random.Random(seed)
    for _ in range(EACH - 1):
        other = text
        for _ in range(r.randint(1, 2)):
            place = r.randint(0, len(other))
            other = other[:place] + r.choice(["", *SPICE]) + other[place + r.randint(-1, 1) :]
        yield other


def libpq_s(dsn: str) -> dict[str, str] | None:
    """What libpq reads, None when it refuses. A URL of bytes that are not UTF-8 counts as refused: stretto's rule."""
    try:
        if dsn.startswith("postgres"):
            unquote_to_bytes(dsn).decode()
        options = pq.Conninfo.parse(dsn.encode())
    except (psycopg.OperationalError, UnicodeDecodeError):
        return None
    return {option.keyword.decode(): option.val.decode() for option in options if option.val is not None}


def stretto_s(dsn: str) -> dict[str, str] | None:
    try:
        return parse_dsn(dsn)
    except ConfigError:
        return None


@pytest.mark.fuzz(CASES)
@FUZZ
@given(
    url | bent(url) | odd_url | st.text(st.sampled_from("ah1@:/?&=,[]% "), max_size=20).map("postgresql://".__add__),
    seeds,
)
@example("postgresql://?a@b", 0)
@example("postgresql://h,[::1]:5,", 0)
@example("postgresql://h?a=b&&", 0)
@example("postgresql:///?user= a ", 0)
@example("postgresql://h?requiressl=%80", 0)
@example("postgresql://%80@h?user=a", 0)
def test_a_url_is_read_as_libpq_reads_it(dsn: str, seed: int) -> None:
    for text in with_bent(dsn, seed):
        theirs = libpq_s(text)
        event("refused" if theirs is None else "read")
        assert stretto_s(text) == theirs, text


@pytest.mark.fuzz(CASES)
@FUZZ
@given(line | bent(line) | odd_line | st.text(st.sampled_from("user=port ab'\\ \t\n"), max_size=20), seeds)
@example("user=a\\", 0)
@example("user='a\\'", 0)
@example("user= password=x", 0)
@example("user='a'port=1", 0)
def test_pairs_are_read_as_libpq_reads_them(dsn: str, seed: int) -> None:
    for text in with_bent(dsn, seed):
        theirs = libpq_s(text)
        event("refused" if theirs is None else "read")
        assert stretto_s(text) == theirs, text


# --- everything, up to the first connection attempt ----------------------------------------------------------------

# Hosts that cost no name lookup and answer nothing: sockets that are not there, addresses that are nobody's.
number = st.integers(-2, 70000).map(str) | st.sampled_from(["", " 7 ", "+5", "0x1", "5x", "007", "2147483648"])
VALUES: dict[str, st.SearchStrategy[str]] = {
    "host": st.lists(st.sampled_from(["/nowhere", "/none"]), max_size=3).map(",".join),
    "hostaddr": st.lists(st.sampled_from(["192.0.2.1", "198.51.100.2"]), max_size=3).map(",".join)
    | st.sampled_from(["x", "1.2.3"]),
    "port": st.lists(st.integers(1, 65535).map(str) | st.just(""), max_size=3).map(",".join) | number,
    "user": st.sampled_from(["", "app"]),
    "dbname": st.sampled_from(["", "shop"]),
    "password": st.sampled_from(["", "secret"]),
    "application_name": st.sampled_from(["", "é b"]),
    "options": st.just("-c x.y=z"),
    "require_auth": st.lists(
        st.sampled_from(["md5", "!md5", "scram-sha-256", "!none", "none", "password", "oauth", "", "!", "x"]),
        max_size=3,
    ).map(",".join),
    "ssl_min_protocol_version": st.sampled_from(["", "TLSv1", "TLSv1.1", "tlsv1.2", "TLSv1.3", "TLSv1.4"]),
    "ssl_max_protocol_version": st.sampled_from(["", "TLSv1", "TLSv1.1", "tlsv1.2", "TLSv1.3", "SSLv3"]),
    "scram_client_key": st.sampled_from(["", "x", "AAAA", "A" * 43 + "=", "A" * 42 + "=="]),
    "sslrootcert": st.sampled_from(["", "system", "/nowhere/root.crt"]),
}
# libpq takes any text for the flags, and what it says of gssencmode depends on how it was built.
for keyword_, option_ in OPTIONS.items():
    if option_.choices and option_.choices != ("0", "1") and keyword_ not in VALUES and keyword_ != "gssencmode":
        VALUES[keyword_] = st.sampled_from([*option_.choices, *option_.choices, "", "bogus"])
given_values = st.dictionaries(st.sampled_from(sorted(VALUES)), st.none(), max_size=5).flatmap(
    lambda chosen: st.fixed_dictionaries({keyword: VALUES[keyword] for keyword in chosen})
)


def quote(settings: Mapping[str, str]) -> str:
    escaped = {keyword: value.replace("\\", "\\\\").replace("'", "\\'") for keyword, value in settings.items()}
    return " ".join(f"{keyword}='{value}'" for keyword, value in escaped.items())


def libpq_connects(dsn: str, environ: Mapping[str, str]) -> tuple[dict[str, str], str] | None:
    """libpq's options and password when it gets as far as connecting, None when it refuses the options."""
    with mock.patch.dict(os.environ, environ):
        conn = pq.PGconn.connect_start(dsn.encode())
    try:
        if "connection to server" not in conn.error_message.decode():
            return None
        options = {option.keyword.decode(): (option.val or b"").decode() for option in conn.info}
        return options, (conn.password or b"").decode()
    finally:
        conn.finish()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("home")
    (path / ".pg_service.conf").write_text(
        "# comment\n[one]\nhost=/nowhere\n  port=5433  \nuser=service\nuser=second\n\n[two]\nsslmode=disable\n"
    )
    (path / ".pgpass").write_text(
        "# comment\n/nowhere:5433:*:app:one\n*:*:shop:*:two\\:\\\\ x:rest\n/none:*:*:service:three\n"
    )
    (path / ".pgpass").chmod(0o600)
    return path


@pytest.mark.fuzz(CHOICES)
@settings(parent=FUZZ, max_examples=CHOICES)
@given(given_values, given_values, st.none() | st.sampled_from(["one", "two", "none"]))
def test_options_are_resolved_as_libpq_resolves_them(
    home: Path, said: dict[str, str], around: dict[str, str], service: str | None
) -> None:
    variables = {OPTIONS[keyword].env: value for keyword, value in around.items()}
    environ = {"HOME": str(home), "PGSYSCONFDIR": str(home / "none")}
    environ |= {name: value for name, value in variables.items() if name is not None}
    if service is not None:
        environ["PGSERVICE"] = service
    if not {"host", "PGHOST"} & {*said, *environ}:
        said = {"host": "/nowhere"} | said
    theirs = libpq_connects(quote(said), environ)
    event("refused" if theirs is None else "read")
    try:
        config = Config.parse(quote(said), environ=environ)
    except ConfigError:
        assert theirs is None
        return
    assert theirs is not None
    options, password = theirs
    assert config.user == options["user"] or not options["user"]
    assert config.dbname == (options["dbname"] or config.user)
    assert (config.application_name or "") == options["application_name"]
    assert (config.options or "") == options["options"]
    for keyword in ("sslmode", "sslnegotiation", "channel_binding", "target_session_attrs", "load_balance_hosts"):
        assert getattr(config, keyword) == options[keyword]
    assert ",".join(host.host for host in config.hosts) == options["host"] or not options["host"]
    assert [host.hostaddr or "" for host in config.hosts] == (
        options["hostaddr"] or "," * (len(config.hosts) - 1)
    ).split(",")
    if len({config.password_for(host) for host in config.hosts}) == 1:  # libpq tells the one of its current host
        assert (config.password_for(config.hosts[0]) or "") == password
