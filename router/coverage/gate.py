"""The gate: documents and a manifest -> what is covered. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from router.coverage.assess import Assessed, assess
from router.coverage.assignment import assign_clusters, assign_machines
from router.coverage.documents import CoverageDocument
from router.coverage.expected.manifest import CoverageManifest
from router.coverage.facts import CoverageFact, Facts
from router.coverage.judges.alerts import last_drills
from router.coverage.readers import read_facts
from router.coverage.recommendations import SubscriptionPosture, judge_posture
from router.coverage.sources import ReportedSource, reported_sources
from router.coverage.stored import DrillFact
from router.coverage.truncated_lists import ListPage, cut_lists
from router.domain.values import Value


class GateResult(Value, kw_only=True):
    """What came of all documents.

    Attributes:
        unused: the names of the others, each with the reason.
        unanswered: the names of those that hold an answer that was refused or cut, each with the reason.
    """

    assessed: Assessed
    used: tuple[str, ...]
    unused: tuple[tuple[str, str], ...]
    unanswered: tuple[tuple[str, str], ...] = ()
    posture: tuple[SubscriptionPosture, ...] = ()
    sources: tuple[ReportedSource, ...] = ()
    drills: tuple[DrillFact, ...] = ()


def judge_documents(documents: Iterable[CoverageDocument], manifest: CoverageManifest, now: datetime) -> GateResult:
    """Judges what documents say, and keeps none of them; raises BadUsage where they do not fit together."""
    facts: list[CoverageFact] = []
    reasons: dict[str, str | None] = {}
    pages: list[ListPage] = []
    unanswered: dict[str, str] = {}
    for document in documents:
        found = list(read_facts(document))
        facts += found
        pages += document.pages
        # Documents of one name are one, as the facts of a state are.
        why = None if found else document.why_empty or "says nothing of what is judged"
        reasons[document.name] = why if reasons.get(document.name, why) else None
        if document.refusals:
            unanswered[document.name] = f"holds an answer that was refused: {document.refusals[0].reason}"
    for name, reason in cut_lists(pages):
        unanswered.setdefault(name, reason)
    assigned, of_no_cluster = assign_clusters(facts, manifest)
    reasons |= dict.fromkeys(of_no_cluster, _UNASSIGNED)
    assigned, of_no_machine = assign_machines(assigned)
    reasons |= of_no_machine
    all_facts = Facts.of(assigned)
    assessed = assess(all_facts, manifest, now)
    return GateResult(
        assessed=assessed,
        used=tuple(name for name, reason in reasons.items() if reason is None),
        unused=tuple((name, unanswered.get(name, reason)) for name, reason in reasons.items() if reason is not None),
        unanswered=tuple(unanswered.items()),
        posture=judge_posture(all_facts, manifest, now),
        sources=tuple(reported_sources(all_facts, assessed, manifest, now)),
        drills=tuple(last_drills(all_facts.every(DrillFact))),
    )


_UNASSIGNED = "does not say which cluster it is of; write NAME=FILE"
