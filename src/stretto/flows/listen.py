"""What comes unasked: notifications and notices, read from the machine's queues."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stretto.errors import Notice
from stretto.protocol.machine import Machine
from stretto.wire import backend


@dataclass(frozen=True, slots=True)
class Notification:
    """One NotificationResponse. ``gap``: nothing was notified, but some may have been missed: the connection was
    lost meanwhile and is new, or (with no channel named) more came than are kept for a slow reader."""

    channel: str
    payload: str
    pid: int
    gap: bool = False


def notifications(machine: Machine) -> Iterator[Notification]:
    """Take the notifications that wait, in order; one with ``gap`` first where a flood has pushed older ones out."""
    if machine.dropped:
        machine.dropped = 0
        yield Notification("", "", 0, gap=True)
    while machine.notifications:
        pid, channel, payload = backend.notification(machine.notifications.popleft())
        yield Notification(channel, payload, pid)


def read_notices(machine: Machine) -> Iterator[Notice]:
    """Take the notices that wait, in order."""
    while machine.notices:
        yield Notice.from_fields(backend.fields(machine.notices.popleft()))
