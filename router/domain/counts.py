"""How decisions are counted: each entry of the record once, in the cell of its hour."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from router.domain.decisions import StepCode
from router.domain.hubs import message_of
from router.domain.notices import RecordEntry
from router.domain.values import Value

LONGEST_TEXT = 200
"""Characters of each part of a cell: no name of Defender's is as long, and no message makes a count long."""


TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?", re.ASCII)
"""How the id of an ATT&CK technique is written; messages may write anything for one."""


class Cell(NamedTuple):
    """What decisions are counted by, beside the hour. A question adds up the cells that it is about.

    Attributes:
        stream: the stream; empty where a message was not understood, and came in on no stream.
        rule: the suppression rule or silence that held the signal; empty where new rules found that it holds it still.
        techniques: those that are ids.
        notice: what people were notified of; empty for nothing.
        is_further: whether no message came in for it: what held a signal ended, a message that is on record was taken in again,
            or snapshots came without a finding.
    """

    stream: str
    outcome: str
    severity: str
    plan: str
    type: str
    rule: str
    tactics: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    notice: str = ""
    is_sample: bool = False
    is_further: bool = False


class RuleHits(Value):
    """How often a suppression rule or a silence held a signal, or a shadow rule would have, in its whole life.

    Attributes:
        total: how many decisions it made, those left out that only confirmed what it held.
    """

    total: int
    first: datetime
    last: datetime

    def joined(self, other: RuleHits) -> RuleHits:
        """The hits of both; no decision may be among both."""
        return RuleHits(self.total + other.total, min(self.first, other.first), max(self.last, other.last))


type Rule = tuple[str, str]
"""A suppression rule, a silence or a shadow rule: its stream and its name, as `router.domain.silences` gives it."""


def rule_of(stream: str | None, name: str) -> Rule:
    """What the hits of a rule are counted under, by its name on record."""
    return stream or "", counted_name(name)


def counted_name(name: str | None) -> str:
    """The name under which a rule, a type or a plan is counted."""
    return (name or "")[:LONGEST_TEXT]


def decided_at(entry: RecordEntry) -> datetime:
    """When a decision was made."""
    return datetime.fromisoformat(entry.at)


def is_held_anew(entry: RecordEntry) -> bool:
    """Whether no decision only confirmed that what held a signal holds it still."""
    return StepCode.LEDGER_STILL_HELD not in entry.steps


def cell_of(entry: RecordEntry) -> Cell:
    """The cell in which a decision is counted."""
    return Cell(
        stream=entry.stream or "",
        outcome=entry.outcome,
        severity=entry.severity or "",
        plan=counted_name(entry.plan),
        type=counted_name(entry.type),
        rule=counted_name(entry.suppressed_by) if is_held_anew(entry) else "",
        tactics=tuple(sorted(entry.tactics)),
        destinations=tuple(sorted(entry.destinations)),
        techniques=tuple(sorted(filter(TECHNIQUE.fullmatch, {id.strip().upper() for id in entry.techniques}))),
        notice=entry.notice or "",
        is_sample=entry.sample,
        is_further=message_of(entry.key) != entry.key or StepCode.SNAPSHOTS_UNSEEN in entry.steps,
    )


def counted(entries: Iterable[RecordEntry]) -> Mapping[datetime, Counter[Cell]]:
    """How many decisions are in each cell of each hour."""
    hours: dict[datetime, Counter[Cell]] = {}
    for entry in entries:
        hours.setdefault(decided_at(entry).replace(minute=0, second=0, microsecond=0), Counter())[cell_of(entry)] += 1
    return hours
