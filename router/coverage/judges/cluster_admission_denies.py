"""Whether a gate before a cluster denies what breaks a rule. They audit by default, so only a manifest expects more."""

from __future__ import annotations

from router.coverage.admission.effects import AdmissionEffect
from router.coverage.admission.gates import judge_gates
from router.coverage.case import CoverageCase
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.ADMISSION_DENIES
KINDS = (WorkloadKind.CLUSTER,)


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where Gatekeeper, or one of Defender's own gates, has a rule that denies; None where no manifest expects it."""
    return judge_gates(case, AdmissionEffect.DENIES) if RUNG in (case.expectation.rungs or ()) else None
