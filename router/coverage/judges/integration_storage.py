"""Whether a storage account has what the manifest expects beside the plan: scans of uploads, discovery of sensitive data.

Both cost extra and add to what the plan itself watches, so an account of which nobody expects them does not have this rung.
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-storage-introduction
"""

from __future__ import annotations

from collections.abc import Mapping

from router.coverage.case import CoverageCase
from router.coverage.plans.extensions import judge_extension
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.INTEGRATION
KINDS = (WorkloadKind.STORAGE_ACCOUNT,)

_PURPOSES: Mapping[str, str] = {
    "OnUploadMalwareScanning": "nobody scans what is uploaded",
    "SensitiveDataDiscovery": "no alert says that the data was sensitive",
}
_WORST_FIRST = (CoverageState.GAP, CoverageState.UNKNOWN, CoverageState.COVERED)


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where each extension that is expected is on; None where none is expected."""
    expected = {name.lower() for name in case.expectation.extensions}
    verdicts = [
        judge_extension(case, extension, purpose)
        for extension, purpose in _PURPOSES.items()
        if extension.lower() in expected
    ]
    return min(verdicts, key=lambda one: _WORST_FIRST.index(one.state), default=None)
