"""The gate: documents and a manifest -> what is covered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.coverage.assess import Assessed, assess
from router.coverage.clusters import assign_clusters
from router.coverage.documents import CoverageDocument
from router.coverage.facts import CoverageFact, Facts, PlanFact
from router.coverage.machines import assign_machines
from router.coverage.posture import SubscriptionPosture, posture_of
from router.coverage.readers import facts_of
from router.domain.coverage_manifest import CoverageManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What came of all documents.

    Attributes:
        assessed: the verdicts.
        used: the names of the documents that said something.
        unused: the names of the others, each with the reason.
        posture: whether recommendations are known to come, for each subscription that has a workload.
    """

    assessed: Assessed
    used: tuple[str, ...]
    unused: tuple[tuple[str, str], ...]
    posture: tuple[SubscriptionPosture, ...] = ()


def judge_documents(documents: Iterable[CoverageDocument], manifest: CoverageManifest, now: datetime) -> GateResult:
    """Judges what documents say, and keeps none of them; raises BadUsage where they do not fit together."""
    facts: list[CoverageFact] = []
    reasons: dict[str, str | None] = {}
    for document in documents:
        found = list(facts_of(document))
        facts += found
        reasons[document.name] = _why_unused(document, found)
    assigned = assign_clusters(facts, manifest)
    reasons |= dict.fromkeys(assigned.homeless, _HOMELESS)
    machines = assign_machines(assigned.facts)
    reasons |= machines.homeless
    all_facts = Facts.of(machines.facts)
    return GateResult(
        assessed=assess(all_facts, manifest, now),
        used=tuple(name for name, reason in reasons.items() if reason is None),
        unused=tuple((name, reason) for name, reason in reasons.items() if reason is not None),
        posture=posture_of(all_facts),
    )


_HOMELESS = "does not say which cluster it is of; write NAME=FILE"


def _why_unused(document: CoverageDocument, found: Sequence[CoverageFact]) -> str | None:
    if document.refusals:
        return f"holds an answer that was refused: {document.refusals[0].reason}"
    if not found:
        return "says nothing of what is judged"
    is_homeless = all(isinstance(fact, PlanFact) and fact.subject is None for fact in found)
    return "does not say of which subscription it is; write SUBSCRIPTION_ID=FILE" if is_homeless else None
