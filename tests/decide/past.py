"""Past decisions for tests: drawn, and by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from router.decide.blind_spots import AttackOutcomes, PastDecision
from router.domain.decisions import Outcome
from tests.builders import NOW, the_attack_table


def a_past_decision(signal: str = "one", outcome: Outcome = Outcome.ROUTED, **changes: Any) -> PastDecision:
    """A decision on a signal that names one technique and one tactic."""
    named: dict[str, Any] = {"tactics": ("TA0006",), "techniques": ("T1110",)}
    given: dict[str, Any] = {"type": "VM_Test", "at": NOW, "rulebook": "0123456789ab"} | named
    return PastDecision(signal=signal, outcome=outcome, **(given | changes))


def a_held_decision(signal: str = "one", by: str = "scanner", at: datetime = NOW, **changes: Any) -> PastDecision:
    """The same, which a rule held."""
    return a_past_decision(
        signal, Outcome.SUPPRESSED, held_by=by, held_until=NOW + timedelta(days=30), at=at, **changes
    )


def outcomes_of(*decisions: PastDecision) -> AttackOutcomes:
    """What became of the signals of some decisions, by the starter's table."""
    outcomes = AttackOutcomes(the_attack_table())
    outcomes.add(decisions)
    return outcomes


TECHNIQUES = ("T1110", "T1110.003", "T1059", "T1562.001", "T1685", "t1059", "T1070.001", "nonsense", "T10", "")
"""Sound ids, revoked ones, one in lower case, and what is none."""

TACTICS = ("TA0006", "TA0005", "TA0112", "TA9999", "")
TYPES = ("VM_Test", "vm_test", "VM_Other", "")

INSTANTS = st.none() | st.integers(0, 60).map(lambda days: NOW - timedelta(days=days))


def _a_few(of: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(of), max_size=3, unique=True).map(tuple)


PAST_DECISIONS = st.lists(
    st.builds(
        PastDecision,
        signal=st.sampled_from("abcd"),
        type=st.sampled_from(TYPES),
        outcome=st.sampled_from(Outcome),
        at=INSTANTS,
        held_by=st.sampled_from((None, "scanner", "other", "silence:ab12cd")),
        held_until=INSTANTS,
        tactics=_a_few(TACTICS),
        techniques=_a_few(TECHNIQUES),
        rulebook=st.sampled_from(("", "h1", "h2")),
        is_quiet=st.booleans(),
        is_sample=st.booleans(),
    ),
    max_size=12,
)
