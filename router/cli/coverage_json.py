"""What a gate found, for programs."""

from __future__ import annotations

from collections import Counter

from router.cli.coverage_summary import GateReport, exit_code_of, state_of, summary_of
from router.coverage.assess import CoverageRow
from router.coverage.plans.posture import SubscriptionPosture
from router.destinations.wording.masking import masked
from router.domain.coverage import CoverageEvidence, CoverageState, Verdict, Workload
from router.domain.timestamps import timestamp


def document_of(report: GateReport) -> dict[str, object]:
    """All of it, as JSON."""
    result, assessed = report.result, report.result.assessed
    states = Counter(map(state_of, assessed.rows))
    return {
        "summary": summary_of(report),
        "exit_code": exit_code_of(report),
        "manifest": report.manifest,
        "counts": {state.value: states[state] for state in CoverageState},
        "workloads": list(map(_row, assessed.rows)),
        "unlisted": list(map(_workload, assessed.unlisted)),
        "unmatched": [{"entry": number, "name": glob} for number, glob in assessed.unmatched],
        "idle_exceptions": list(report.idle_exceptions),
        "posture": list(map(_posture, result.posture)),
        "files": {
            "used": list(result.used),
            "unused": [{"file": name, "reason": masked(reason)} for name, reason in result.unused],
            "unanswered": [{"file": name, "reason": masked(reason)} for name, reason in result.unanswered],
            "refused": list(report.refused),
        },
    }


def _posture(posture: SubscriptionPosture) -> dict[str, object]:
    return {
        "subscription": posture.subscription,
        "name": posture.name,
        "known_on": posture.is_known_on,
        "reason": masked(posture.reason),
        "evidence": list(map(_evidence, posture.evidence)),
    }


def _evidence(one: CoverageEvidence) -> dict[str, object]:
    return {"document": one.document, "field": one.field, "value": masked(one.value), "time": one.time}


def _row(row: CoverageRow) -> dict[str, object]:
    return {
        **_workload(row.workload),
        "state": state_of(row).value,
        "rungs": {rung.value: _verdict(verdict) for rung, verdict in row.verdicts.items()},
    }


def _workload(workload: Workload) -> dict[str, object]:
    return {
        "kind": workload.kind.value,
        "name": workload.name,
        "id": workload.id,
        "subscription": workload.subscription,
    }


def _verdict(verdict: Verdict) -> dict[str, object]:
    excused = verdict.exception
    return {
        "state": verdict.state.value,
        "reason": masked(verdict.reason),
        "evidence": list(map(_evidence, verdict.evidence)),
        "remedy": verdict.remedy,
        "remarks": list(map(masked, verdict.remarks)),
        "counts": {state.value: many for state, many in verdict.counts.items()} if verdict.counts else None,
        "exception": {"owner": excused.owner, "reason": excused.reason, "ends": timestamp(excused.ends)}
        if excused
        else None,
    }
