"""Signals that stand, as rules and silences are asked about them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.rule_fields import RuleFields
from router.domain.severity import Severity


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
