"""Which expected sources are silent for longer than they may, which speak, and of which nobody knows. Pure.

Silence counts from the last recommendation that spoke of a source; alerts come when something happens, which may be never. It
is judged at the hub's time up to which everything was taken in, so that nothing is told of what still waits to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.clocks import is_possible
from router.domain.coverage_manifest import HEARD_WITHIN, CoverageManifest
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.expected_sources import ExpectedSource, expected_sources
from router.domain.source_excuses import SilenceExcuses
from router.domain.source_turns import KnownSource, SourceState, SourceTurn, SourceWatch
from router.domain.timestamps import timestamp

DOWN = timedelta(hours=6)
"""How long the router may be away, or its hub unread, until silence counts anew: so no restored state and no clock that leapt
makes a storm. The hub keeps what comes in a shorter absence, which is well within the day by which the 8 days exceed the week
between two snapshots.
"""

OFTEN = timedelta(hours=1)
"""How often it is written down up to when the hub is taken in."""

SETTLING = timedelta(days=1)
"""How long the clusters and plans of a subscription are left alone after its snapshots begin to bring Healthy rows: rows of one
snapshot follow each other within a day."""

GONE = timedelta(hours=1)
"""How long a source may be missing in the manifest and be the same when it is back: so long, older workers may run."""

AT_ONCE = 100
"""Turns that one look makes; the next one goes on."""

KEPT = timedelta(days=400)
"""How long after it was last heard of a source is known that only a pattern expects."""


class SourceLook(NamedTuple):
    """What a look at all sources brought.

    Attributes:
        watch: what is known of the looks.
        turns: what people are to be told.
        changed: the sources of which something else is known now, those of the turns among them, by their ids.
        is_news: whether any of it is to be written.
    """

    watch: SourceWatch
    turns: tuple[SourceTurn, ...]
    changed: Mapping[str, KnownSource]
    is_news: bool


def look_at(
    before: SourceWatch | None,
    manifest: CoverageManifest,
    known: Mapping[str, KnownSource],
    until: datetime,
    now: datetime,
    lost: datetime | None = None,
) -> SourceLook:
    """Look at all sources, up to the hub's time `until` which all was taken in. `before` is None at the first look.

    `known` has each subscription, cluster and plan by its id, and `lost` is when events were last declared lost.
    """
    return _Judgement(before, manifest, known, until, now, lost).look()


def counted_from(before: SourceWatch | None, until: datetime, now: datetime) -> datetime:
    """From when on silence counts at the earliest, as a look finds it."""
    if before is None or not is_possible(before.taken, now) or until - before.taken > DOWN:
        return until
    return before.anew


class _Judgement:
    """What one look at all sources finds."""

    def __init__(
        self,
        before: SourceWatch | None,
        manifest: CoverageManifest,
        known: Mapping[str, KnownSource],
        until: datetime,
        now: datetime,
        lost: datetime | None,
    ) -> None:
        self._before, self._until, self._now = before, until, now
        self._stored = known
        heard = [one.heard for one in known.values() if one.heard.last is not None and until - one.heard.last <= KEPT]
        self._sources = expected_sources(manifest, heard)
        self._expected = expected = self._sources.by_id
        self._excuses = SilenceExcuses(manifest, expected.values())
        self._known = {**{id: _unheard(one) for id, one in expected.items()}, **known}
        self._heard = {id: one.heard.possible_at(now) for id, one in self._known.items()}
        anew = counted_from(before, until, now)
        self._anew = max(anew, lost) if lost is not None else anew
        self._since = {id: self._instant(self._known[id].since) for id in expected if self._heard[id].posture is None}
        self._silent = {id for id, one in expected.items() if until - self._counted_from(id) > one.within}
        self._healthy = self._subscriptions_with_healthy_rows()

    def look(self) -> SourceLook:
        known = {id: self._standing(id, one) for id, one in sorted(self._known.items())}
        made = [turn for id, one in known.items() if (turn := self._find_turn(id, one)) is not None]
        opened = {turn.source.id for turn in made if turn.state is SourceState.SILENT}
        told = {id for id, one in known.items() if one.silent_since is not None}
        kinds = [known[id].heard.source.kind for id in (told - {turn.source.id for turn in made}) | opened]
        turns = tuple(
            replace(one, others=kinds.count(one.source.kind) - 1) if one.state is SourceState.SILENT else one
            for one in made[:AT_ONCE]
        )
        known |= {turn.source.id: known[turn.source.id].after(turn) for turn in turns}
        changed = {id: one for id, one in known.items() if one != self._stored.get(id)}
        unmatched = tuple(map(str, self._sources.unmatched))
        watch, before = SourceWatch(anew=self._anew, taken=self._until, unmatched=unmatched), self._before
        is_same = before is not None and timedelta() <= self._until - before.taken < OFTEN
        is_news = bool(changed) or not is_same or before is None or replace(before, taken=self._until) != watch
        return SourceLook(watch, turns, changed, is_news)

    def _instant(self, known: datetime | None) -> datetime:
        """An instant that is known; this one where none is, or none that a clock can have shown."""
        return known if known is not None and is_possible(known, self._now) else self._until

    def _counted_from(self, id: str) -> datetime:
        """From when on the silence of a source counts."""
        return max(self._heard[id].posture or self._since[id], self._anew)

    def _subscriptions_with_healthy_rows(self) -> dict[str, datetime]:
        """Since when the clusters and plans of subscriptions can be expected to speak, by the subscriptions' source ids."""
        ids = {id for one in self._expected.values() if (id := _speaker_of(one)) is not None}
        return {id: self._instant(self._known[id].healthy_since) for id in ids if self._brings_healthy_rows(id)}

    def _brings_healthy_rows(self, id: str) -> bool:
        """Whether a subscription speaks, and its snapshots tell of what is well, too."""
        one, heard = self._expected.get(id), self._heard.get(id)
        if one is None or heard is None or heard.snapshot is None or heard.healthy is None or id in self._silent:
            return False
        is_late = self._until - heard.snapshot > max(one.within, HEARD_WITHIN)
        return heard.snapshot - heard.healthy <= one.within and not is_late

    def _standing(self, id: str, one: KnownSource) -> KnownSource:
        """A source as it stands now, before any turn."""
        return replace(
            one,
            since=self._since.get(id),
            healthy_since=self._healthy.get(id),
            missing_since=self._instant(one.missing_since) if self._is_missing(id, one) else None,
        )

    def _is_missing(self, id: str, one: KnownSource) -> bool:
        """Whether the manifest no longer expects a silent source, or lets it be silent for longer and that is not over."""
        if one.silent_since is None:
            return False
        expected = self._expected.get(id)
        if expected is None:
            return True
        is_longer = one.allowed is not None and one.allowed < expected.within
        return is_longer and self._until - one.silent_since <= expected.within and not self._is_heard_again(id, one)

    def _is_heard_again(self, id: str, one: KnownSource) -> bool:
        posture = self._heard[id].posture
        return posture is not None and one.silent_since is not None and posture > one.silent_since

    def _is_unknown(self, one: ExpectedSource) -> bool:
        """Whether nobody can say of a cluster or plan whether it is silent."""
        if one.source.kind is CoverageSourceKind.SUBSCRIPTION:
            return False
        held = self._healthy.get(_speaker_of(one) or "")
        return held is None or self._until - held <= SETTLING

    def _find_turn(self, id: str, one: KnownSource) -> SourceTurn | None:
        """The turn that a source makes now."""
        expected = self._expected.get(id)
        excuse = self._excuses.find(expected, self._now) if expected is not None else None
        if one.silent_since is None:
            is_told = expected is not None and id in self._silent and excuse is None and not self._is_unknown(expected)
            return self._opening(expected, one) if expected is not None and is_told else None
        if expected is not None and id not in self._silent and self._is_heard_again(id, one):
            return self._end(one, SourceState.SPEAKS, last=self._heard[id].posture)
        if excuse is not None:
            words = f"{timestamp(excuse.exception.ends)} by {excuse.exception.owner}"
            return replace(self._end(one, SourceState.EXCUSED), excuse=words)
        if id in self._sources.known_by_now:
            return self._end(one, SourceState.SPEAKS, last=self._until)
        is_gone = one.missing_since is not None and self._until - one.missing_since > GONE
        return self._end(one, SourceState.UNEXPECTED) if is_gone else None

    def _opening(self, expected: ExpectedSource, one: KnownSource) -> SourceTurn:
        return SourceTurn(
            source=expected.source,
            number=one.turn + 1,
            state=SourceState.SILENT,
            at=self._until,
            last=self._heard[expected.source.id].posture,
            since=self._counted_from(expected.source.id),
            within=expected.within,
            entry=expected.entry,
            name=expected.workload.name,
            subscription=expected.subscription,
        )

    def _end(self, one: KnownSource, state: SourceState, last: datetime | None = None) -> SourceTurn:
        return SourceTurn(
            source=one.heard.source,
            number=one.turn + 1,
            state=state,
            at=self._until,
            last=last,
            since=one.silent_since or self._until,
            name=one.name,
            subscription=one.heard.subscription,
        )


def _unheard(one: ExpectedSource) -> KnownSource:
    return KnownSource(heard=LastHeard(source=one.source, subscription=one.subscription))


def _speaker_of(one: ExpectedSource) -> str | None:
    """The id of the subscription through which a cluster or plan is heard of; None where it is none of these."""
    if one.source.kind is CoverageSourceKind.SUBSCRIPTION or one.subscription is None:
        return None
    return CoverageSource(CoverageSourceKind.SUBSCRIPTION, one.subscription).id
