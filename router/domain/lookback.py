"""What a store gives to whoever looks back over what was decided, and at what stands now: pages, and how far they reach."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.notices import RecordEntry
from router.domain.rule_fields import RuleFields
from router.domain.severity import Severity


class Looked(NamedTuple):
    """How far back a walk over decisions has looked.

    Attributes:
        back_to: the instant that it has come to: no decision later than that is left to be looked at.
        is_whole: whether nothing at all is left, of what was asked for; `back_to` is where the asked span begins then.
    """

    back_to: datetime
    is_whole: bool


class DecisionPage(NamedTuple):
    """A page of decisions.

    Attributes:
        entries: the decisions, the latest first, none of them later than any of a page before.
        looked: how far back the walk has looked after this page. That of the last page is where it ended.
    """

    entries: Sequence[RecordEntry]
    looked: Looked


class StandingSignal(NamedTuple):
    """A signal that stands and that rules could match: it was routed, or a rule holds it.

    Attributes:
        key: its key in the ledger.
        outcome: the outcome of its latest turn, ROUTED or SUPPRESSED.
        severity: how severe it was when last observed; None where no severity is known.
        held_by: the name of what holds it; None where nothing does.
        fields: what rules can match of it; None where that is not kept: only key and place of it were left, or what is
            stored is damaged.
    """

    key: str
    outcome: Outcome
    severity: Severity | None
    held_by: str | None
    fields: RuleFields | None

    def is_of_type(self, types: Collection[str] | None) -> bool:
        """Whether a rule for one of these types, case-folded, may be about it; it may where nothing says its type."""
        if types is None or self.fields is None:
            return True
        category = self.fields.category
        return self.fields.type.casefold() in types or (category is not None and category.casefold() in types)


class StandingPage(NamedTuple):
    """A page of signals that stand.

    Attributes:
        signals: the signals.
        is_whole: whether nothing is left to be looked at after this page. On the last page it says whether all were looked at.
    """

    signals: Sequence[StandingSignal]
    is_whole: bool


class HeldCounts(NamedTuple):
    """How many signals that stand are held.

    Attributes:
        by_name: how many, by the name of what holds them; a name that holds nothing is missing.
        is_whole: whether all were counted. If not, there are at least so many.
    """

    by_name: Mapping[str, int]
    is_whole: bool
