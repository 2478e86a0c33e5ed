"""Events that show a gate refusing something: the strongest evidence that it denies, and never needed. Pure.

Events live for an hour where nobody changed that, and anybody who may write them may write anything into them.
"""

from __future__ import annotations

import re

from router.coverage.admission.cluster_objects import ClusterObjects
from router.coverage.fields import find_text
from router.coverage.verdicts import CoverageEvidence

_LONGEST = 500


def find_refusal(objects: ClusterObjects, pattern: str) -> CoverageEvidence | None:
    """The first event whose message has the pattern; None where there is none."""
    for event in objects.find("Event"):
        for copy in event.copies:
            for field in ("message", "note"):
                message = find_text(copy.body, field) or ""
                if re.search(pattern, message):
                    time = find_text(copy.body, "lastTimestamp") or find_text(copy.body, "eventTime")
                    return CoverageEvidence(copy.source.document, field, message[:_LONGEST], time)
    return None
