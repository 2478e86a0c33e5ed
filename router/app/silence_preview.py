"""What a silence would hold, before it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta

from router.app.lookback import MOST, look_back, named_document
from router.decide.preview import ANY_SIGNAL, NAMED, Matcher, NamedSignal, Preview
from router.domain.deliveries import OPEN
from router.domain.readable import counted, timestamp
from router.domain.rule_fields import signal_of
from router.domain.silences import name_in_words
from router.domain.values import Value
from router.store import groups, signals
from router.store.delivery_status import NEVER, count_deliveries, list_deliveries
from router.store.store import Store, Transaction


class SilencePreview(Value):
    """What a silence would have held, and what of it people hear all the same.

    Attributes:
        preview: what it would have held in the last 24 hours, and what stands now.
        owed: how many deliveries about what stands now are owed already, and go out all the same.
        is_owed_whole: whether all of these were counted.
        by_all: how many signals a silence of all would have held; None where this one is narrow.
        instead: how many signals other fields would have held or would hold, where these would none.
        is_unheard_of: whether nothing that is on record, however old, is of its kind.
    """

    preview: Preview
    owed: int = 0
    is_owed_whole: bool = True
    by_all: int | None = None
    instead: Mapping[str, int] = {}
    is_unheard_of: bool = False

    @property
    def not_looked_at(self) -> int:
        """About how much it could not be asked whether it would be held."""
        return self.preview.unjudged + self.preview.standing.unjudged

    @property
    def named(self) -> Sequence[NamedSignal]:
        """The gravest of what stands now that it would hold, or else of what it would have held."""
        return self.preview.standing.named or self.preview.named

    @property
    def lines(self) -> Iterator[str]:
        """The same in words, a line for each thing; fields stand in backticks."""
        return _lines_of(self)

    @property
    def document(self) -> dict[str, object]:
        """The same for programs."""
        preview, standing = self.preview, self.preview.standing
        return {
            "since": preview.since,
            "looked_back_to": preview.looked_back_to,
            "is_whole": preview.is_whole,
            "signals": preview.held.signals,
            "told": self.by_all,
            "messages": preview.held.decisions,
            "by_severity": {name or "unknown": one.signals for name, one in preview.by_severity.items()},
            "standing": {
                "signals": standing.signals,
                "is_whole": standing.is_whole,
                "by_severity": {name or "unknown": count for name, count in standing.by_severity.items()},
                "held_already": dict(standing.held_already),
            },
            "named": [named_document(one) for one in self.named[:NAMED]],
            "not_looked_at": self.not_looked_at,
            "owed_already": self.owed,
        }


_BACK = timedelta(hours=24)
"""How far back it is looked."""

_EVER = timedelta(days=90)
"""How far back decisions are kept at most."""

_MOST = 500
"""The most signals of which it is asked what is owed already."""

_NAMED = 50
"""The most that are named of what stands, and of what it would have held."""


async def preview_silence(
    store: Store, stream: str, matcher: Matcher, instead: Mapping[str, Matcher], now: datetime, *, is_narrow: bool
) -> SilencePreview:
    """Return what a silence would have held, and what others would that may be meant, by the fields for them.

    How broad one is that is not narrow is measured. Raises StoreError.
    """
    matchers = [matcher, *instead.values(), *([] if is_narrow else [ANY_SIGNAL])]
    preview, *others = await look_back(store, stream, matchers, now - _BACK, now, MOST, _NAMED)
    found = SilencePreview(preview, by_all=None if is_narrow else others[-1].held.signals)
    if not _signals(preview):
        more = {field: many for field, other in zip(instead, others, strict=False) if (many := _signals(other))}
        (ever,) = await look_back(store, stream, [matcher], now - _EVER, now)
        return replace(found, instead=more, is_unheard_of=ever.is_whole and not _signals(ever))
    async with store.session() as tx:
        rows = await signals.find_signals(tx, [one.key for one in preview.standing.named if one.key is not None])
        preview.standing.note_open({key: row.open for key, row in rows.items()})
        counts = await count_deliveries(tx, stream, NEVER)
        if not preview.standing.signals or not any(many for (_, state), many in counts.items() if state in OPEN):
            return found
        keys: list[str] = []
        async for page in signals.walk_standing(tx, stream, matcher.types):
            keys += [one.key for one in page if one.fields is not None and matcher.covers(signal_of(one.fields))]
        asked = keys[:_MOST]
        told_by = [*asked, *await _groups_of(tx, stream, asked)]
        owed = sum([one.state in OPEN for key in told_by for one in await list_deliveries(tx, key)])
    return replace(found, owed=owed, is_owed_whole=len(keys) <= _MOST)


async def _groups_of(tx: Transaction, stream: str, keys: Sequence[str]) -> set[str]:
    """Return the keys of the groups in which signals are told of: what is owed about them there is owed under these."""
    rows = (await signals.find_signals(tx, keys)).values()
    grouped = {(destination, row.key) for row in rows for destination in row.grouped}
    members = await groups.find_members(tx, stream, {destination for destination, _ in grouped}, keys)
    return {member.group for place, member in members.items() if place in grouped}


def _signals(preview: Preview) -> int:
    return max(preview.held.signals, preview.standing.signals)


def _lines_of(it: SilencePreview) -> Iterator[str]:
    preview, standing = it.preview, it.preview.standing
    held, number = preview.held, standing.signals
    many = counted(held.signals, "signal") if it.by_all is None else f"{held.signals} of {counted(it.by_all, 'signal')}"
    messages = counted(held.decisions, "message")
    yield f"in the last 24 hours it would have held {many} in {messages}{_gravest(preview.by_severity)}"
    if number:
        goes_on = (
            "stays open where it was told, and its" if number == 1 else "stay open where they were told, and their"
        )
        yield f"{number} of what stands now {goes_on} updates are held{_gravest(standing.by_severity)}"
    else:
        yield "nothing that stands now is of this kind"
    if already := sum(standing.held_already.values()):
        verb = "is" if already == 1 else "are"
        yield f"{already} of these {verb} held already, by {', '.join(map(name_in_words, standing.held_already))}"
    if it.owed:
        least = "" if it.is_owed_whole else "at least "
        what, verb = ("delivery", "goes") if it.owed == 1 else ("deliveries", "go")
        yield f"{least}{it.owed} {what} owed already about these {verb} out all the same"
    if it.is_unheard_of:
        yield "nothing that is on record is of this kind: is a name misspelled?"
    for field, found in it.instead.items():
        yield f"{field} would have found {counted(found, 'signal')}; did you mean that?"
    if not (preview.is_whole and standing.is_whole):
        looked_at = counted(standing.looked_at, "signal")
        yield f"it was looked back to {timestamp(preview.looked_back_to)}, and at {looked_at} that stand, and stopped there"
    if it.not_looked_at:
        yield f"{it.not_looked_at} could not be looked at: what they say is not kept"


def _gravest(by_severity: Mapping[str, object]) -> str:
    gravest = next(iter(by_severity), None)
    return f"; the gravest is {gravest or 'of unknown severity'}" if gravest is not None else ""
