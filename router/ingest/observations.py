"""Observations of signals: which signal, in what state, when; and the order in which their states held. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import datetime

from router.domain.clocks import AHEAD, is_plausible
from router.domain.hubs import Arrival
from router.domain.keys import alert_fingerprint, fingerprint_of, signal_key
from router.domain.signals import Finding, Signal
from router.domain.values import Value
from router.store.ledger import Seen, State
from router.store.snapshots import ENDING_KINDS, Appearances, first_appearance

MOST = 1_000
"""The most alerts whose fingerprints a row keeps."""

_LENGTH = 16

_COUNT = re.compile(r"\+([0-9]{1,7})")


def find_fingerprint(finding: Finding) -> str | None:
    """The fingerprint of what a finding says of CVEs, of the version that mends it and of its risk.

    None where it says nothing of them, as findings did before Defender had each as a recommendation of its own, and where it is
    over: what no longer stands changes no more. The order of CVEs and what is said twice count for nothing.
    """
    package, cves, risk = finding.package, finding.cves, finding.risk
    fixed = package.fixed if package is not None else None
    level = risk.level if risk is not None else None
    if finding.resolved or (fixed is None and cves is None and level is None):
        return None
    whose = "its own" if risk is not None and risk.is_contextual else "its class's"
    said = [f"fixed {fixed}" if fixed else "", f"{level.name} {whose}" if level is not None else ""]
    named = [] if cves is None else [str(cves.is_whole), *sorted(set(cves.ids))]
    return fingerprint_of("finding", *said, *named)[:_LENGTH]


def fingerprints_after(known: Set[str], named: Iterable[str]) -> frozenset[str]:
    """The fingerprints that a row keeps after a message named some alerts, given those that it kept before."""
    new = {alert_fingerprint(alert) for alert in named}
    counts = {one: int(found[1]) for one in known if (found := _COUNT.fullmatch(one))}
    fingerprints = (known - counts.keys()) | new
    if not counts and len(new) <= MOST:
        return frozenset(fingerprints)
    most = max(len(new), *counts.values()) if counts else len(new)
    return frozenset([*sorted(fingerprints)[:MOST], f"+{most}"])


def keys_of(signal: Signal) -> tuple[str, ...]:
    """The keys that a signal may have: its own, and that of the kind that it may have come in as before."""
    kinds = (signal.kind, signal.kind.other)
    return tuple([signal_key(signal.stream, kind, signal.id) for kind in kinds if kind is not None])


class Observation(Value, kw_only=True):
    """One signal as one message describes it.

    Attributes:
        keys: as `keys_of` has them; the first one is what the signal gets where it has none yet.
    """

    signal: Signal
    keys: tuple[str, ...]
    arrival: Arrival
    source: str
    body: bytes
    trace: str | None = None

    def seen_at(self, now: datetime) -> Seen:
        """When the observed state held. A time of the signal's own that is well after its message came in is ignored.

        A message from a hub came in when the hub's clock says, and any other message now.
        """
        deleted = isinstance(self.signal, Finding) and self.signal.deleted
        came_in = self.arrival.enqueued if self.arrival.enqueued is not None else now
        return Seen(self.signal.changed, self.arrival, deleted).without_impossible(came_in)

    @property
    def state(self) -> State:
        """The state that the message describes; New and Active are one status."""
        signal = self.signal
        status = (signal.status or "").strip().casefold()
        return State(
            resolved=signal.resolved,
            status="active" if status == "new" else status,
            severity=signal.severity,
            measure=(signal.measure or find_fingerprint(signal)) if isinstance(signal, Finding) else None,
        )

    def appearances_after(self, before: Appearances | None, now: datetime, *, is_replay: bool) -> Appearances | None:
        """When messages named the signal, this one among them; what is only decided again names nothing anew."""
        if self.arrival.again and before is not None and self.arrival.enqueued is None:
            return before
        at = self.came_at(now)
        named = before if before is not None else first_appearance(self.signal, at)
        if named is None:
            return None
        named = named.possible_until(now + AHEAD)
        return (named.in_snapshot_at if self.is_in_snapshot(before, now, is_replay=is_replay) else named.named_at)(at)

    def is_in_snapshot(self, before: Appearances | None, now: datetime, *, is_replay: bool) -> bool:
        """Whether the message is a row of a snapshot that is no row of before, decided again or read again from a file."""
        if before is None or before.in_snapshot is None or self.arrival.enqueued is not None:
            return self.is_snapshot_row
        is_again = self.arrival.again != 0 or (is_replay and not self._is_news(before, now))
        return self.is_snapshot_row and not is_again

    def names_anew(self, appearances: Appearances, ended: datetime | None, now: datetime) -> bool:
        """Whether a message that is on record names anew what was not seen any more, and ended at an instant.

        A hub gives an old event again with the time at which it got it. A file has no such time, and its bytes are the same
        where nothing changed: unless it was just read, it says how things are now.
        """
        if self.arrival.enqueued is not None or self.arrival.again or self.signal.resolved:
            return False
        return (ended is None or now >= ended) and self._is_news(appearances, now)

    def _is_news(self, before: Appearances, now: datetime) -> bool:
        return before.possible_until(now + AHEAD).is_news_at(now, in_snapshot=self.is_snapshot_row)

    def came_at(self, now: datetime) -> datetime:
        """When the message came: when the hub's clock says unless it is wrong, and from elsewhere now."""
        enqueued = self.arrival.enqueued
        return enqueued if enqueued is not None and is_plausible(enqueued, now) else now

    @property
    def is_snapshot_row(self) -> bool:
        """Whether the message is a row of a snapshot of findings."""
        return isinstance(self.signal, Finding) and self.signal.snapshot and self.signal.kind in ENDING_KINDS


def in_time_order(observations: Sequence[Observation], now: datetime) -> list[Observation]:
    """Observations of one signal in the order in which their states held.

    They are put in order of arrival first; those from files come in that order. A Delete, and a message without a time of its
    own, stays where it arrived; the observations between two of these are put in the order of their own times.
    """
    if len(observations) == 1:
        return list(observations)
    arrived = sorted(observations, key=_arrival_order)
    return [one for stretch in _stretches(arrived, now) for one in _by_own_time(stretch)]


def _arrival_order(observation: Observation) -> tuple[float, int]:
    arrival = observation.arrival
    return (arrival.enqueued.timestamp(), arrival.place) if arrival.enqueued is not None else (0.0, 0)


def _stretches(arrived: Sequence[Observation], now: datetime) -> Iterator[list[Observation]]:
    stretch: list[Observation] = []
    for observation in arrived:
        seen = observation.seen_at(now)
        if seen.deleted or seen.changed is None:
            yield stretch
            yield [observation]
            stretch = []
        else:
            stretch.append(observation)
    yield stretch


def _by_own_time(stretch: list[Observation]) -> list[Observation]:
    return sorted(stretch, key=lambda one: one.signal.changed.timestamp() if one.signal.changed is not None else 0.0)
