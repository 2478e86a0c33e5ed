"""Every workload that is expected, on every rung that is expected of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from router.coverage.facts import Facts, ResourceFact
from router.coverage.judges import CoverageCase, judges, rungs_of
from router.domain.coverage import CoverageState, Rung, Verdict, Workload, WorkloadKind, unknown
from router.domain.coverage_manifest import DEFAULT_RUNGS, SPOKEN_OF_RUNGS, CoverageManifest, Expectation

_EXCUSABLE = (CoverageState.GAP, CoverageState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRow:
    """A workload, and what is known of it.

    Attributes:
        workload: the workload.
        verdicts: what is known on each rung that is expected of it, from the bottom up.
    """

    workload: Workload
    verdicts: Mapping[Rung, Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """What was found.

    Attributes:
        rows: the workloads that are expected, by kind and name.
        unlisted: the workloads that the documents name and no entry of the manifest fits.
        unmatched: the globs of the manifest that fit no workload, each with the number of its entry.
    """

    rows: tuple[CoverageRow, ...] = ()
    unlisted: tuple[Workload, ...] = ()
    unmatched: tuple[tuple[int, str], ...] = ()

    def verdicts(self) -> Iterator[tuple[Workload, Rung, Verdict]]:
        """Every verdict."""
        for row in self.rows:
            for rung, verdict in row.verdicts.items():
                yield row.workload, rung, verdict


def assess(facts: Facts, manifest: CoverageManifest, now: datetime) -> Assessed:
    """Judges every workload that the facts name, and every one that the manifest names and the facts do not."""
    workloads = _workloads(facts)
    rows, unlisted = [], []
    for workload in sorted(workloads.values(), key=_order):
        expectation = manifest.expectation_for(workload)
        if expectation is None:
            unlisted.append(workload)
        else:
            rows.append(_judged(workload, expectation, manifest, facts, now))
    return Assessed(rows=tuple(rows), unlisted=tuple(unlisted))


def _workloads(facts: Facts) -> dict[tuple[WorkloadKind, str], Workload]:
    """Each workload once, by the name that people call it where any document says that and not only its id."""
    found: dict[tuple[WorkloadKind, str], Workload] = {}
    for fact in facts.every(ResourceFact):
        known = found.get(fact.workload.key, fact.workload)
        found[known.key] = min(known, fact.workload, key=_spelling)
    return found


def _spelling(workload: Workload) -> tuple[bool, str, str]:
    """The order of spellings: capitals come first, as Resource Graph has ids in lower case."""
    is_from_id = workload.subject.endswith(f"/{workload.name.lower()}")
    return is_from_id, workload.name, workload.id or ""


def _order(workload: Workload) -> tuple[str, str, str]:
    return workload.kind, workload.name.lower(), workload.subject


def _judged(
    workload: Workload, expectation: Expectation, manifest: CoverageManifest, facts: Facts, now: datetime
) -> CoverageRow:
    case = CoverageCase(workload=workload, expectation=expectation, manifest=manifest, facts=facts, now=now)
    verdicts: dict[Rung, Verdict] = {}
    for rung in rungs_of(workload.kind):
        verdict = judges()[workload.kind, rung].judge(case)
        if verdict is None and rung in DEFAULT_RUNGS:
            continue  # this workload does not have it
        if _is_expected(rung, expectation, is_spoken_of=verdict is not None):
            verdict = verdict or unknown("nothing that was given speaks of it", remedy=None)
            verdicts[rung] = _excused(workload, rung, verdict, manifest, now)
    return CoverageRow(workload=workload, verdicts=verdicts)


def _is_expected(rung: Rung, expectation: Expectation, *, is_spoken_of: bool) -> bool:
    if expectation.rungs is not None:
        return rung in expectation.rungs
    return rung in DEFAULT_RUNGS or (rung in SPOKEN_OF_RUNGS and is_spoken_of)


def _excused(workload: Workload, rung: Rung, verdict: Verdict, manifest: CoverageManifest, now: datetime) -> Verdict:
    """The verdict, or the same excused by the entry that ends last."""
    if verdict.state not in _EXCUSABLE:
        return verdict
    exceptions = (
        one.exception
        for one in manifest.excuses
        if (not one.rungs or rung in one.rungs) and now < one.exception.ends and one.selects.fits(workload)
    )
    exception = max(exceptions, key=lambda one: one.ends, default=None)
    return verdict if exception is None else replace(verdict, state=CoverageState.EXCUSED, exception=exception)
