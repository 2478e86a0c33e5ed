"""What a rule or a silence would have held of what was decided, and would hold of what stands now: values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from router.domain.severity import gravity_of


class Amount(NamedTuple):
    """How much there is of something.

    Attributes:
        signals: how many signals, each once.
        decisions: how many decisions on them: one for each message, and one more where what held it had ended.
    """

    signals: int = 0
    decisions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSignal:
    """A signal that a preview names. Texts are as they arrived: whoever prints them masks them.

    Attributes:
        id, type, title, severity, resource: what it says of itself.
        at: when the latest decision on it was made that would have been another; None for what only stands.
        outcome: what was decided.
        held_by: the name of what held it; None where it was routed.
        destinations: the destinations that were told of it in the span that was looked at.
    """

    id: str | None
    type: str | None
    title: str | None
    severity: str | None
    resource: str | None
    outcome: str
    at: datetime | None = None
    held_by: str | None = None
    destinations: tuple[str, ...] = ()


class Spared(NamedTuple):
    """What a destination would not have been told.

    Attributes:
        opened: how many openings: new pages or tickets, or members of a group's.
        notices: how many notices in all.
    """

    opened: int = 0
    notices: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingPreview:
    """What a rule would hold of what stands now.

    Attributes:
        looked_at: how many signals that stand were looked at, of the types that the rule is about.
        signals: how many of them it covers.
        by_severity: the same by severity, the gravest first; an empty text is a severity that is not known.
        held_already: how many of them something holds now, by the name of what does.
        let_go: how many signals something of its name holds now and it would not: they would come out.
        named: some of them.
        unjudged: about how many it could not be asked, because what rules can match of them is not kept.
    """

    looked_at: int = 0
    signals: int = 0
    by_severity: Mapping[str, int] = field(default_factory=dict)
    held_already: Mapping[str, int] = field(default_factory=dict)
    let_go: int = 0
    named: Sequence[NamedSignal] = ()
    unjudged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a rule would have held. Its numbers are never to be added to those of another rule: both may hold the same.

    Attributes:
        name: the name under which it would be stored that it holds a signal.
        since, until: the span that was asked for.
        looked_at: how many decisions were looked at.
        held: what it would have held, also what others held.
        held_already: how many of these decisions were that something held it, by the name of what did.
        by_day: what it would have held, by the day in UTC.
        by_severity: the same by the severity, the gravest first; an empty text is one that is not known.
        by_tactic: the same by ATT&CK tactic id; a signal may have several, and an empty text is none.
        by_type: the same by type.
        named: some of the signals.
        spared: what destinations would not have been told, by their names.
        let_go: what something of its name held and it would not have: what a change of a rule lets through.
        unjudged: about how many decisions it could not be asked, because what rules can match of their signals is not kept:
            it was forgotten or damaged.
        standing: what it would hold of what stands now.
    """

    name: str
    since: datetime
    until: datetime
    looked_at: int
    held: Amount
    held_already: Mapping[str, int]
    by_day: Mapping[date, Amount]
    by_severity: Mapping[str, Amount]
    by_tactic: Mapping[str, Amount]
    by_type: Mapping[str, Amount]
    named: Sequence[NamedSignal]
    spared: Mapping[str, Spared]
    let_go: Amount
    unjudged: int
    standing: StandingPreview

    @property
    def gravest(self) -> int | None:
        """How grave the gravest signal is that it would have held or would hold now, as `gravity_of` has it; None for none."""
        return max(map(gravity_of, (*self.by_severity, *self.standing.by_severity)), default=None)
