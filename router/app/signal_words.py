"""The life of a signal in words, as `explain` prints them and its page shows them. Pure.

Texts are as they arrived: mask them where they are printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from router.app.paging_answer import written_instant
from router.app.signal_document import stored_step
from router.app.signal_life import DestinationLife, Presence, SignalLife
from router.app.signal_search import Meant
from router.decide import iso
from router.destinations.wording.escaping import web_link
from router.destinations.wording.masking import masked
from router.domain.counts import decided_at
from router.domain.deliveries import REFUSED_KEY, DeliveryState, DeliveryStatus, Receipt
from router.domain.keys import ABOUT
from router.domain.notices import RecordEntry
from router.domain.readable import counted, timestamp
from router.domain.silences import holder_words
from router.store.changes import ChangeAction
from router.store.ledger import RECORD

type Facts = Iterator[tuple[str, str | None]]
"""Names and what they are, one a line."""


def signal_facts(life: SignalLife, meant: Meant, now: datetime) -> Facts:
    """Yield what a signal is, how it is now, and what holds it or held it."""
    if meant.via is not None:
        yield "found by", meant.via
    if (latest := life.latest) is not None:
        yield "what", f"{latest.severity or 'unknown'} {latest.kind} {latest.type}: {latest.title}"
        yield "id", latest.id
        if latest.resource:
            yield "resource", latest.resource
        if latest.plan:
            yield "plan", latest.plan
        if latest.sample:
            yield "sample", "it is one of Defender's samples"
    yield "key", life.key
    if life.key.startswith(ABOUT):
        yield "now", "it is no signal, and stands nowhere"
        return
    if life.row is None:
        yield "now", "what it is now is not kept"
        return
    names = {one: [name for name, has in sorted(life.presences.items()) if has is one] for one in Presence}
    where = [f"{presence} {', '.join(named)}" for presence, named in names.items() if named]
    nowhere = [] if names[Presence.OPEN] else ["open nowhere"]
    yield "now", f"{'over' if life.row.state.resolved else 'it stands'}, {'; '.join([*nowhere, *where])}"
    if (holder := life.holder) is not None:
        since = f", since {timestamp(holder.since)}" if holder.since is not None else ""
        messages = f", messages: {holder.messages}" if holder.messages is not None else ""
        end = timestamp(life.end_of_hold(holder.rule, holder.until))
        yield "held by", f"{holder_words(holder.rule)} until {end}{since}{messages}"
    for name, silence in life.silences.items():
        ended = f", ended at {timestamp(silence.ended)}" if silence.ended is not None else ""
        if silence.is_active(now) and (holder is None or holder.rule != name):
            ended = f", holds what comes of it until {timestamp(silence.end)}"
        ticket = f" ({silence.ticket})" if silence.ticket else ""
        yield holder_words(name), f"by {silence.author}{ended}: {silence.reason}{ticket}"


def decision_facts(entry: RecordEntry) -> Facts:
    """Yield where a message came from, and what was decided of it, with the steps."""
    yield "from", entry.source
    if entry.status:
        yield "status", entry.status
    if entry.suppressed_by:
        until = f" until {written_instant(entry.suppressed_until)}" if entry.suppressed_until else ""
        yield "held by", f"{holder_words(entry.suppressed_by)}{until}"
    if entry.shadowed_by:
        yield "would be held", f"by {', '.join(f'shadow rule {name}' for name in entry.shadowed_by)}"
    if entry.destinations:
        yield "goes to", ", ".join(entry.destinations)
    yield "steps", "; ".join(stored_step(step).words for step in entry.steps)


def destination_facts(one: DestinationLife) -> Facts:
    """Yield how a destination is, and which group a signal is in there."""
    if one.held is not None:
        yield "now", one.held
    if (pause := one.pause) is not None:
        yield "paused", f"since {timestamp(pause.since)}, tries again at {timestamp(pause.probe)}: {pause.error}"
    if one.unready is not None and one.is_waited_for:
        yield "not yet", one.unready
    if (group := one.group) is not None:
        common = " and ".join(f"{name} {value}" for name, value in group.by) or "one incident"
        what = "a summary of what the limit held back" if group.is_summary else f"the group of {common}"
        signals = f": {counted(group.total, 'signal')}, " if group.total is not None else ""
        yield "member of", f"{what}{signals}{f'{group.standing} of them not over' if signals else ''}"
        yield "group key", group.key
        yield "last change", f"{timestamp(group.changed)}, by this signal"
    elif not one.deliveries:
        yield "deliveries", "none is kept"


def receipt_words(receipt: Receipt) -> str:
    """Return what a destination answered to what it took."""
    return ", ".join(filter(None, (receipt.reference, receipt.link, *_refusals(receipt)))) or "taken"


def _refusals(receipt: Receipt) -> Iterator[str]:
    if refused := receipt.handles.get("refused"):
        yield f"refused for {refused}"
    if key := receipt.handles.get(REFUSED_KEY):
        yield f"by the destination's own key, since the owner's, {key}, is refused"


def worded(facts: Iterable[tuple[str, str | None]]) -> list[dict[str, str]]:
    """Return facts for programs, without those that say nothing."""
    return [{"name": name, "words": words} for name, words in facts if words]


def timeline_of(life: SignalLife) -> list[dict[str, Any]]:
    """Return for programs all that happened to a signal; the latest first, since that is what people are called for."""
    events = [*_decisions_in(life), *(event for one in life.destinations for event in _events_at(one)), *_acts_on(life)]
    # What was decided is older than what came of it at the same instant.
    return sorted(events, key=lambda event: event["at"])[::-1]


def _decisions_in(life: SignalLife) -> Iterator[dict[str, Any]]:
    for entry in life.decisions:
        turn = f" (turn {entry.turn})" if entry.turn is not None else ""
        words = f"{entry.outcome}, {entry.reason}{turn}"
        facts = worded(decision_facts(entry))
        yield _event(decided_at(entry), "message", entry.outcome, words, title=entry.title, facts=facts)


def _events_at(one: DestinationLife) -> Iterator[dict[str, Any]]:
    """Yield the groups that a signal joined at a destination, and what became of each delivery there."""
    if (group := one.group) is not None:
        facts = dict(destination_facts(one))
        words = f"told at {one.name} in {facts['member of']}"
        key = group.key if group.total != 1 else None
        yield _event(group.changed, "group", "grouped", words, destination=one.name, key=key)
    for it in one.all_deliveries:
        # What the record's second home took is each decision once more.
        if one.name == RECORD and it.state is DeliveryState.SENT:
            continue
        turn = _turn_words(one, it)
        for failed in it.failed:
            words = f"{one.name} did not take {turn}: {failed.error}"
            yield _event(failed.at, "attempt", "failed", words, destination=one.name)
        reference, link = (it.receipt.reference, it.receipt.link) if it.receipt is not None else (None, None)
        yield _event(
            it.settled if it.settled is not None and not it.is_open else it.born,
            "delivery",
            it.state,
            _delivery_words(one, it, turn),
            destination=one.name,
            reference=reference,
            link=web_link(link) if link is not None and masked(link) == link else None,
        )


_ACTS = {
    ChangeAction.REDRIVEN: "had {turn} sent to {name} again",
    ChangeAction.DEAD_LETTERS_DISCARDED: "discarded {turn} to {name}",
    ChangeAction.BODY_SHOWN: "looked at the raw body",
}


def _acts_on(life: SignalLife) -> Iterator[dict[str, Any]]:
    """Yield what people did, and that what they did it to had been given up on, of which its delivery says no more."""
    known = {it.id: (one, it) for one in life.destinations for it in one.all_deliveries}
    for act in life.changes:
        place, delivery = known.get(act.subject, (None, None))
        name = place.name if place is not None else None
        turn = _turn_words(place, delivery) if place is not None and delivery is not None else ""
        if (died := act.detail.get("died")) is not None:
            words = f"{turn} to {name} was given up: {act.detail['error']}"
            yield _event(datetime.fromisoformat(died), "delivery", DeliveryState.DEAD, words, destination=name)
        words = f"{act.author} {_ACTS[act.action].format(turn=turn, name=name)}"
        words = f"{words}{f': {act.reason}' if act.reason else ''}"
        yield _event(act.at, "act", act.action, words, destination=name)


def _turn_words(one: DestinationLife, it: DeliveryStatus) -> str:
    return f"{'turn' if it in one.deliveries else "the group's turn"} {it.turn} ({it.change})"


def _delivery_words(one: DestinationLife, it: DeliveryStatus, turn: str) -> str:
    tries = f" after {counted(it.attempts, 'attempt')}" if it.attempts > 1 else ""
    match it.state:
        case DeliveryState.SENT:
            refusals = _refusals(it.receipt) if it.receipt is not None else ()
            return ", ".join((f"{one.name} took {turn}{tries}", *refusals))
        case DeliveryState.DEAD:
            return f"{turn} to {one.name} was given up{tries}: {it.error or 'no error'}"
        case DeliveryState.SKIPPED:
            return f"{turn} to {one.name} was skipped: {it.error or 'a later turn left nothing to say'}"
    return f"{turn} is owed to {one.name}{tries}{f': {it.error}' if it.error else ''}"


def _event(at: datetime, what: str, code: str, words: str, **more: Any) -> dict[str, Any]:
    known = {"title": None, "destination": None, "key": None, "reference": None, "link": None, "facts": [], **more}
    return {"at": iso(at), "what": what, "code": code, "words": words, **known}
