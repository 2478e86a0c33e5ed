"""Every workload that is expected, on every rung that is expected of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import replace
from datetime import datetime

from router.coverage.expected.manifest import (
    DEFAULT_RUNGS,
    EVERY_NAME,
    SPOKEN_OF_RUNGS,
    CoverageManifest,
    Excuses,
    Expectation,
    NamedWorkloads,
    SelectorIndex,
    find_exception,
    named_workload,
)
from router.coverage.facts import CoverageCase, Facts, ResourceFact
from router.coverage.judges import judged_rungs, judges
from router.coverage.remedies import ASK_CONNECTORS, ask_plans, graph_query
from router.coverage.verdicts import CoverageRow, CoverageState, Verdict, Workload, not_coverable, unknown
from router.domain.coverage import Rung, WorkloadKind
from router.domain.values import Value

_CONNECTED = frozenset({WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT})
_EXCUSABLE = (CoverageState.GAP, CoverageState.UNKNOWN)


class Assessed(Value, kw_only=True):
    """What was found.

    Attributes:
        unlisted: the workloads that the documents name and no entry of the manifest fits.
        unmatched: the globs of the manifest that fit no workload, each with the number of its entry.
    """

    rows: tuple[CoverageRow, ...] = ()
    unlisted: tuple[Workload, ...] = ()
    unmatched: tuple[tuple[int, str], ...] = ()

    @property
    def missed(self) -> tuple[tuple[int, str], ...]:
        """Those of `unmatched` that say how something is called, so that it should be there, and no document names it.

        `*` is what an entry has that says a kind alone, of which there may be none.
        """
        return tuple((number, glob) for number, glob in self.unmatched if glob != EVERY_NAME)

    def verdicts(self) -> Iterator[tuple[Workload, Rung, Verdict]]:
        """Every verdict."""
        for row in self.rows:
            for rung, verdict in row.verdicts.items():
                yield row.workload, rung, verdict


def assess(facts: Facts, manifest: CoverageManifest, now: datetime) -> Assessed:
    """Judges every workload that the facts name, and every one that the manifest names and the facts do not."""
    workloads = _workloads(facts)
    entries = SelectorIndex(one.selects for one in manifest.expectations)
    rows: list[CoverageRow] = []
    unlisted: list[Workload] = []
    for workload in sorted(workloads.values(), key=_order):
        if not (fitting := entries.positions(workload)):
            unlisted.append(workload)
            continue
        expectation = manifest.expectations[fitting[0]]
        case = CoverageCase(workload=workload, expectation=expectation, manifest=manifest, facts=facts, now=now)
        rows.append(CoverageRow(workload=workload, verdicts=_judged(case)))
    there = NamedWorkloads(workloads.values())
    absent = _absent_workloads(manifest, there)
    rows += [CoverageRow(workload=workload, verdicts=_unknown(workload, *why)) for workload, why in absent.items()]
    excuses = Excuses(manifest, there)
    return Assessed(
        rows=tuple(_excused(row, excuses, now) for row in sorted(rows, key=lambda row: _order(row.workload))),
        unlisted=tuple(unlisted),
        unmatched=tuple(_unmatched_names(manifest, there)),
    )


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


def _judged(case: CoverageCase) -> Mapping[Rung, Verdict]:
    """What is known on each rung that is expected."""
    kind = case.workload.kind
    verdicts: dict[Rung, Verdict] = {}
    for rung in judged_rungs(kind):
        verdict = _unless_disabled(case, judges()[kind, rung](case))
        if verdict is not None and _is_expected(rung, case.expectation, is_spoken_of=True):
            verdicts[rung] = verdict
    return verdicts


def _unless_disabled(case: CoverageCase, verdict: Verdict | None) -> Verdict | None:
    """A verdict that is not covered becomes not coverable in a subscription that every document calls disabled.

    https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states
    """
    if case.workload.kind is not WorkloadKind.SUBSCRIPTION or verdict is None or verdict.state is CoverageState.COVERED:
        return verdict
    said = [fact for fact in case.about(ResourceFact) if fact.is_stopped is not None]
    if not said or not all(fact.is_stopped for fact in said):
        return verdict
    return not_coverable("the subscription is disabled", said[0].source.shows("state", "Disabled"))


def _unknown(workload: Workload, expectation: Expectation, reason: str) -> Mapping[Rung, Verdict]:
    """What is known of a workload that no document names for certain."""
    verdict = unknown(reason, remedy=_finding_command(workload))
    rungs = judged_rungs(workload.kind)
    return {rung: verdict for rung in rungs if _is_expected(rung, expectation, is_spoken_of=False)}


def _is_expected(rung: Rung, expectation: Expectation, *, is_spoken_of: bool) -> bool:
    if expectation.rungs is not None:
        return rung in expectation.rungs
    return rung in DEFAULT_RUNGS or (rung in SPOKEN_OF_RUNGS and is_spoken_of)


def _absent_workloads(manifest: CoverageManifest, there: NamedWorkloads) -> Mapping[Workload, tuple[Expectation, str]]:
    """The workloads that entries name one by one and no document names for certain, each with its entry and why."""
    above = SelectorIndex()
    found: dict[Workload, tuple[Expectation, str]] = {}
    for entry in manifest.expectations:
        if (kind := _only_kind(entry)) is not None:
            selects = entry.selects
            for name in selects.named:
                doubt = there.find_doubt(selects, name, kind)
                if doubt != "" and not above.find_covering([kind], [name], selects.subscriptions):
                    why = entry, doubt or "no document names it"
                    found.setdefault(named_workload(kind, name, selects.subscription), why)
        above.add(entry.selects)
    return found


def _unmatched_names(manifest: CoverageManifest, there: NamedWorkloads) -> Iterator[tuple[int, str]]:
    """The globs of a manifest that fit nothing, and the names of which it does not say what they are; with their entries."""
    for entry in manifest.expectations:
        if entry.number:
            names = entry.selects.names if _only_kind(entry) is None else entry.selects.globs
            yield from ((entry.number, name) for name in names if not there.has(entry.selects, name))


def _only_kind(entry: Expectation) -> WorkloadKind | None:
    kinds = entry.selects.kinds
    return next(iter(kinds)) if len(kinds) == 1 else None


def _finding_command(workload: Workload) -> str:
    """The command that says whether there is a workload, and what it is."""
    if workload.kind is WorkloadKind.SUBSCRIPTION and workload.id:
        return ask_plans(workload.id.rpartition("/")[2])
    if workload.kind in _CONNECTED:
        return ASK_CONNECTORS
    field, text = ("id", workload.id) if workload.id else ("name", workload.name)
    # https://learn.microsoft.com/kusto/query/scalar-data-types/string
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
    return graph_query(f'resources | where {field} =~ "{escaped}"')


def _excused(row: CoverageRow, excuses: Excuses, now: datetime) -> CoverageRow:
    """The row, with what is excused in it: each verdict by the exception that ends last. Its reason stays as it was."""
    verdicts, mine = dict(row.verdicts), excuses.about(row.workload)
    for rung, verdict in row.verdicts.items():
        if verdict.state in _EXCUSABLE and (exception := find_exception(mine, rung, now)) is not None:
            verdicts[rung] = replace(verdict, state=CoverageState.EXCUSED, exception=exception, excused=verdict.state)
    return replace(row, verdicts=verdicts)
