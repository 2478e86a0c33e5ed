"""Signals as they were seen: which, in what state, when; and the order in which their states held. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.domain.keys import same_id, signal_key, written_key
from router.domain.ledger import Arrival, Seen, State
from router.domain.signals import Finding, Kind, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A signal, where its message came in, and the body it came in."""

    signal: Signal
    arrival: Arrival
    source: str
    body: bytes
    trace: str | None = None

    @property
    def key(self) -> str:
        """The signal key that it gets where it has none yet."""
        return signal_key(self.signal.stream, self.signal.kind, self.signal.id)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it may have under its own kind, that of its id as it is written first."""
        return self._keys_as(self.signal.kind)

    @property
    def other_keys(self) -> tuple[str, ...]:
        """The keys that it may have because it came in as another kind before."""
        return self._keys_as(self.signal.kind.other) if self.signal.kind.other is not None else ()

    @property
    def identity(self) -> tuple[str, str]:
        """What all sightings of one signal share, however its id is written and whichever kind it comes as."""
        kind = self.signal.kind
        return min(kind, kind.other or kind), same_id(self.signal.id)

    def seen_at(self, now: datetime) -> Seen:
        """When the state that the message tells of held; a time well after the message itself came in tells nothing.

        A message from a hub came in by the hub's own clock, and any other one now.
        """
        deleted = isinstance(self.signal, Finding) and self.signal.deleted
        came_in = self.arrival.enqueued if self.arrival.enqueued is not None else now
        return Seen(self.signal.changed, self.arrival, deleted).without_impossible(came_in)

    @property
    def state(self) -> State:
        """What the message says the signal is; New and Active are one status."""
        signal = self.signal
        status = (signal.status or "").strip().casefold()
        return State(
            resolved=signal.resolved,
            status="active" if status == "new" else status,
            severity=signal.severity,
            measure=signal.measure if isinstance(signal, Finding) else None,
        )

    def _keys_as(self, kind: Kind) -> tuple[str, ...]:
        stream, id = self.signal.stream, self.signal.id
        return tuple(dict.fromkeys((written_key(stream, kind, id), signal_key(stream, kind, id))))


def in_time_order(sightings: Sequence[Sighting], now: datetime) -> list[Sighting]:
    """Sightings of one signal in the order in which their states held.

    They are put in order of arrival first; those from files come in that order. Between those whose own times tell
    nothing, Deletes and messages without one, the others are put in the order of their own times.
    """
    arrived = sorted(sightings, key=_arrival_order)
    return [one for stretch in _stretches(arrived, now) for one in _by_own_time(stretch)]


def _arrival_order(sighting: Sighting) -> tuple[float, int]:
    arrival = sighting.arrival
    return (arrival.enqueued.timestamp(), arrival.place) if arrival.enqueued is not None else (0.0, 0)


def _stretches(arrived: Sequence[Sighting], now: datetime) -> Iterator[list[Sighting]]:
    stretch: list[Sighting] = []
    for sighting in arrived:
        seen = sighting.seen_at(now)
        if seen.deleted or seen.changed is None:
            yield stretch
            yield [sighting]
            stretch = []
        else:
            stretch.append(sighting)
    yield stretch


def _by_own_time(stretch: list[Sighting]) -> list[Sighting]:
    return sorted(stretch, key=lambda one: one.signal.changed.timestamp() if one.signal.changed is not None else 0.0)
