"""What a gate found, for programs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from router.coverage.readers.router_records import DrillFact
from router.coverage.recommendations import SubscriptionPosture
from router.coverage.report.findings import GateReport, evidence_time, exit_code, summary_line, worst_state
from router.coverage.sources import ReportedSource
from router.coverage.verdicts import CoverageEvidence, CoverageException, CoverageState, Verdict, Workload
from router.destinations.wording.masking import masked
from router.domain.readable import timestamp


def report_object(report: GateReport, now: datetime) -> dict[str, object]:
    """Return all of it, as JSON."""
    result, assessed = report.result, report.result.assessed
    states = Counter(map(worst_state, assessed.rows))
    return {
        "summary": summary_line(report),
        "exit_code": exit_code(report),
        "manifest": report.manifest,
        "counts": {state.value: states[state] for state in CoverageState},
        "workloads": [
            {
                **_workload(row.workload),
                "state": worst_state(row).value,
                "rungs": {rung.value: _verdict(verdict, now) for rung, verdict in row.verdicts.items()},
            }
            for row in assessed.rows
        ],
        "unlisted": list(map(_workload, assessed.unlisted)),
        "unmatched": [{"entry": number, "name": glob} for number, glob in assessed.unmatched],
        "idle_exceptions": list(report.idle_exceptions),
        "posture": [_posture(one, now) for one in result.posture],
        "sources": [_source(one, now) for one in result.sources],
        "drills": list(map(_drill, result.drills)),
        "files": {
            "used": list(result.used),
            "unused": _reasons(result.unused),
            "unanswered": _reasons(result.unanswered),
            "refused": list(report.refused),
        },
    }


def _reasons(files: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"file": name, "reason": masked(reason)} for name, reason in files]


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
    return {
        "kind": heard.source.kind.value,
        "name": one.name,
        "subject": heard.source.subject,
        "plan": heard.source.plan or None,
        "subscription": heard.subscription,
        "expected": one.is_expected,
        "silent": one.is_silent,
        "allowed_silence_seconds": int(one.within.total_seconds()) if one.within is not None else None,
        "heard": _time(heard.last),
        **{name: _time(getattr(heard, name)) for name in ("posture", "snapshot", "healthy", "alert", "real_alert")},
        "real_alert_type": heard.real_alert_type,
        "age_seconds": _age(heard.last, now),
        "exception": _exception(one.exception),
    }


def _drill(drill: DrillFact) -> dict[str, object]:
    return {
        "subscription": drill.subject.rpartition("/")[2],
        "exercise": drill.exercise,
        "cluster": drill.cluster,
        "machine": drill.machine,
        "ended": _time(drill.ended),
        "verdict": drill.verdict,
        "reason": masked(drill.reason),
        "failed_hop": drill.failed_hop,
        "hops": list(map(asdict, drill.hops)),
        "destinations": list(map(asdict, drill.destinations)),
    }


def _evidence(one: CoverageEvidence, now: datetime) -> dict[str, object]:
    return {**asdict(one), "value": masked(one.value), "age_seconds": _age(evidence_time(one), now)}


def _workload(one: Workload) -> dict[str, object]:
    return {"kind": one.kind.value, "name": one.name, "id": one.id, "subscription": one.subscription}


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
    return {**asdict(excused), "ends": timestamp(excused.ends)} if excused is not None else None


def _time(instant: datetime | None) -> str | None:
    return timestamp(instant) if instant is not None else None


def _age(instant: datetime | None, now: datetime) -> int | None:
    """Return how many seconds ago an instant was, below 0 if it is to come; None if there is none."""
    return int((now - instant).total_seconds()) if instant is not None else None
