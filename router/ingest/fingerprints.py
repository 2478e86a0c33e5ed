"""Fingerprints by which a row of the ledger knows what its signal said last.

Of a finding it is one, of its CVEs, the version that mends it and its risk. Of an incident they are those of the alerts that it
named, as many as a row has room for. Beyond that a row keeps the smallest fingerprints, which are the same whatever order the
alerts come in, and how many alerts one message named at most. So more alerts than ever change the row, and so do others whose
fingerprints are among the smallest; the same alerts again, or fewer, do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

from router.domain.keys import alert_fingerprint, fingerprint_of
from router.domain.signals import Finding

MOST = 1_000
"""The most alerts whose fingerprints a row keeps."""

_LENGTH = 16

_COUNT = re.compile(r"\+([0-9]{1,7})")


def find_fingerprint(finding: Finding) -> str | None:
    """The fingerprint of what a finding says of CVEs, of the version that mends it and of its risk.

    None where it says nothing of them, as findings did before Defender had each as a recommendation of its own, and where it is
    over: what no longer stands changes no more. The order of CVEs and what is said twice count for nothing.
    """
    package, cves, risk = finding.package, finding.cves, finding.risk
    fixed = package.fixed if package is not None else None
    level = risk.level if risk is not None else None
    if finding.resolved or (fixed is None and cves is None and level is None):
        return None
    whose = "its own" if risk is not None and risk.is_contextual else "its class's"
    said = [f"fixed {fixed}" if fixed else "", f"{level.name} {whose}" if level is not None else ""]
    named = [] if cves is None else [str(cves.is_whole), *sorted(set(cves.ids))]
    return fingerprint_of("finding", *said, *named)[:_LENGTH]


def fingerprints_after(known: Set[str], named: Iterable[str]) -> frozenset[str]:
    """The fingerprints that a row keeps after a message named some alerts, given those that it kept before."""
    new = {alert_fingerprint(alert) for alert in named}
    counts = {one: int(found[1]) for one in known if (found := _COUNT.fullmatch(one))}
    fingerprints = (known - counts.keys()) | new
    if not counts and len(new) <= MOST:
        return frozenset(fingerprints)
    most = max(len(new), *counts.values()) if counts else len(new)
    return frozenset([*sorted(fingerprints)[:MOST], f"+{most}"])
