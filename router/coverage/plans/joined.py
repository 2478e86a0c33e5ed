"""Verdicts on the parts of something -> the verdict on the whole: the worst of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from router.coverage.plans.remedies import each_on_its_line
from router.coverage.verdicts import CoverageState, Verdict

_WORST_FIRST = (CoverageState.GAP, CoverageState.UNKNOWN, CoverageState.COVERED)


def joined(parts: Sequence[Verdict]) -> Verdict:
    """The verdict on the whole: it is covered where every part is, and a gap where one is; it needs at least one part."""
    state = next(one for one in _WORST_FIRST if any(part.state is one for part in parts))
    worst = [part for part in parts if part.state is state]
    # A gap does not hide what is not known besides.
    others = [part.reason for part in parts if part.state is CoverageState.UNKNOWN and part.state is not state]
    remarks = [remark for part in parts for remark in part.remarks]
    remedies = [part.remedy for part in worst if part.remedy]
    return Verdict(
        state=state,
        reason="; ".join(dict.fromkeys(part.reason for part in worst)),
        evidence=tuple(dict.fromkeys(one for part in worst for one in part.evidence)),
        remedy=each_on_its_line(remedies) if state is CoverageState.GAP else "\n".join(dict.fromkeys(remedies)) or None,
        remarks=tuple(dict.fromkeys((*others, *remarks))),
        limits=tuple(limit for part in parts for limit in part.limits),
    )
