"""The fingerprints of the alerts that an incident named, as many as a row of the ledger has room for.

Beyond that a row keeps the smallest fingerprints, which are the same whatever order the alerts come in, and how many alerts one
message named at most. So more alerts than ever change the row, and so do others whose fingerprints are among the smallest; the
same alerts again, or fewer, do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

from router.domain.keys import alert_fingerprint

MOST = 1_000
"""The most alerts whose fingerprints a row keeps."""

_COUNT = re.compile(r"\+([0-9]{1,7})")


def fingerprints_after(known: Set[str], named: Iterable[str]) -> frozenset[str]:
    """The fingerprints that a row keeps after a message named some alerts, given those that it kept before."""
    new = {alert_fingerprint(alert) for alert in named}
    counts = {one: int(found[1]) for one in known if (found := _COUNT.fullmatch(one))}
    fingerprints = (known - counts.keys()) | new
    if not counts and len(new) <= MOST:
        return frozenset(fingerprints)
    most = max(len(new), *counts.values()) if counts else len(new)
    return frozenset([*sorted(fingerprints)[:MOST], f"+{most}"])
