"""The life of a signal as JSON: a contract, described in docs/command-line.md."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from router.app.signal_life import DestinationLife, GroupLife, Presence, SignalLife
from router.app.signal_search import Meant
from router.cli.decisions import decision_of
from router.cli.signal_answers import paging_answer, waits_of
from router.destinations.wording.masking import masked
from router.domain.decisions import StepCode
from router.domain.deliveries import REFUSED_KEY, DeliveryState, DeliveryStatus
from router.domain.notices import RecordEntry
from router.domain.silences import Silence, holder_words
from router.store.ledger import HeldBy


def document_of(life: SignalLife, meant: Meant, now: datetime) -> dict[str, object]:
    """The life of a signal at an instant, and how it was found."""
    answer, latest, row = paging_answer(life, now), life.latest, life.row
    return {
        "paging": {"code": answer.code, "words": masked(answer.words)},
        "found_by": meant.via,
        "signal": {
            "key": life.key,
            "stream": life.stream,
            "id": latest.id if latest else None,
            "kind": latest.kind if latest else None,
            "type": latest.type if latest else None,
            "title": _masked(latest.title) if latest else None,
            "severity": latest.severity if latest else None,
            "resource": _masked(latest.resource) if latest else None,
            "sample": latest.sample if latest else None,
        },
        "now": {
            "resolved": row.state.resolved,
            "outcome": row.outcome,
            "open": {name: _opened(life, name) for name, one in sorted(life.presences.items()) if one is Presence.OPEN},
            "pending_turn": None,
        }
        if row
        else None,
        "held": _holder(life.holder) if life.holder else None,
        "silences": [_silence(one) for one in life.silences.values()],
        "decisions": [_decision(entry) for entry in life.decisions],
        "has_earlier_decisions": life.has_earlier,
        "destinations": [_destination(one) for one in life.destinations],
        "waits": [
            {
                "code": wait.code,
                "destination": wait.destination,
                "key": wait.key,
                "turn": wait.turn,
                "words": masked(wait.words),
            }
            for wait in waits_of(life, now)
        ],
    }


def match_document(one: Meant, latest: RecordEntry | None) -> dict[str, object]:
    """A signal that may be meant."""
    return {
        "key": one.key,
        "stream": one.stream,
        "found_by": one.via,
        "id": latest.id if latest else None,
        "type": latest.type if latest else None,
        "title": _masked(latest.title) if latest else None,
        "resource": _masked(latest.resource) if latest else None,
        "at": latest.at if latest else None,
    }


def _decision(entry: RecordEntry) -> dict[str, object]:
    steps = [stored_step(step)._asdict() for step in entry.steps]
    shown = {"title": _masked(entry.title), "resource": _masked(entry.resource)}
    more = {"at": entry.at, "key": entry.key, "turn": entry.turn, "steps": steps or None}
    return decision_of(entry) | shown | more


def _holder(one: HeldBy) -> dict[str, object]:
    return {"by": one.rule, "until": _iso(one.until), "since": _iso(one.since), "messages": one.messages}


def _silence(one: Silence) -> dict[str, object]:
    return {
        "name": one.name,
        "author": one.author,
        "reason": one.reason,
        "ticket": one.ticket,
        "made": _iso(one.made),
        "until": _iso(one.until),
        "ended": _iso(one.ended),
    }


def _opened(life: SignalLife, name: str) -> int | None:
    """The turn that opened a signal where it is open, alone or in a group."""
    sent = (
        it for one in life.destinations if one.name == name for it in one.deliveries if it.state is DeliveryState.SENT
    )
    return max((one.opened for one in sent), default=life.row.open.get(name) if life.row is not None else None)


def _destination(one: DestinationLife) -> dict[str, object]:
    return {
        "name": one.name,
        "lane": one.lane,
        "paused": {
            "since": _iso(one.pause.since),
            "probe": _iso(one.pause.probe),
            "error": masked(one.pause.error),
        }
        if one.pause
        else None,
        "held": one.held,
        "not_ready": one.unready,
        "group": _group(one.group) if one.group else None,
        "deliveries": [_delivery(delivery) for delivery in one.deliveries],
    }


def _group(group: GroupLife) -> dict[str, object]:
    return {
        "key": group.key,
        "by": dict(group.by),
        "signals": group.total,
        "standing": group.standing,
        "is_summary": group.is_summary,
        "open": group.is_open,
        "waits_for_room": group.waits_for_room,
        "changed": _iso(group.changed),
        "deliveries": [_delivery(delivery) for delivery in group.deliveries],
    }


def _delivery(one: DeliveryStatus) -> dict[str, object]:
    receipt = one.receipt
    return {
        "key": one.key,
        "turn": one.turn,
        "lane": one.lane,
        "change": one.change,
        "state": one.state,
        "born": _iso(one.born),
        "due": _iso(one.due),
        "settled": _iso(one.settled),
        "attempts": one.attempts,
        "error": _masked(one.error),
        "failed": [{"at": _iso(failed.at), "error": masked(failed.error)} for failed in one.failed],
        "reference": receipt.reference if receipt else None,
        "link": receipt.link if receipt else None,
        "refused": receipt.handles.get("refused") if receipt else None,
        "refused_key": receipt.handles.get(REFUSED_KEY) if receipt else None,
    }


def _masked(text: str | None) -> str | None:
    return masked(text) if text else None


def _iso(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at is not None else None


_OF_HOLDERS = frozenset({StepCode.SUPPRESSION_HELD, StepCode.SILENCE_REFUSED, StepCode.SILENCE_SPENT})
"""The steps that a rule or a silence answers."""


class StoredStep(NamedTuple):
    """A step of a decision as it stands on record; `rule` is the name of what answered, if it has one."""

    code: str
    rule: str | None
    words: str


def stored_step(written: str) -> StoredStep:
    """Return a step of the record in words; one that only a later program knows stays as it is written."""
    code, _, rule = written.partition("=")
    words = step_words().get(code, written)
    return StoredStep(code, rule or None, words.replace("{rule}", holder_words(rule) if code in _OF_HOLDERS else rule))


@cache
def step_words() -> Mapping[str, str]:
    """Return what each step says, by its code."""
    return tomllib.loads(Path(__file__).with_name("step_words.toml").read_text(encoding="utf-8"))
