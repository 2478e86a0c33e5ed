"""Which expected sources are silent for longer than they may, which speak, and of which nobody knows. Pure.

Silence counts from the last recommendation that spoke of a source; alerts come when something happens, which may be never. It
is judged at the hub's time up to which everything was taken in, so that nothing is told of what still waits to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.coverage_manifest import HEARD_WITHIN, CoverageManifest, Excuse
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.expected_sources import ExpectedSource, ExpectedSources
from router.domain.source_excuses import SilenceExcuses
from router.domain.source_turns import SourceState, SourceTurn, SourceWatch
from router.domain.timestamps import timestamp

DOWN = timedelta(hours=6)
"""How long the router may be away, or its hub unread, until times begin anew.

The hub keeps what comes meanwhile, and what it lost is declared; so a short absence makes nobody silent, nor does a clock that
is wrong by less. It is well within the day by which the 8 days exceed the week between two snapshots.
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


def watch_after(
    before: SourceWatch | None,
    sources: ExpectedSources,
    manifest: CoverageManifest,
    heard: Mapping[str, LastHeard],
    until: datetime,
    now: datetime,
    lost: datetime | None = None,
) -> SourceWatch:
    """What is known after a look at all sources, with the turns that it makes, which are not published yet.

    `until` is the hub's time up to which all was taken in, `heard` when each source was last heard of, by its id, and `lost`
    when events were last declared lost. `before` is None at the first look ever.
    """
    return _SourceLook(before, sources, manifest, heard, until, now, lost).watch()


def times_anew(before: SourceWatch | None, until: datetime, now: datetime) -> datetime:
    """From when on times count at the earliest, as a look at an instant finds it.

    What a worker wrote down whose clock is ahead of this one by less than an absence changes nothing. Else two workers with
    such clocks would let times begin anew at each look, and nobody would ever be silent.
    """
    if before is None or not is_possible(before.taken, now, DOWN) or not is_possible(before.anew, now):
        return until
    return until if until - before.taken > DOWN else before.anew


class _SourceLook:
    """One look at all sources."""

    def __init__(
        self,
        before: SourceWatch | None,
        sources: ExpectedSources,
        manifest: CoverageManifest,
        heard: Mapping[str, LastHeard],
        until: datetime,
        now: datetime,
        lost: datetime | None,
    ) -> None:
        self._before = before or SourceWatch(anew=until, taken=until)
        self._sources = sources
        self._excuses = SilenceExcuses(manifest, sources.by_id.values())
        self._until, self._now = until, now
        anew = times_anew(before, until, now)
        self._anew = max(anew, lost) if lost is not None else anew
        self._heard = {id: one.possible_at(now) for id, one in heard.items() if id in sources.by_id}
        self._since = {id: self._instant(self._before.since, id) for id in sources.by_id if self._find_last(id) is None}
        self._silent = {id for id, one in sources.by_id.items() if until - self._counted_from(id) > one.within}
        self._held = self._subscriptions_held()

    def watch(self) -> SourceWatch:
        turns = dict(self._before.turns)
        turns |= {id: replace(turn, missing=None) for id, turn in turns.items() if not self._is_missing(id, turn)}
        made = [*self._turns_of_expected(), *self._turns_of_missing(turns)]
        turns |= {turn.source.id: turn for turn in made[:AT_ONCE]}
        after = SourceWatch(
            anew=self._anew,
            taken=self._before.taken,
            since=self._since,
            held=self._held,
            turns=turns,
            unmatched=tuple(map(str, self._sources.unmatched)),
        )
        is_news = after != self._before or self._until - self._before.taken >= OFTEN
        return replace(after, taken=self._until) if is_news else after

    def _instant(self, known: Mapping[str, datetime], id: str) -> datetime:
        """The instant that is known under an id; this one where none is, or none that a clock can have shown."""
        instant = known.get(id)
        return instant if instant is not None and is_possible(instant, self._now) else self._until

    def _find_last(self, id: str) -> datetime | None:
        return self._heard[id].posture if id in self._heard else None

    def _counted_from(self, id: str) -> datetime:
        """From when on the silence of a source counts."""
        last = self._find_last(id)
        return max(last if last is not None else self._since[id], self._anew)

    def _subscriptions_held(self) -> dict[str, datetime]:
        """Since when the clusters and plans of each subscription can be expected to speak."""
        needed = {one.subscription for one in self._sources.by_id.values() if _is_heard_through_another(one)}
        ids = {one: CoverageSource(CoverageSourceKind.SUBSCRIPTION, one).id for one in needed if one is not None}
        return {one: self._instant(self._before.held, one) for one, id in ids.items() if self._brings_healthy_rows(id)}

    def _brings_healthy_rows(self, id: str) -> bool:
        """Whether a subscription speaks, and its snapshots tell of what is well, too."""
        one, heard = self._sources.by_id.get(id), self._heard.get(id)
        if one is None or heard is None or heard.snapshot is None or heard.healthy is None or id in self._silent:
            return False
        is_late = self._until - heard.snapshot > max(one.within, HEARD_WITHIN)
        return heard.snapshot - heard.healthy <= one.within and not is_late

    def _is_unknown(self, one: ExpectedSource) -> bool:
        """Whether nobody can say of a cluster or plan whether it is silent."""
        if not _is_heard_through_another(one):
            return False
        held = self._held.get(one.subscription) if one.subscription is not None else None
        return held is None or self._until - held <= SETTLING

    def _turns_of_expected(self) -> Iterable[SourceTurn]:
        found: list[SourceTurn] = []
        for id, one in sorted(self._sources.by_id.items()):
            turn = self._before.turns.get(id)
            if turn is not None and not turn.is_published:
                continue
            last, is_silent, excuse = (
                self._find_last(id),
                id in self._silent,
                self._excuses.find(one, self._now),
            )
            if turn is not None and turn.state is SourceState.SILENT:
                if not is_silent and last is not None and (turn.last is None or last > turn.last):
                    found.append(self._next(turn, SourceState.SPEAKS, last=last, since=turn.last or turn.since))
                elif excuse is not None:
                    found.append(self._next(turn, SourceState.EXCUSED, excuse=_words_of(excuse)))
            elif is_silent and excuse is None and not self._is_unknown(one):
                found.append(self._opened(one, turn))
        return _with_others(found, self._count_of_silent(found))

    def _is_missing(self, id: str, turn: SourceTurn) -> bool:
        """Whether the manifest no longer expects a silent source, or lets it be silent for longer and that is not over."""
        one = self._sources.by_id.get(id)
        if one is None:
            return True
        last = self._find_last(id)
        silence = self._until - (last if last is not None else turn.since)
        return turn.within < one.within and silence <= one.within and (last is None or last == turn.last)

    def _turns_of_missing(self, turns: dict[str, SourceTurn]) -> Iterable[SourceTurn]:
        """The turns of silent sources that the manifest no longer expects, or not so soon; notes since when it does not."""
        for id, turn in sorted(self._before.turns.items()):
            if turn.state is not SourceState.SILENT or not turn.is_published or not self._is_missing(id, turn):
                continue
            missing = turn.missing
            if missing is None or not is_possible(missing, self._now):
                missing = self._until
            if id in self._sources.known_by_now:
                yield self._next(turn, SourceState.SPEAKS, last=self._until, since=turn.since)
            elif self._until - missing > GONE:
                yield self._next(turn, SourceState.UNEXPECTED)
            else:
                turns[id] = replace(turn, missing=missing)

    def _opened(self, one: ExpectedSource, turn: SourceTurn | None) -> SourceTurn:
        return SourceTurn(
            source=one.source,
            number=turn.number + 1 if turn is not None else 1,
            state=SourceState.SILENT,
            at=self._at(turn),
            last=self._find_last(one.source.id),
            since=self._counted_from(one.source.id),
            within=one.within,
            entry=one.entry,
            name=one.workload.name,
            subscription=one.subscription,
        )

    def _next(
        self,
        turn: SourceTurn,
        state: SourceState,
        *,
        last: datetime | None = None,
        since: datetime | None = None,
        excuse: str = "",
    ) -> SourceTurn:
        return replace(
            turn,
            number=turn.number + 1,
            state=state,
            at=self._at(turn),
            last=last or turn.last,
            since=since or turn.since,
            others=0,
            excuse=excuse,
            missing=None,
            is_published=False,
        )

    def _at(self, turn: SourceTurn | None) -> datetime:
        """When a turn is made: after the turn before it, by whatever clock that was made."""
        if turn is None or not is_possible(turn.at, self._now):
            return self._until
        return max(self._until, turn.at + timedelta(seconds=1))

    def _count_of_silent(self, made: Iterable[SourceTurn]) -> Callable[[CoverageSourceKind], int]:
        """How many sources of a kind are silent, those among them of which people are notified by now."""
        now = {turn.source.id: turn for turn in (*self._before.turns.values(), *made)}
        silent = [turn.source.kind for turn in now.values() if turn.state is SourceState.SILENT]
        return silent.count


def _is_heard_through_another(one: ExpectedSource) -> bool:
    return one.source.kind is not CoverageSourceKind.SUBSCRIPTION


def _with_others(turns: Iterable[SourceTurn], count: Callable[[CoverageSourceKind], int]) -> Iterable[SourceTurn]:
    for turn in turns:
        is_silent = turn.state is SourceState.SILENT
        yield replace(turn, others=count(turn.source.kind) - 1) if is_silent else turn


def _words_of(excuse: Excuse) -> str:
    return f"{timestamp(excuse.exception.ends)} by {excuse.exception.owner}"


def published(watch: SourceWatch) -> SourceWatch:
    """The same after people were notified of every turn."""
    return watch.with_turns({turn.source.id: replace(turn, is_published=True) for turn in watch.unpublished})
