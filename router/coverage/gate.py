"""The gate: documents and a manifest -> what is covered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.coverage.assess import Assessed, assess
from router.coverage.clusters import assign_clusters
from router.coverage.documents import CoverageDocument
from router.coverage.facts import CoverageFact, Facts
from router.coverage.readers import facts_of
from router.domain.coverage_manifest import CoverageManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What came of all documents.

    Attributes:
        assessed: the verdicts.
        used: the names of the documents that said something.
        unused: the names of the others, each with the reason.
    """

    assessed: Assessed
    used: tuple[str, ...]
    unused: tuple[tuple[str, str], ...]


def judge_documents(documents: Sequence[CoverageDocument], manifest: CoverageManifest, now: datetime) -> GateResult:
    """Judges what documents say; raises BadUsage where they do not fit together."""
    facts = {document.name: list(facts_of(document)) for document in documents}
    assigned = assign_clusters([fact for some in facts.values() for fact in some], manifest)
    unused = dict(_unused(documents, facts))
    unused |= dict.fromkeys(
        assigned.homeless, "does not say which cluster it is of, and there are several; write NAME=FILE"
    )
    return GateResult(
        assessed=assess(Facts.of(assigned.facts), manifest, now),
        used=tuple(name for name in facts if name not in unused),
        unused=tuple(unused.items()),
    )


def _unused(
    documents: Iterable[CoverageDocument], facts: Mapping[str, Sequence[CoverageFact]]
) -> Iterable[tuple[str, str]]:
    for document in documents:
        if document.refusals:
            yield document.name, f"holds an answer that was refused: {document.refusals[0].reason}"
        elif not facts[document.name]:
            yield document.name, "says nothing of what is judged"
