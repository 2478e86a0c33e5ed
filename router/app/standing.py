"""What stands as people read it: a page of a list, masked as tickets are, by a few statements for all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from router.app.signal_life import ActiveSilence, SignalLife, find_silences, read_active_silences
from router.decide import iso
from router.decide.prose import unfilled
from router.destinations.wording.escaping import web_link
from router.destinations.wording.fitting import shortened
from router.destinations.wording.headlines import headline_of
from router.destinations.wording.masking import masked
from router.destinations.wording.withholding import outline_of
from router.domain.decisions import Change
from router.domain.deliveries import OPEN, DeliveryState, DeliveryStatus
from router.domain.notices import Notice, RecordEntry, is_about_ai
from router.domain.readable import one_line, timestamp
from router.domain.resources import NOWHERE, parse_resource_id
from router.domain.rule_fields import RuleFields, signal_of
from router.domain.rulebook import Lane, Rulebook
from router.domain.severity import find_severity
from router.domain.silences import Silence, holder_words
from router.store.decisions import find_decisions
from router.store.delivery_status import find_notified, list_latest_deliveries, list_latest_notices
from router.store.groups import Membership, list_memberships
from router.store.ledger import LedgerRow
from router.store.signals import read_fields
from router.store.standing import StandingFilter, StandingPlace, list_standing
from router.store.store import Store, Transaction

LONGEST_TEXT = 300
"""Characters of a text in a list; senders may name things at any length."""

_TOLD = {Lane.PAGE: ("paged", "paged"), Lane.TICKET: ("ticketed", "ticket at"), Lane.ROWS: ("rows", "rows at")}
"""The code of what a destination of a lane took, and how its words begin."""

_ORDER = ("paged", "ticketed", "rows", "grouped", "held", "silenced", "owed", "dead", "waits")


async def read_standing(
    store: Store,
    stream: str,
    wanted: StandingFilter,
    after: StandingPlace | None,
    most: int,
    now: datetime,
    book: Rulebook | None = None,
) -> dict[str, Any]:
    """Return a page of what stands as a document: docs/command-line.md has its keys. Raises StoreError.

    Only the rules of the stream, its `book`, say which of it a silence covers.
    """
    async with store.session() as tx:
        page = await list_standing(tx, stream, wanted, after, most)
        signals = await describe_signals(tx, stream, page.rows, await read_active_silences(tx, book, now))
    return {
        "stream": stream,
        "at": iso(now),
        "count": page.total.number,
        "count_is_whole": page.total.is_whole,
        "signals": signals,
        "after": str(page.after) if page.after is not None else None,
        "looked": page.looked_at,
        "is_whole": page.is_whole,
    }


async def describe_signals(
    tx: Transaction, stream: str, rows: Sequence[LedgerRow], active: Sequence[ActiveSilence] = ()
) -> list[dict[str, Any]]:
    """Return signals of a stream, whether they stand or not, with no word that a ticket may not have; raises StoreError.

    Of those that stand it is said which of the `active` silences holds their updates.
    """
    known = await _read_beside(tx, stream, rows, active)
    return [_document(row, known) for row in rows]


class _Beside(NamedTuple):
    """What the state has of the signals of a page, by their keys; deliveries by the keys of groups, too."""

    notices: Mapping[str, Notice]
    deliveries: Mapping[str, Sequence[DeliveryStatus]]
    memberships: Mapping[str, Sequence[Membership]]
    silences: Mapping[str, Silence]
    silenced_by: Mapping[str, Sequence[ActiveSilence]]


async def _read_beside(
    tx: Transaction, stream: str, rows: Sequence[LedgerRow], active: Sequence[ActiveSilence]
) -> _Beside:
    opened = {row.key: min(row.open.values()) for row in rows if row.open}
    memberships = await list_memberships(tx, stream, [row.key for row in rows if row.grouped])
    groups = {one.group for each in memberships.values() for one in each}
    deliveries = await list_latest_deliveries(tx, [*opened, *groups])
    # What was told in a life before says nothing of this one; a signal that is in groups alone has no notice of its own.
    told = await list_latest_notices(tx, opened)
    notices = {key: one for key, one in told.items() if one.turn >= opened[key]}
    untold = [row for row in rows if row.key not in notices]
    fields = await read_fields(tx, [row.key for row in (rows if active else untold)])
    for row in untold:
        known = fields.get(row.key) or next(iter(await find_decisions(tx, row.key, 1)), None)
        notices[row.key] = _notice_by(row, known)
    silences = await find_silences(tx, [row.held.rule for row in rows if row.held is not None])
    asked = [(row.key, signal_of(fields[row.key])) for row in rows if active and row.stands and row.key in fields]
    silenced_by = {key: [one for one in active if one.matcher.covers(signal)] for key, signal in asked}
    return _Beside(notices, deliveries, memberships, silences, silenced_by)


def _notice_by(row: LedgerRow, known: RuleFields | RecordEntry | None) -> Notice:
    """What a notice would say of a signal: by what rules can match of it, else by the latest decision, if either is kept."""
    said: dict[str, Any] = {name: getattr(known, name, None) or "" for name in ("kind", "id", "type")}
    said |= {name: getattr(known, name, None) for name in ("resource", "plan", "compromised_entity")}
    parts, location = parse_resource_id(said["resource"]), getattr(known, "location", None) or NOWHERE
    return Notice(
        key=row.key,
        turn=row.turn,
        stream=row.stream,
        reason="",
        rulebook="",
        **said,
        title=unfilled(known.title or "") if known is not None else "what this is is not kept",
        sample=known is not None and known.sample,
        resource_type=parts.type,
        resource_group=parts.resource_group,
        subscription=parts.subscription,
        cloud=location.cloud,
        account=location.account,
        project=next(iter(location.projects), None),
        cluster=location.cluster,
        native_name=location.native,
    )


def _document(row: LedgerRow, known: _Beside) -> dict[str, Any]:
    notice, severity = known.notices[row.key], find_severity(row.state.severity)
    told = outline_of(notice) if (is_outline := is_about_ai(notice)) else notice
    headline, memberships = headline_of(told), known.memberships.get(row.key, ())
    texts = {
        "id": told.id,
        "kind": told.kind,
        "title": headline.title,
        "type": told.type,
        "where": headline.location,
        "resource": told.resource,
        "subscription": told.subscription,
        "subscription_name": told.subscription_name,
        "cluster": row.cluster,
        "owner": row.owner,
    }
    return {
        "key": row.key,
        "severity": severity.label if severity is not None else None,
        "outcome": row.outcome,
        "sample": told.sample,
        "outline": is_outline,
        **{name: _legible(text) if text else None for name, text in texts.items()},
        "since": iso(row.since),
        "heard": iso(row.heard),
        "respond_by": min(
            filter(None, [notice.respond_by, *(one.state.respond_by for one in memberships)]), default=None
        ),
        "states": sorted(_states(row, known, memberships), key=lambda one: _ORDER.index(one["code"])),
    }


def _states(row: LedgerRow, known: _Beside, memberships: Sequence[Membership]) -> Iterator[dict[str, Any]]:
    """Yield what was told of a signal, and what keeps it, each with its words."""
    if (held := row.held) is not None:
        life = SignalLife(key=row.key, stream=row.stream, silences=known.silences)
        until = life.end_of_hold(held.rule, held.until)
        yield _state("held", f"held by {holder_words(held.rule)} until {timestamp(until)}", at=until)
    for silence, until, _ in known.silenced_by.get(row.key, ()):
        if held is None or held.rule != silence.name:
            yield _state(
                "silenced", f"{holder_words(silence.name)} holds its updates until {timestamp(until)}", at=until
            )
    for name, deliveries in groupby(known.deliveries.get(row.key, ()), attrgetter("destination")):
        yield from _states_at(name, list(deliveries))
    for one in memberships:
        if one.state.waits is not None:
            yield _state("waits", f"waits for room at {one.destination}", one.destination)
        else:
            yield _state("grouped", f"one of {one.state.group.total} in a group at {one.destination}", one.destination)
        # What a pager was told of the group before the signal came called nobody for it.
        yield from _states_at(one.destination, known.deliveries.get(one.group, ()), row.since)


def _states_at(
    name: str, deliveries: Sequence[DeliveryStatus], calls_since: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the states of the deliveries of a signal, or of its group, at a destination; these are in the order of turns."""
    told = [one for one in deliveries if one.state is DeliveryState.SENT and one.change is not Change.RESOLVED]
    counting = [one for one in told if one.lane is not Lane.PAGE or calls_since is None or one.born >= calls_since]
    if counting and (notified := find_notified(deliveries)) is not None:
        lane, receipt = counting[0].lane, notified[1]
        at = notified[0] if calls_since is None or lane is not Lane.PAGE else counting[0].settled
        (code, begins), when = _TOLD[lane], f" at {timestamp(at)}" if lane is Lane.PAGE and at is not None else ""
        reference = f", {receipt.reference}" if receipt.reference else ""
        yield _state(code, f"{begins} {name}{when}{reference}", name, at, receipt.reference, receipt.link)
    if owed := [one for one in deliveries if one.state in OPEN]:
        yield _state("owed", f"owed to {name} since {timestamp(owed[0].born)}", name, owed[0].born)
    if dead := [
        one for one in deliveries if one.state is DeliveryState.DEAD and not (told and one.turn < told[-1].turn)
    ]:
        yield _state("dead", f"given up on at {name}", name, dead[-1].settled)


def _state(
    code: str,
    words: str,
    destination: str | None = None,
    at: datetime | None = None,
    reference: str | None = None,
    link: str | None = None,
) -> dict[str, Any]:
    return {
        "code": code,
        "words": _legible(words),
        "link": web_link(link) if link is not None and masked(link) == link else None,
        "destination": destination,
        "at": iso(at),
        "reference": _legible(reference) if reference else None,
    }


def _legible(text: str) -> str:
    return shortened(one_line(masked(text)), LONGEST_TEXT)
