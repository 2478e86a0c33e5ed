"""What a silence would have held and would hold now, as people and programs read it before they make it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rich.console import Console

from router.app.lookback import look_back
from router.cli.preview import named_document
from router.cli.screen import print_table, table_of
from router.decide.preview import ANY_SIGNAL, Matcher, NamedSignal, Preview
from router.domain.deliveries import OPEN
from router.domain.errors import BadUsage
from router.domain.readable import counted
from router.domain.resources import parse_resource_id
from router.domain.rule_fields import signal_of
from router.domain.silences import name_in_words
from router.store import groups, signals
from router.store.delivery_status import NEVER, count_deliveries, list_deliveries
from router.store.store import Store, Transaction

BACK = timedelta(hours=24)
"""How far back it is looked."""

EVER = timedelta(days=90)
"""How far back decisions are kept at most."""

_MOST = 500
"""The most signals of which it is asked what is owed already."""


@dataclass(frozen=True, slots=True)
class SilencePreview:
    """What a silence would have held, and what of it people hear all the same.

    Attributes:
        preview: what it would have held in the last 24 hours, and what stands now.
        owed: how many deliveries about what stands now are owed already, and go out all the same.
        is_owed_whole: whether all of these were counted.
        by_all: how many signals a silence of all would have held; None where this one is narrow.
        instead: how many signals other options would have held or would hold, where these would none.
        is_unheard_of: whether nothing that is on record, however old, is of its kind.
    """

    preview: Preview
    owed: int = 0
    is_owed_whole: bool = True
    by_all: int | None = None
    instead: Mapping[str, int] = field(default_factory=dict)
    is_unheard_of: bool = False

    @property
    def not_looked_at(self) -> int:
        """About how much it could not be asked whether it would be held."""
        return self.preview.unjudged + self.preview.standing.unjudged


async def preview_of(
    store: Store, stream: str, matcher: Matcher, instead: Mapping[str, Matcher], now: datetime, *, is_narrow: bool
) -> SilencePreview:
    """Return what a silence would have held, and what others would that may be meant, by the options for them.

    How broad one is that is not narrow is measured. Raises StoreError.
    """
    matchers = [matcher, *instead.values(), *([] if is_narrow else [ANY_SIGNAL])]
    preview, *others = await look_back(store, stream, matchers, now - BACK, now)
    found = SilencePreview(preview, by_all=None if is_narrow else others[-1].held.signals)
    if not _signals(preview):
        more = {option: many for option, other in zip(instead, others, strict=False) if (many := _signals(other))}
        (ever,) = await look_back(store, stream, [matcher], now - EVER, now)
        return replace(found, instead=more, is_unheard_of=not _signals(ever))
    async with store.session() as tx:
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


def print_preview(shown: Console, it: SilencePreview) -> None:
    """Print it for people."""
    for line in _lines(it):
        shown.print(f"  {line}", soft_wrap=True)
    if named := it.preview.standing.named or it.preview.named:
        shown.print()
        print_table(shown, table_of(("severity", "type", "title", "resource", "held by"), map(_row, named)))


def _lines(it: SilencePreview) -> Iterator[str]:
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
    for option, found in it.instead.items():
        yield f"{option} would have found {counted(found, 'signal')}; did you mean that?"
    if it.not_looked_at:
        yield f"{it.not_looked_at} could not be looked at: what they say is not kept"


def _gravest(by_severity: Mapping[str, object]) -> str:
    gravest = next(iter(by_severity), None)
    return f"; the gravest is {gravest or 'of unknown severity'}" if gravest is not None else ""


def _row(one: NamedSignal) -> tuple[object, ...]:
    resource = parse_resource_id(one.resource).name or one.resource
    return one.severity or "unknown", one.type, one.title, resource, name_in_words(one.held_by or "")


def refuse_too_broad(it: SilencePreview) -> None:
    """Raise BadUsage where it would have held more than half of what people were told."""
    held = it.preview.held.signals
    if it.by_all is not None and 2 * held > it.by_all:
        raise BadUsage(
            f"silences add: would have held {held} of {counted(it.by_all, 'signal')} of the last 24 hours, more than half; "
            "say what it is about: --resource or --host without a glob, or --type"
        )


def preview_document(it: SilencePreview) -> Mapping[str, object]:
    """Return it for programs."""
    preview, standing = it.preview, it.preview.standing
    return {
        "since": preview.since,
        "looked_back_to": preview.since,
        "is_whole": True,
        "signals": preview.held.signals,
        "told": it.by_all,
        "messages": preview.held.decisions,
        "by_severity": {name or "unknown": one.signals for name, one in preview.by_severity.items()},
        "standing": {
            "signals": standing.signals,
            "is_whole": True,
            "by_severity": {name or "unknown": count for name, count in standing.by_severity.items()},
            "held_already": dict(standing.held_already),
        },
        "named": [named_document(one) for one in standing.named or preview.named],
        "not_looked_at": it.not_looked_at,
        "owed_already": it.owed,
    }
