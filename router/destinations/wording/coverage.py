"""What a finding about coverage means: which rung is missing, what comes of that, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from router.domain.coverage import Rung
from router.domain.notices import Notice
from router.domain.recommendations import find_missing_rung, find_recommendation
from router.domain.signals import Kind


class MissingRung(NamedTuple):
    """A rung that is missing, in words.

    Attributes:
        means: what is so, and what comes of it.
        mends: what to do.
    """

    means: str
    mends: str


_RUNGS: Mapping[Rung, MissingRung] = {
    Rung.PLAN: MissingRung(
        "the Defender plan is off, so Defender looks for no attack there",
        "Enable the plan in Defender's environment settings, or write into coverage.yaml who does without it, and until when.",
    ),
    Rung.INTEGRATION: MissingRung(
        "nothing asks Defender to deploy its sensor, or to look there",
        "Enable the integration: in the settings of its plan, or at the resource itself.",
    ),
    Rung.SENSOR_INSTALLED: MissingRung(
        "no sensor is there, so what happens inside raises no alert",
        "Deploy the sensor, or find out why its plan does not: a tag, a policy or an image may keep it off.",
    ),
    Rung.SENSOR_RUNNING: MissingRung(
        "a sensor may be there, and does not do its work, so what happens inside may raise no alert",
        "Look at the sensor where it runs: `mdatp health` on a machine, its pods and their events in a cluster.",
    ),
    Rung.ADMISSION_AUDITS: MissingRung(
        "nothing looks at what is admitted to the cluster",
        "Install Azure Policy for Kubernetes: the add-on, or the extension by Azure Arc.",
    ),
    Rung.ADMISSION_DENIES: MissingRung(
        "what breaks the rules is admitted to the cluster",
        "Let the policies of the cluster deny, and not only audit.",
    ),
    Rung.SUPPRESSION: MissingRung(
        "a rule in Defender dismisses alerts, which nobody is told of then",
        "Give the rule an end, or move it into the router's rules, where it must have one.",
    ),
    Rung.EXPORT: MissingRung(
        "nothing of what Defender finds there reaches the router",
        "Look at continuous export: whether it is enabled, for every severity, and leads to the router's hub.",
    ),
    Rung.PATH: MissingRung(
        "nobody has seen an alert come all the way",
        "Raise one of Defender's sample alerts, and follow it: alert-router drill does both.",
    ),
    Rung.DETECTION: MissingRung(
        "nobody has seen the sensor raise an alert",
        "Raise a real test alert on the workload.",
    ),
}

_SILENT = "coverage.yaml expects it, and nothing was heard of it for too long, so what happens there may tell nobody"
_CHECK = "Ask what else is missing there: alert-router coverage check."
_KINDS = frozenset({Kind.RECOMMENDATION, Kind.COVERAGE})


def coverage_words(notice: Notice, *, is_over: bool) -> str | None:
    """Which rung is missing, and what comes of that; None where a notice is not about coverage, or that is over.

    Where the policy makes it another severity than the message, it says so, since people look it up in the portal.
    """
    rung = _find_rung(notice)
    if is_over:
        return None
    if notice.kind == Kind.COVERAGE:
        means = _SILENT
    elif rung is not None:
        means = _RUNGS[rung].means
    else:
        return None
    return f"{f'{rung}: ' if rung is not None else ''}{means}{_severity_words(notice)}"


def steps_for(notice: Notice, *, is_over: bool) -> tuple[str, ...]:
    """What to do: what the message says, else what mends the rung that is missing; and what is known of a recommendation.

    What the router found by itself it says whole.
    """
    rung = _find_rung(notice)
    if rung is None or is_over or (notice.kind == Kind.COVERAGE and notice.remediation):
        return notice.remediation
    return (*(notice.remediation or (_RUNGS[rung].mends,)), *_remarks(notice), _CHECK)


def _find_rung(notice: Notice) -> Rung | None:
    if notice.kind not in _KINDS:
        return None
    return find_missing_rung(Kind(notice.kind), notice.type, notice.title)


def _remarks(notice: Notice) -> Iterator[str]:
    known = find_recommendation(notice.type, notice.title) if notice.kind == Kind.RECOMMENDATION else None
    if known is not None and known.plan is not None:
        yield f"The plan is {known.plan}."
    if known is not None and known.note:
        yield f"Known of this recommendation: {known.note}."


def _severity_words(notice: Notice) -> str:
    written = (notice.severity_written or "").strip()
    if not written or notice.kind == Kind.COVERAGE or written.lower() == (notice.severity or "").lower():
        return ""
    return f"; {notice.severity} by the policy, Defender says {written}"
