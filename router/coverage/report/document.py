"""What a gate found, for programs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import asdict

from router.coverage.report.findings import GateReport, evidence_time
from router.coverage.stored import drill_object
from router.coverage.verdicts import CoverageEvidence, CoverageException, CoverageState, Verdict, Workload
from router.destinations.wording.masking import masked
from router.domain.coverage_sources import INSTANTS
from router.domain.readable import timestamp


def report_object(report: GateReport, now: datetime) -> dict[str, object]:
    """Return all of it, as JSON."""
    result, assessed = report.result, report.assessed
    states = Counter(row.state for row in assessed.rows)
    return {
        "summary": report.summary,
        "exit_code": report.exit_code,
        "manifest": report.manifest,
        "counts": {state.value: states[state] for state in CoverageState},
        "workloads": [
            {
                **_workload(row.workload),
                "state": row.state.value,
                "rungs": {rung.value: _verdict(verdict, now) for rung, verdict in row.verdicts.items()},
            }
            for row in assessed.rows
        ],
        "unlisted": list(map(_workload, assessed.unlisted)),
        "unmatched": [{"entry": number, "name": glob} for number, glob in assessed.unmatched],
        "idle_exceptions": list(report.idle_exceptions),
        "posture": [
            {
                "subscription": one.subscription,
                "name": one.name,
                "known_on": one.is_known_on,
                "reason": masked(one.reason),
                "evidence": _evidence(one.evidence, now),
            }
            for one in result.posture
        ],
        "sources": [
            {
                "kind": one.heard.source.kind.value,
                "name": one.name,
                "subject": one.heard.source.subject,
                "plan": one.heard.source.plan or None,
                "subscription": one.heard.subscription,
                "expected": one.is_expected,
                "silent": one.is_silent,
                "allowed_silence_seconds": int(one.within.total_seconds()) if one.within is not None else None,
                "heard": _time(one.heard.last),
                **{name: _time(getattr(one.heard, name)) for name in INSTANTS},
                "real_alert_type": one.heard.real_alert_type,
                "age_seconds": _age(one.heard.last, now),
                "exception": _exception(one.exception),
            }
            for one in result.sources
        ],
        "drills": list(map(drill_object, result.drills)),
        "files": {
            "used": list(result.used),
            "unused": _reasons(result.unused),
            "unanswered": _reasons(result.unanswered),
            "refused": list(report.refused),
        },
    }


def _reasons(files: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"file": name, "reason": masked(reason)} for name, reason in files]


def _evidence(evidence: Iterable[CoverageEvidence], now: datetime) -> list[dict[str, object]]:
    return [
        {**asdict(one), "value": masked(one.value), "age_seconds": _age(evidence_time(one), now)} for one in evidence
    ]


def _workload(one: Workload) -> dict[str, object]:
    return {"kind": one.kind.value, "name": one.name, "id": one.id, "subscription": one.subscription}


def _verdict(verdict: Verdict, now: datetime) -> dict[str, object]:
    return {
        "state": verdict.state.value,
        "reason": masked(verdict.reason),
        "evidence": _evidence(verdict.evidence, now),
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
