"""What a silence would have held and would hold now, as people and programs read it before they make it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rich.console import Console

from router.app.lookback import look_back
from router.cli.preview import named_document
from router.cli.screen import print_table, table_of
from router.decide.preview import ANY_SIGNAL, Matcher, NamedSignal, Preview
from router.domain.deliveries import DeliveryState
from router.domain.errors import BadUsage
from router.domain.readable import counted, timestamp
from router.domain.resources import parse_resource_id
from router.domain.rule_fields import signal_of
from router.domain.silences import name_in_words
from router.store import groups, signals
from router.store.delivery_status import NEVER, count_deliveries, list_deliveries
from router.store.store import Store

BACK = timedelta(hours=24)
"""How far back it is looked."""

EVER = timedelta(days=90)
"""How far back decisions are kept at most."""

_MOST = 500
"""The most signals of which it is asked what is owed already."""

_STILL_OWED = (DeliveryState.OWED, DeliveryState.CLAIMED)


@dataclass(frozen=True, slots=True)
class SilencePreview:
    """What a silence would have held, and what of it people hear all the same.

    Attributes:
        preview: what it would have held in the last 24 hours, and what stands now.
        owed: how many deliveries about what stands now are owed already, and go out all the same.
        is_owed_whole: whether all of these were counted.
        everything: what a silence of all would have held; None where this one is narrow.
        instead: how many signals other options would have held or would hold, where these would none.
        is_unheard_of: whether nothing that is on record, however old, is of its kind.
    """

    preview: Preview
    owed: int
    is_owed_whole: bool
    everything: Preview | None = None
    instead: Mapping[str, int] = field(default_factory=dict)
    is_unheard_of: bool = False


async def preview_of(
    store: Store,
    stream: str,
    matcher: Matcher,
    instead: Mapping[str, Matcher],
    now: datetime,
    *,
    is_narrow: bool,
) -> SilencePreview:
    """What a silence would have held, and what others would that may be meant, by the options for them.

    How broad one is that is not narrow is measured. Raises StoreError.
    """
    matchers: list[Matcher] = [matcher, *instead.values()]
    if not is_narrow:
        matchers.append(ANY_SIGNAL)
    preview, *others = await look_back(store, stream, matchers, now - BACK, now)
    found = await _preview_of(store, stream, matcher, preview, dict(zip(instead, others, strict=False)))
    return found if is_narrow else replace(found, everything=others[-1])


async def _preview_of(
    store: Store, stream: str, matcher: Matcher, preview: Preview, others: Mapping[str, Preview]
) -> SilencePreview:
    if not _signals(preview):
        found = {option: _signals(other) for option, other in others.items() if _signals(other)}
        (ever,) = await look_back(store, stream, [matcher], preview.until - EVER, preview.until)
        return SilencePreview(preview, 0, is_owed_whole=True, instead=found, is_unheard_of=not _signals(ever))
    async with store.session() as tx:
        counts = await count_deliveries(tx, stream, NEVER)
    if not preview.standing.signals or not any(counts.get(one) for one in counts if one[1] in _STILL_OWED):
        return SilencePreview(preview, 0, is_owed_whole=True)
    keys: list[str] = []
    async with store.session() as tx:
        async for page in signals.walk_standing(tx, stream, matcher.types):
            keys += [one.key for one in page if one.fields is not None and matcher.covers(signal_of(one.fields))]
    asked = keys[:_MOST]
    groups = await _groups_of(store, stream, asked)
    async with store.session() as tx:
        deliveries = [one for key in (*asked, *groups) for one in await list_deliveries(tx, key)]
    owed = sum(one.state in _STILL_OWED for one in deliveries)
    return SilencePreview(preview, owed, is_owed_whole=len(keys) <= _MOST)


async def _groups_of(store: Store, stream: str, keys: Sequence[str]) -> set[str]:
    """The keys of the groups in which signals are told of: what is owed about them there is owed under these."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    async with store.session() as tx:
        rows = await signals.find_signals(tx, keys)
    for row in rows.values():
        for destination in row.grouped:
            members[destination].append(row.key)
    async with store.session() as tx:
        found = [await groups.find_members(tx, stream, name, some) for name, some in members.items()]
    return {member.group for some in found for member in some.values()}


def _signals(preview: Preview) -> int:
    return max(preview.held.signals, preview.standing.signals)


def print_preview(shown: Console, it: SilencePreview) -> None:
    """Prints it for people."""
    for line in _lines(it):
        shown.print(f"  {line}", soft_wrap=True)
    named = it.preview.standing.named or it.preview.named
    if named:
        shown.print()
        print_table(shown, table_of(("severity", "type", "title", "resource", "held by"), map(_row, named)))


def _lines(it: SilencePreview) -> Iterator[str]:
    preview, standing = it.preview, it.preview.standing
    held = f"{_of(preview.held.signals, it, 'signal')} in {counted(preview.held.decisions, 'message')}"
    yield f"in the last 24 hours it would have held {held}{_gravest(preview.by_severity)}"
    yield f"{_standing(it)}{_gravest(standing.by_severity)}"
    if already := sum(standing.held_already.values()):
        yield f"{already} of these {_is(already)} held already, by {', '.join(map(name_in_words, standing.held_already))}"
    if it.owed:
        least = "" if it.is_owed_whole else "at least "
        what, verb = ("delivery", "goes") if it.owed == 1 else ("deliveries", "go")
        yield f"{least}{it.owed} {what} owed already about these {verb} out all the same"
    if it.is_unheard_of:
        yield "nothing that is on record is of this kind: is a name misspelled?"
    for option, number in it.instead.items():
        yield f"{option} would have found {counted(number, 'signal')}; did you mean that?"
    if unseen := _unseen(preview):
        yield f"{unseen} could not be looked at: what they say is not kept"


def refuse_too_broad(it: SilencePreview) -> None:
    """Raises BadUsage where it would have held more than half of what people were told."""
    if it.everything is None:
        return
    held, told = it.preview.held.signals, it.everything.held.signals
    if 2 * held > told:
        raise BadUsage(
            f"silences add: would have held {held} of {counted(told, 'signal')} of the last 24 hours, more than half; "
            "say what it is about: --resource or --host without a glob, or --type"
        )


def _of(number: int, it: SilencePreview, what: str) -> str:
    """A number of signals, and of how many, where that is known."""
    return (
        counted(number, what) if it.everything is None else f"{number} of {counted(it.everything.held.signals, what)}"
    )


def _standing(it: SilencePreview) -> str:
    number = it.preview.standing.signals
    if not number:
        return "nothing that stands now is of this kind"
    goes_on, whose = (
        ("stays open where it was told", "its") if number == 1 else ("stay open where they were told", "their")
    )
    return f"{number} of what stands now {goes_on}, and {whose} updates are held"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _gravest(by_severity: Mapping[str, object]) -> str:
    gravest = next(iter(by_severity), None)
    return f"; the gravest is {gravest or 'of unknown severity'}" if gravest is not None else ""


def _unseen(preview: Preview) -> int:
    """About how much it could not be asked whether it would be held."""
    return preview.unjudged + preview.standing.unjudged


def _row(one: NamedSignal) -> tuple[object, ...]:
    resource = parse_resource_id(one.resource).name or one.resource
    return one.severity or "unknown", one.type, one.title, resource, name_in_words(one.held_by or "")


def preview_document(it: SilencePreview) -> Mapping[str, object]:
    """The same as JSON."""
    preview, standing = it.preview, it.preview.standing
    return {
        "since": timestamp(preview.since),
        "looked_back_to": timestamp(preview.since),
        "is_whole": True,
        "signals": preview.held.signals,
        "told": it.everything.held.signals if it.everything is not None else None,
        "messages": preview.held.decisions,
        "by_severity": {name or "unknown": one.signals for name, one in preview.by_severity.items()},
        "standing": {
            "signals": standing.signals,
            "is_whole": True,
            "by_severity": {name or "unknown": count for name, count in standing.by_severity.items()},
            "held_already": dict(standing.held_already),
        },
        "named": [named_document(one) for one in standing.named or preview.named],
        "not_looked_at": _unseen(preview),
        "owed_already": it.owed,
    }
