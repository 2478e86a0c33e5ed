"""What a gate found, for programs."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from router.coverage.assess import CoverageRow
from router.coverage.plans.posture import SubscriptionPosture
from router.coverage.readers.drills import DrillFact, DrillStep
from router.coverage.report.summary import GateReport, age_seconds, exit_code_of, state_of, summary_of
from router.coverage.sources import ReportedSource
from router.coverage.verdicts import CoverageEvidence, CoverageException, CoverageState, Verdict, Workload
from router.destinations.wording.masking import masked
from router.domain.texts import timestamp


def document_of(report: GateReport, now: datetime) -> dict[str, object]:
    """All of it, as JSON."""
    result, assessed = report.result, report.result.assessed
    states = Counter(map(state_of, assessed.rows))
    return {
        "summary": summary_of(report),
        "exit_code": exit_code_of(report),
        "manifest": report.manifest,
        "counts": {state.value: states[state] for state in CoverageState},
        "workloads": [_row(row, now) for row in assessed.rows],
        "unlisted": list(map(_workload, assessed.unlisted)),
        "unmatched": [{"entry": number, "name": glob} for number, glob in assessed.unmatched],
        "idle_exceptions": list(report.idle_exceptions),
        "posture": [_posture(one, now) for one in result.posture],
        "sources": [_source(one, now) for one in result.sources],
        "drills": list(map(_drill, result.drills)),
        "files": {
            "used": list(result.used),
            "unused": [{"file": name, "reason": masked(reason)} for name, reason in result.unused],
            "unanswered": [{"file": name, "reason": masked(reason)} for name, reason in result.unanswered],
            "refused": list(report.refused),
        },
    }


def _posture(posture: SubscriptionPosture, now: datetime) -> dict[str, object]:
    return {
        "subscription": posture.subscription,
        "name": posture.name,
        "known_on": posture.is_known_on,
        "reason": masked(posture.reason),
        "evidence": [_evidence(one, now) for one in posture.evidence],
    }


def _source(one: ReportedSource, now: datetime) -> dict[str, object]:
    heard = one.heard
    instants = {
        "heard": heard.last,
        "posture": heard.posture,
        "snapshot": heard.snapshot,
        "healthy": heard.healthy,
        "alert": heard.alert,
        "real_alert": heard.real_alert,
    }
    return {
        "kind": heard.source.kind.value,
        "name": one.name,
        "subject": heard.source.subject,
        "plan": heard.source.plan or None,
        "subscription": heard.subscription,
        "expected": one.is_expected,
        "silent": one.is_silent,
        "allowed_silence_seconds": int(one.within.total_seconds()) if one.within is not None else None,
        **{name: timestamp(instant) if instant is not None else None for name, instant in instants.items()},
        "real_alert_type": heard.real_alert_type,
        "age_seconds": int((now - heard.last).total_seconds()) if heard.last is not None else None,
        "exception": _exception(one.exception),
    }


def _drill(drill: DrillFact) -> dict[str, object]:
    return {
        "subscription": drill.subject.rpartition("/")[2],
        "exercise": drill.exercise,
        "cluster": drill.cluster,
        "machine": drill.machine,
        "ended": timestamp(drill.ended) if drill.ended is not None else None,
        "verdict": drill.verdict,
        "reason": masked(drill.reason),
        "failed_hop": drill.failed_hop,
        "hops": list(map(_step, drill.hops)),
        "destinations": list(map(_step, drill.destinations)),
    }


def _step(step: DrillStep) -> dict[str, object]:
    return {"name": step.name, "seconds": step.seconds, "verdict": step.verdict}


def _evidence(one: CoverageEvidence, now: datetime) -> dict[str, object]:
    return {
        "document": one.document,
        "field": one.field,
        "value": masked(one.value),
        "time": one.time,
        "known_at": one.known_at,
        "age_seconds": age_seconds(one, now),
    }


def _row(row: CoverageRow, now: datetime) -> dict[str, object]:
    return {
        **_workload(row.workload),
        "state": state_of(row).value,
        "rungs": {rung.value: _verdict(verdict, now) for rung, verdict in row.verdicts.items()},
    }


def _workload(workload: Workload) -> dict[str, object]:
    return {
        "kind": workload.kind.value,
        "name": workload.name,
        "id": workload.id,
        "subscription": workload.subscription,
    }


def _verdict(verdict: Verdict, now: datetime) -> dict[str, object]:
    return {
        "state": verdict.state.value,
        "reason": masked(verdict.reason),
        "evidence": [_evidence(one, now) for one in verdict.evidence],
        "remedy": verdict.remedy,
        "remarks": list(map(masked, verdict.remarks)),
        "counts": {state.value: many for state, many in verdict.counts.items()} if verdict.counts else None,
        "exception": _exception(verdict.exception),
    }


def _exception(excused: CoverageException | None) -> dict[str, object] | None:
    if excused is None:
        return None
    return {"owner": excused.owner, "reason": excused.reason, "ends": timestamp(excused.ends)}
