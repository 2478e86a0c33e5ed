"""Everything that can be asked of a store, and its answers as JSON, in words that no renaming changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson

from router.domain.damage import DamagedLetter
from router.domain.deliveries import Claim, DeadLetter
from router.domain.groups import AdmissionState, AggregationState
from router.domain.journal import HubEpoch, InFlightMarker, Partition, Span
from router.domain.ledger import Held, LedgerRow, message_of
from router.domain.ports.store import Store
from router.domain.quarantine import QuarantineEntry
from router.store.codec import encode, tag_of
from router.store.stored_names import GROUP_STATE, MEMBER_STATE, WINDOW_STATE
from tests.frozen.loading import Frozen

STREAMS = ("cwpp", "cspm")
EPOCHS = (HubEpoch(Partition("cwpp", "0"), 1), HubEpoch(Partition("cwpp", "1"), 2), HubEpoch(Partition("cspm", "0"), 1))

type Json = Any


async def ask_everything(store: Store, state: Frozen) -> Json:
    """Each row, delivery, letter, card, entry and marker that a state has, but for what is owed."""
    return {
        "ledger": await _ask_ledger(store, state),
        "outbox": {stream: await _ask_outbox(store, stream) for stream in STREAMS},
        "dead": sorted(map(_letter, await store.outbox.dead()), key=lambda one: str(one["id"])),
        "groups": await _ask_groups(store, state),
        "record": await _ask_record(store, state),
        "quarantine": [_quarantined(one) for one in await store.quarantine.list_quarantined()],
        "set_aside": {stream: await store.quarantine.count_damaged_rows(stream) for stream in STREAMS},
        "journal": await _ask_journal(store),
    }


async def _ask_ledger(store: Store, state: Frozen) -> Json:
    keys = [row["RowKey"] for row in state.rows("ledger")]
    rows = await store.ledger.find_rows(keys)
    held = {
        row.key: _held(row.held)
        for stream in STREAMS
        async for row in store.ledger.held_in_doubt(stream, "another", (), datetime.now(UTC))
        if row.held is not None
    }
    unfinished = [row for stream in STREAMS for row in await store.ledger.find_pending_rows(stream)]
    for row in unfinished:
        assert row.pending is not None
        assert_says(encode(row.pending), state.intents[row.key])
    return {
        "rows": {key: _row(rows[key]) for key in keys},
        "held": held,
        "unfinished": sorted(row.key for row in unfinished),
    }


def _row(row: LedgerRow) -> Json:
    seen = row.seen
    return {
        "stream": row.stream,
        "state": [row.state.resolved, row.state.status, row.state.severity, _short(row.state.measure)],
        "seen": [_iso(seen.changed), seen.arrival.key, _iso(seen.arrival.enqueued), seen.deleted],
        "turn": row.turn,
        "outcome": row.outcome.value,
        "open": dict(sorted(row.open.items())),
        "grouped": sorted(row.grouped),
        "forwarded": row.forwarded,
        "has_intent": row.pending is not None,
        "closed_at": _iso(row.closed_at),
    }


def _held(held: Held) -> Json:
    return [held.rule, _iso(held.until), held.rulebook, held.source, _short(held.body.decode())]


async def _ask_outbox(store: Store, stream: str) -> Json:
    outbox = store.outbox
    backlog = await outbox.backlog(stream)
    counts = await outbox.counts(stream)
    return {
        "counts": {f"{name} {state.value}": number for (name, state), number in sorted(counts.items())},
        "backlog": {name: [one.lane.value, _iso(one.oldest), one.dead] for name, one in sorted(backlog.items())},
        "next_due": {name: [_iso(one.due), one.error] for name, one in sorted((await outbox.next_due(stream)).items())},
        "pauses": {
            name: [_iso(one.since), _iso(one.probe), one.error]
            for name, one in sorted((await outbox.pauses(stream)).items())
        },
        "has_delivered": [name for name in sorted(backlog) if await outbox.has_delivered(stream, name)],
    }


def _letter(letter: DeadLetter | DamagedLetter) -> Json:
    if isinstance(letter, DamagedLetter):
        return {"id": letter.id, "died": _iso(letter.died), "error": letter.error, "is_damaged": True}
    return {
        "id": letter.delivery.id,
        "delivery": [letter.delivery.destination, letter.delivery.key, letter.delivery.turn],
        "attempts": letter.attempts,
        "born": _iso(letter.born),
        "died": _iso(letter.died),
        "error": letter.error,
    }


def claim_as_json(claim: Claim) -> Json:
    """What a claim says beside what it tells."""
    it = claim.delivery
    return [
        it.stream,
        it.destination,
        it.lane.value,
        it.key,
        it.turn,
        it.change.value,
        it.opened,
        it.trace,
        claim.number,
        claim.lost,
        _iso(claim.born),
        claim.opening.reference if claim.opening is not None else None,
    ]


async def _ask_groups(store: Store, state: Frozen) -> Json:
    destinations = sorted({row["PartitionKey"].partition(".")[2] for row in state.rows("groups")})
    return {
        "destinations": {stream: sorted(await store.groups.find_grouped_destinations(stream)) for stream in STREAMS},
        **{name: await _ask_destination(store, state, name) for name in destinations},
    }


async def _ask_destination(store: Store, state: Frozen, destination: str) -> Json:
    """The groups of a destination that stand; all that its states say is compared with what is written."""
    asked: dict[str, list[str]] = {MEMBER_STATE: [], GROUP_STATE: [], WINDOW_STATE: []}
    for name, row in state.stored_groups:
        tag, _, key = row.partition(":")
        if name == destination and tag in asked:
            asked[tag].append(key)
    members, groups, windows = asked.values()
    admission = await store.groups.read_admission("cwpp", destination)
    states = await store.groups.read_aggregation("cwpp", destination, members=members, groups=groups, windows=windows)
    _assert_states_say(admission, states, destination, state)
    return {
        "openings": [[_iso(one.at), one.pager, one.beyond, one.sample, one.gravity] for one in admission.openings],
        "unsure": sorted(admission.in_flight),
        "waiting": sorted(admission.waiting),
        "admitted": sorted(admission.admitted),
        "standing": sorted([key async for key, _ in store.groups.standing_groups("cwpp", destination)]),
    }


def _assert_states_say(admission: AdmissionState, states: AggregationState, destination: str, state: Frozen) -> None:
    written = {row: body for (name, row), body in state.stored_groups.items() if name == destination}
    found = {tag_of(admission): encode(admission)}
    for some in (states.members, states.groups, states.windows):
        found |= {f"{tag_of(entry)}:{key}": encode(entry) for key, entry in some.items()}
    assert found.keys() == written.keys()
    for row, body in written.items():
        # Its version is what the store calls it now.
        assert_says(found[row], {name: value for name, value in body.items() if name != "version"})


async def _ask_record(store: Store, state: Frozen) -> Json:
    keys = sorted({message_of(row["message"]) for row in state.rows("record")})
    return {key: outcome.value for key, outcome in sorted((await store.record.find_outcomes(keys)).items())}


def _quarantined(one: QuarantineEntry) -> Json:
    reason = one.quarantined.reason
    why = [reason.code.value, reason.words, one.quarantined.at_fault]
    if one.arrival.origin == "state":
        # A row that was set aside is written as its store has it, and named after that.
        return {"row": one.source[-32:], "stream": one.stream, "at": _iso(one.at), "why": why}
    return {
        "id": one.id,
        "source": one.source,
        "arrival": [one.arrival.key, _iso(one.arrival.enqueued)],
        "stream": one.stream,
        "at": _iso(one.at),
        "why": why,
        "body": _short(one.quarantined.body.decode("latin-1")),
    }


async def _ask_journal(store: Store) -> Json:
    found: Json = {}
    for epoch in EPOCHS:
        progress = await store.journal.read_progress(epoch.partition)
        asking = InFlightMarker(epoch, Span(0, 1_000_000), "who asks")
        markers = [one for one in await store.journal.place_markers([asking]) if one != asking]
        await store.journal.finish_markers([asking], [])
        found[epoch.origin] = {
            "progress": [
                progress.epoch.number,
                progress.settled,
                [progress.top[0], _iso(progress.top[1])] if progress.top is not None else None,
                _iso(progress.created),
            ],
            "taken": [
                [*one.span, _iso(one.enqueued), _iso(one.at)] for one in await store.journal.read_taken(epoch, 0)
            ],
            "marks": sorted([*one.span, one.process, one.alone] for one in markers),
        }
    for stream in STREAMS:
        losses = await store.journal.read_losses(stream)
        found[stream] = {
            "losses": [[one.epoch.origin, *one.span, _iso(one.at), one.why] for one in losses],
            "swept": _iso(await store.journal.find_last_sweep(stream)),
        }
    return found


def assert_says(encoded: bytes, written: Json) -> None:
    """Asserts that a value still says all that was written of it, under the names under which it was written."""
    _assert_within(orjson.loads(encoded), written, ())


def _assert_within(now: Json, written: Json, at: Sequence[str | int]) -> None:
    if isinstance(written, dict):
        assert isinstance(now, dict), at
        for name, value in written.items():
            assert name in now, (*at, name)
            _assert_within(now[name], value, (*at, name))
    elif isinstance(written, list):
        assert isinstance(now, list), at
        assert len(now) == len(written), at
        for place, value in enumerate(written):
            _assert_within(now[place], value, (*at, place))
    else:
        assert now == written, at


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time is not None else None


def _short(text: str | None) -> str | None:
    """A text, or a digest of a long one."""
    if text is None or len(text) <= 400:
        return text
    return f"{text[:40]}... {blake2b(text.encode(), digest_size=8).hexdigest()}"
