"""The life of a signal as JSON: a contract, described in docs/command-line.md."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from router.app.paging_answer import paging_answer, waits_of
from router.app.signal_life import DestinationLife, GroupLife, Presence, SignalLife
from router.app.signal_search import Meant
from router.decide import entry_document, iso
from router.decide.prose import unfilled
from router.destinations.wording.masking import masked
from router.domain.counts import decided_at
from router.domain.decisions import StepCode
from router.domain.deliveries import REFUSED_KEY, DeliveryState, DeliveryStatus
from router.domain.notices import RecordEntry
from router.domain.readable import one_line
from router.domain.resources import parse_resource_id
from router.domain.rulebook import Rulebook
from router.domain.silences import holder_words

_MASKED = frozenset({"title", "resource", "error", "words"})
"""The keys whose texts quote messages and answers, in which a credential may stand."""


def life_document(life: SignalLife, meant: Meant, now: datetime) -> dict[str, Any]:
    """Return the life of a signal at an instant, and how it was found."""
    latest, row, holder = life.latest, life.row, life.holder
    signal = _fields(latest, "id", "kind", "type", "title", "severity", "resource", "sample")
    open_at = [name for name, one in sorted(life.presences.items()) if one is Presence.OPEN]
    return {
        "paging": _fields(paging_answer(life, now), "code", "words"),
        "found_by": meant.via,
        "signal": {"key": life.key, "stream": life.stream, **signal},
        "now": {
            "resolved": row.state.resolved,
            "outcome": row.outcome,
            "open": {name: _opened(life, name) for name in open_at},
            "pending_turn": None,
        }
        if row
        else None,
        "held": {"by": holder.rule, **_fields(holder, "until", "since", "messages")} if holder else None,
        "silences": [
            _fields(one, "name", "author", "reason", "ticket", "made", "until", "ended")
            for one in life.silences.values()
        ],
        "decisions": [_decision(entry) for entry in life.decisions],
        "has_earlier_decisions": life.has_earlier,
        "destinations": [_destination(one) for one in life.destinations],
        "waits": [_fields(wait, "code", "destination", "key", "turn", "words") for wait in waits_of(life, now)],
    }


def holding_rules(life: SignalLife, book: Rulebook) -> list[dict[str, object]]:
    """Return for programs the suppression rules that hold a signal or held it, as far as the rules still have them."""
    names = [*([life.holder.rule] if life.holder is not None else []), *(one.suppressed_by for one in life.decisions)]
    rules = [rule for name in dict.fromkeys(names) if (rule := book.suppressions.by_name.get(name or "")) is not None]
    return [_fields(rule, "name", "owner", "expires", "reason", "comment") for rule in rules]


def match_document(one: Meant, latest: RecordEntry | None) -> dict[str, object]:
    """Return a signal that may be meant."""
    known = _fields(latest, "id", "type", "title", "resource", "at")
    return {"key": one.key, "stream": one.stream, "found_by": one.via, **known}


def decision_document(entry: RecordEntry) -> dict[str, Any]:
    """Return a decision as a line of a list: what it was about and why it is so, with no word that a ticket may not have."""
    texts = {name: getattr(entry, name) for name in ("reason", "id", "type", "plan", "resource")}
    parts = parse_resource_id(entry.resource)
    texts |= {"title": unfilled(entry.title or ""), "where": parts.name or parts.subscription or entry.resource}
    return {
        "at": iso(decided_at(entry)),
        "key": entry.signal,
        **{name: getattr(entry, name) for name in ("outcome", "stream", "severity", "sample", "turn", "destinations")},
        "held_by": holder_words(entry.suppressed_by) if entry.suppressed_by else None,
        **{name: one_line(masked(text)) if text else None for name, text in texts.items()},
    }


def is_titled(entry: RecordEntry, words: Collection[str]) -> bool:
    """Whether the title that the same document has says all of some words, which are case-folded."""
    title = one_line(masked(unfilled(entry.title or ""))).casefold()
    return all(word in title for word in words)


def _fields(one: object, *names: str) -> dict[str, object]:
    """Return some fields of a value as JSON has them; null for each where there is no value."""
    return {name: _plain(name, getattr(one, name)) if one is not None else None for name in names}


def _plain(name: str, value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    return (masked(value) or None) if name in _MASKED and isinstance(value, str) else value


def _decision(entry: RecordEntry) -> dict[str, object]:
    steps = [stored_step(step)._asdict() for step in entry.steps]
    more = {"at": entry.at, "key": entry.key, "turn": entry.turn, "steps": steps or None}
    return entry_document(entry) | _fields(entry, "title", "resource") | more


def _opened(life: SignalLife, name: str) -> int | None:
    """Return the turn that opened a signal where it is open, alone or in a group."""
    sent = (
        it for one in life.destinations if one.name == name for it in one.deliveries if it.state is DeliveryState.SENT
    )
    return max((one.opened for one in sent), default=life.row.open.get(name) if life.row is not None else None)


def _destination(one: DestinationLife) -> dict[str, object]:
    return {
        "name": one.name,
        "lane": one.lane,
        "paused": _fields(one.pause, "since", "probe", "error") if one.pause else None,
        "held": one.held,
        "not_ready": one.unready,
        "group": _group(one.group) if one.group else None,
        "deliveries": list(map(_delivery, one.deliveries)),
    }


def _group(group: GroupLife) -> dict[str, object]:
    return {
        "key": group.key,
        "by": dict(group.by),
        "signals": group.total,
        **_fields(group, "standing", "is_summary"),
        "open": group.is_open,
        **_fields(group, "waits_for_room", "changed"),
        "deliveries": list(map(_delivery, group.deliveries)),
    }


def _delivery(one: DeliveryStatus) -> dict[str, object]:
    handles = one.receipt.handles if one.receipt is not None else {}
    names = ("key", "turn", "lane", "change", "state", "born", "due", "settled", "attempts", "error")
    return {
        **_fields(one, *names),
        "failed": [_fields(failed, "at", "error") for failed in one.failed],
        **_fields(one.receipt, "reference", "link"),
        "refused": handles.get("refused"),
        "refused_key": handles.get(REFUSED_KEY),
    }


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
    return tomllib.loads(Path(__file__).with_name("decision_steps.toml").read_text(encoding="utf-8"))
