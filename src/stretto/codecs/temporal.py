"""Dates and times: date, time, timetz, timestamp, timestamptz, interval.

Python's classes stand for them, and no value is bent to fit. What they cannot hold raises DecodeError for that
statement: years before 1 and after 9999, the time 24:00:00, and ``infinity``, unless the codec was made with
``infinity="sentinel"``: then it is ``INFINITY`` or ``-INFINITY`` (``values.Infinity``). Both are always taken.

A timestamptz is aware, in UTC, and takes an aware datetime alone; a timestamp is naive and takes a naive one (or a
date, its midnight): nothing guesses a time zone. An interval without months is a timedelta (its days are 24 hours);
with months, or beyond timedelta's range, it is a ``values.Interval``, which adds to a datetime alike.
``intervals="interval"`` makes every one an Interval.

The wire counts days and microseconds from 2000-01-01.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from stretto import capi
from stretto.codecs.base import BINARY_FORMAT, Codec, wrong_type
from stretto.codecs.checks import bounded, malformed, no_place
from stretto.codecs.values import INFINITY, Infinity, Interval
from stretto.errors import DecodeError, EncodeError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

capi.import_datetime()

_UTC = UTC
_DAY = 86_400_000_000  # microseconds
_EPOCH = 730_425  # days from 0000-03-01, where the calendar's arithmetic starts, to 2000-01-01
_FIRST_DAY = -730_119  # 0001-01-01
_LAST_DAY = 2_921_939  # 9999-12-31
_MIN32, _MAX32 = -0x80000000, 0x7FFFFFFF
_MAX64 = 0x7FFFFFFFFFFFFFFF
_MIN64 = -_MAX64 - 1
_MAX_DELTA = 999_999_999  # days of the longest timedelta


class Temporal(Codec):
    """What the types with an infinity share."""

    def __init__(self, name: str, oid: int = 0, format: int = BINARY_FORMAT, infinity: str = "error") -> None:
        super().__init__(name, oid, format)
        if infinity not in ("error", "sentinel"):
            raise ValueError("infinity is 'error' or 'sentinel'")
        self.infinity = infinity

    def _endless(self, sign: int) -> Any:
        if self.infinity == "sentinel":
            return INFINITY if sign > 0 else -INFINITY
        text = "infinity" if sign > 0 else "-infinity"
        raise DecodeError(
            f"{self.name} {text} has no place in Python's datetime: select it as text, with {self.name}::text, "
            "or set the option infinity='sentinel'"
        )


class Date(Temporal):
    """date and a datetime.date; a datetime is refused, for its time would be lost."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if type(value) is not date:
            if isinstance(value, Infinity):
                buf.write_int32(_MAX32 if value.sign > 0 else _MIN32)
                return
            if isinstance(value, datetime) or not isinstance(value, date):
                raise wrong_type(self, "a date", value)
        buf.write_int32(days_of(value))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        days = buf.read_int32()
        if days < _FIRST_DAY or days > _LAST_DAY:
            if days in (_MAX32, _MIN32):
                return self._endless(1 if days > 0 else -1)
            raise beyond(self, days)
        packed = civil(days + _EPOCH)
        return capi.new_date(packed >> 9, packed >> 5 & 15, packed & 31)


class Timestamp(Temporal):
    """timestamp and a naive datetime; a date is its midnight."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if type(value) is not datetime:
            if isinstance(value, Infinity):
                buf.write_int64(_MAX64 if value.sign > 0 else _MIN64)
                return
            value = plain(self, value)
        if value.tzinfo is not None:
            raise EncodeError(
                f"{self.name} takes a naive datetime, and this one has a time zone: use timestamptz, or drop it with "
                "value.replace(tzinfo=None)"
            )
        buf.write_int64(micros_of(value))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return self._moment(buf.read_int64(), None)

    def _moment(self, micros: int, tz: timezone | None) -> Any:
        if micros < _FIRST_DAY * _DAY or micros >= (_LAST_DAY + 1) * _DAY:
            if micros in (_MAX64, _MIN64):
                return self._endless(1 if micros > 0 else -1)
            raise beyond(self, micros)
        since = micros + _EPOCH * _DAY
        whole = since // 1_000_000
        days = whole // 86_400
        seconds = whole - days * 86_400
        minutes = seconds // 60
        packed = civil(days)
        return capi.new_datetime(
            packed >> 9,
            packed >> 5 & 15,
            packed & 31,
            minutes // 60,
            minutes % 60,
            seconds - minutes * 60,
            since - whole * 1_000_000,
            tz,
        )


class Timestamptz(Timestamp):
    """timestamptz and an aware datetime: any time zone in, UTC out."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if type(value) is not datetime:
            if isinstance(value, Infinity):
                buf.write_int64(_MAX64 if value.sign > 0 else _MIN64)
                return
            value = plain(self, value)
        micros = micros_of(value)
        if value.tzinfo is not _UTC:
            offset = value.utcoffset()
            if offset is None:
                raise EncodeError(
                    f"{self.name} takes a datetime with a time zone, and this one has none: say which, with "
                    "value.replace(tzinfo=...) or datetime.now(UTC)"
                )
            micros -= offset_of(offset)
        buf.write_int64(micros)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return self._moment(buf.read_int64(), _UTC)


class Time(Codec):
    """time and a naive datetime.time."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if not isinstance(value, time):
            raise wrong_type(self, "a time", value)
        if value.tzinfo is not None:
            raise EncodeError(f"{self.name} takes a time without a time zone: drop it, or use timetz")
        buf.write_int64(capi.time_micros(value))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return self._clock(buf.read_int64(), None)

    def _clock(self, micros: int, tz: timezone | None) -> Any:
        if micros < 0 or micros >= _DAY:
            if micros == _DAY:
                raise no_place(self, "24:00:00", "datetime.time")
            raise malformed(self, f"{micros} microseconds")
        seconds = micros // 1_000_000
        minutes = seconds // 60
        return capi.new_time(minutes // 60, minutes % 60, seconds - minutes * 60, micros - seconds * 1_000_000, tz)


class Timetz(Time):
    """timetz and a time with a fixed offset."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        offset = value.utcoffset() if isinstance(value, time) else None
        if offset is None:
            raise wrong_type(self, "a time with a time zone of a fixed offset", value)
        micros = offset_of(offset)
        if micros % 1_000_000:
            raise EncodeError(f"{self.name} takes offsets of whole seconds")
        buf.write_int64(capi.time_micros(value))
        buf.write_int32(-micros // 1_000_000)  # the wire counts west of UTC

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        micros = buf.read_int64()
        west = buf.read_int32()
        if west <= -86400 or west >= 86400:
            raise malformed(self, f"an offset of {-west} seconds")
        return self._clock(micros, timezone(capi.new_timedelta(0, -west, 0)) if west else _UTC)


class IntervalCodec(Temporal):
    """interval and a timedelta, or an Interval where a timedelta cannot say it."""

    def __init__(
        self,
        name: str,
        oid: int = 0,
        format: int = BINARY_FORMAT,
        infinity: str = "error",
        intervals: str = "timedelta",
    ) -> None:
        super().__init__(name, oid, format, infinity)
        if intervals not in ("timedelta", "interval"):
            raise ValueError("intervals is 'timedelta' or 'interval'")
        self.exact = intervals == "interval"

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if isinstance(value, timedelta):
            self._encode_delta(buf, value)
        elif isinstance(value, Interval):
            micros = bounded(self, value.microseconds, _MIN64, _MAX64)
            days = bounded(self, value.days, _MIN32, _MAX32)
            months = bounded(self, value.months, _MIN32, _MAX32)
            if is_endless(micros, days, months):
                raise EncodeError(f"{self.name} keeps this one for infinity: use INFINITY")
            write_interval(buf, micros, days, months)
        elif isinstance(value, Infinity):
            if value.sign > 0:
                write_interval(buf, _MAX64, _MAX32, _MAX32)
            else:
                write_interval(buf, _MIN64, _MIN32, _MIN32)
        else:
            raise wrong_type(self, "a timedelta or an Interval", value)

    def _encode_delta(self, buf: WriteBuffer, value: timedelta) -> None:
        days = capi.delta_days(value)
        micros = capi.delta_micros(value)
        if days < 0 and micros > 0:  # -1 hour is that, and not -1 days +23 hours
            days += 1
            micros -= _DAY
        write_interval(buf, micros, days, 0)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        micros = buf.read_int64()
        days = buf.read_int32()
        months = buf.read_int32()
        if is_endless(micros, days, months):
            return self._endless(1 if months > 0 else -1)
        whole = micros // _DAY
        total = days + whole
        if months or self.exact or total < -_MAX_DELTA or total > _MAX_DELTA:
            return Interval(months, days, micros)
        rest = micros - whole * _DAY
        seconds = rest // 1_000_000
        return capi.new_timedelta(total, seconds, rest - seconds * 1_000_000)


def is_endless(micros: int, days: int, months: int) -> bool:
    """Say whether the three numbers of an interval stand for an infinity (PostgreSQL 17 and later)."""
    if months == _MAX32:
        return days == _MAX32 and micros == _MAX64
    return months == _MIN32 and days == _MIN32 and micros == _MIN64


def write_interval(buf: WriteBuffer, micros: int, days: int, months: int) -> None:
    buf.write_int64(micros)
    buf.write_int32(days)
    buf.write_int32(months)


def civil(days: int) -> int:
    """Turn the days since 0000-03-01, at least 0, into ``year << 9 | month << 5 | day``.

    The year is taken to start in March, so that the leap day is its last; a cycle of the calendar has 400 years.
    """
    cycle = days // 146_097
    day = days - cycle * 146_097
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    year += cycle * 400
    if month < 10:
        return year << 9 | month + 3 << 5 | day
    return year + 1 << 9 | month - 9 << 5 | day


def days_of(value: date) -> int:
    """Count the days from 2000-01-01 to a date (or a datetime's date): ``civil`` backwards."""
    year = capi.get_year(value)
    month = capi.get_month(value)
    if month > 2:
        month -= 3
    else:
        month += 9
        year -= 1
    return (
        365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + capi.get_day(value) - 1 - _EPOCH
    )


def micros_of(value: datetime) -> int:
    """Count the microseconds from 2000-01-01 to a datetime by its own clock."""
    return days_of(value) * _DAY + capi.datetime_micros(value)


def offset_of(offset: timedelta) -> int:
    """Count the microseconds of a UTC offset, which is less than a day."""
    return capi.delta_days(offset) * _DAY + capi.delta_micros(offset)


def plain(codec: Codec, value: Any) -> datetime:
    """Turn a subclass of datetime, or a date, into a datetime."""
    if isinstance(value, datetime):
        return datetime(
            value.year,
            value.month,
            value.day,
            value.hour,
            value.minute,
            value.second,
            value.microsecond,
            value.tzinfo,
            fold=value.fold,
        )
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise wrong_type(codec, "a datetime", value)


def beyond(codec: Codec, count: int) -> DecodeError:
    """Make the error for a day or microsecond that is not in the years 1 to 9999."""
    return no_place(codec, "before year 1" if count < 0 else "after year 9999", "Python's datetime")
