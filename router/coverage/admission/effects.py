"""What a gate does with a pod that breaks a rule, and the verdicts of its parts as one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from router.coverage.admission.namespaces import GatedNamespace, Reach, any_reaches
from router.coverage.kubernetes.asks import joint_asks
from router.coverage.verdicts import CoverageState, Verdict

MANY = 3
"""How many names a sentence lists before it counts the rest."""


class AdmissionEffect(IntEnum):
    """What a gate, or a rule of it, does with a pod that breaks the rule; each does what the ones before it do.

    Attributes:
        NOTHING: it admits the pod, and nobody learns of it.
        AUDITS: it admits the pod and records or warns.
        DENIES: it refuses the pod.
    """

    NOTHING = 0
    AUDITS = 1
    DENIES = 2

    @property
    def verb(self) -> str:
        """As a sentence says it of a gate."""
        return {self.NOTHING: "does nothing", self.AUDITS: "audits", self.DENIES: "denies"}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAnswer:
    """What is known of one gate.

    Attributes:
        name: what people call it.
        is_there: whether any object of it was seen, so that somebody put it there.
        verdict: whether it does what is needed, in whichever namespace.
        reach: whether it does so in one namespace.
        namespaces: those of its own parts, which it may leave out.
        refusal: the pattern of what the API server says where this gate refuses something.
    """

    name: str
    is_there: bool
    verdict: Verdict
    reach: Callable[[GatedNamespace], Reach]
    namespaces: frozenset[str] = frozenset()
    refusal: str


def best_of(answers: Sequence[GateAnswer]) -> GateAnswer:
    """Of the same gate's webhooks, as an older installation leaves one behind, the one that works best.

    Where several work, each may look at other namespaces.
    """
    order = (CoverageState.COVERED, CoverageState.UNKNOWN, CoverageState.GAP)
    best = min(answers, key=lambda one: order.index(one.verdict.state))
    alike = [one for one in answers if one.verdict.state is best.verdict.state]
    return replace(
        best,
        reach=lambda namespace: any_reaches(one.reach(namespace) for one in alike),
        namespaces=frozenset[str]().union(*(one.namespaces for one in alike)),
    )


def all_of(parts: Sequence[Verdict]) -> Verdict:
    """The verdict on something that needs all its parts: one gap is a gap, else one unknown part leaves it unknown."""
    state = next(
        (state for state in (CoverageState.GAP, CoverageState.UNKNOWN) if any(one.state is state for one in parts)),
        CoverageState.COVERED,
    )
    decisive = [one for one in parts if one.state is state]
    return Verdict(
        state=state,
        reason="; ".join(one.reason for one in decisive),
        evidence=tuple(evidence for one in decisive for evidence in one.evidence),
        remedy=remedy_of(decisive),
        remarks=tuple(remark for one in parts for remark in one.remarks),
        limits=tuple(limit for one in parts for limit in one.limits),
    )


def remedy_of(decisive: Sequence[Verdict]) -> str | None:
    """What mends the first of some gaps, or all that is to be asked where they are unknown, so that nobody asks in rounds."""
    remedies = [one.remedy for one in decisive if one.remedy]
    if any(one.state is CoverageState.GAP for one in decisive):
        return next(iter(remedies), None)
    return joint_asks(remedies)


def listed(names: Sequence[object], most: int = MANY) -> str:
    """Some names as a sentence lists them: the first few, and how many more there are."""
    more = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {more} more" if more > 0 else "")
