"""Whether a gate before a cluster audits what is deployed to it, or does more than that."""

from __future__ import annotations

from router.coverage.admission.effects import AdmissionEffect
from router.coverage.admission.gates import judge_gates
from router.coverage.case import CoverageCase
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.ADMISSION_AUDITS
KINDS = (WorkloadKind.CLUSTER,)


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where Gatekeeper, or one of Defender's own gates, is seen to stand there and to have a rule that audits."""
    return judge_gates(case, AdmissionEffect.AUDITS)
