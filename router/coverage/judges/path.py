"""Whether a message has come the whole way, from Defender to the destination. No document shows it: a sample alert does.

https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
"""

from __future__ import annotations

from shlex import quote

from router.coverage.case import CoverageCase
from router.coverage.subscriptions.disabled import unless_disabled
from router.domain.coverage import Rung, Verdict, WorkloadKind, unknown

RUNG = Rung.PATH
KINDS = (WorkloadKind.SUBSCRIPTION,)

_BODY = '{"properties": {"kind": "Bundles", "bundles": ["VirtualMachines"]}}'


def judge(case: CoverageCase) -> Verdict | None:
    """Unknown where it is expected: nothing that can be given here proves it."""
    return unless_disabled(case, _judged(case))


def _judged(case: CoverageCase) -> Verdict | None:
    if RUNG not in (case.expectation.rungs or ()):
        return None
    return unknown(
        "only a sample alert that is seen at the router and at the destination proves it: raise one, as Contributor of the "
        "subscription, and look for a title that begins with [SAMPLE ALERT], within minutes",
        remedy=_simulate(case.workload.subscription or case.workload.name),
    )


def _simulate(subscription: str) -> str:
    """The line that has Defender make sample alerts, where it keeps the subscription's data."""
    location = f"\"$(az security location list --subscription {quote(subscription)} --query '[0].name' --output tsv)\""
    before = quote(f"/subscriptions/{subscription}/providers/Microsoft.Security/locations/")
    after = quote("/alerts/default/simulate?api-version=2022-01-01")
    return f"az rest --method post --url {before}{location}{after} --body {quote(_BODY)}"
