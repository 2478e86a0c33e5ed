"""The recommendations of Defender that mean: a plan, an integration or a sensor is missing. Pure.

A recommendation is known by its assessment key. Some keys are documented nowhere, so a title counts, too, where the key says
nothing; that of a preview has a word more than the one that follows it. Customers write recommendations, too, and may call them
so: that is loud as Defender's own is, and proves nothing. What proves is a key of Microsoft's, or a title that Defender wrote.
The table beside this file is from https://learn.microsoft.com/azure/defender-for-cloud/recommendations-reference and the pages
under it, and https://github.com/Azure/azure-policy/tree/master/built-in-policies/policyDefinitions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from router.domain.coverage import Rung, WorkloadKind
from router.domain.signals import Kind

_LONGEST = 1_000
"""Characters of a title that are looked at; none that is known is half as long."""

_PROVIDER = "/providers/microsoft.security/assessments/"

_PREVIEW = re.compile(r"[(\[]preview[)\]]:?|^\s*preview:", re.IGNORECASE)


EDR_INSTALLED = "06e3a6db-6c0c-4ad9-943f-31d9d73ecf6c"
"""Whether a machine has a solution for endpoint detection and response, as the scan without an agent sees it."""

EDR_RUNNING = (
    "d44de051-1862-48f8-8476-192aee854699",
    "aafa7d27-01ae-40c6-a56c-1d0ef04b1d71",
    "506d18a1-d571-4341-aad5-a7d363c5bbd4",
)
"""What together says that the sensor of a machine is at work."""

SQL_PROTECTED = "The status of Microsoft SQL Servers on Machines should be protected"
"""The title of the recommendation on SQL servers on machines, whose key is documented nowhere."""

DEPRECATED = "deprecated"
"""Stands for the day since which a recommendation says nothing, where that is not known."""


class CoverageRecommendation(NamedTuple):
    """A recommendation that says something of a rung.

    Attributes:
        key: its assessment key in lower case; None where Microsoft documents none.
        title: its title, or what it says where the title is not documented.
        rung: what is missing where it is unhealthy; on the rung of plans the `plan`.
        retired: the day since which it says nothing, or `deprecated` where that day is not known; None while it is in force.
            A message of one that was retired on a day still says that a sensor is missing.
        has_official_title: whether the title is the very one that Defender writes.
    """

    key: str | None
    title: str
    kinds: tuple[WorkloadKind, ...]
    rung: Rung
    plan: str | None
    retired: str | None
    has_official_title: bool
    note: str

    @property
    def is_deprecated(self) -> bool:
        """Whether it is about what is gone for good, as the Log Analytics agent is: unhealthy everywhere, and no gap."""
        return self.retired == DEPRECATED


def _recommendation(line: str) -> CoverageRecommendation:
    key, title, kinds, rung, plan, retired, is_official, note = line.split("\t")
    kinds_of = tuple(map(WorkloadKind, kinds.split(",")))
    return CoverageRecommendation(
        key or None, title, kinds_of, Rung(rung), plan or None, retired or None, is_official == "yes", note
    )


_TABLE = files("router.domain").joinpath("recommendations.tsv").read_text(encoding="utf-8")

RECOMMENDATIONS = tuple(map(_recommendation, _TABLE.splitlines()[1:]))
"""The recommendations, those in force first."""


def find_recommendation(key: str, title: str = "") -> CoverageRecommendation | None:
    """The recommendation of an assessment key or, where the key is not listed, of a title; None for any other."""
    by_key, by_title = _indexes()
    return by_key.get(key.strip().strip("{}").lower()) or by_title.get(_plain(title))


def is_written_by_others(assessment_type: str | None) -> bool:
    """Whether a recommendation was not written by Microsoft, by the type of the assessment.

    https://learn.microsoft.com/rest/api/defenderforcloud/assessments-metadata
    """
    lowered = (assessment_type or "").lower()
    return "custom" in lowered or "partner" in lowered


def find_proving(key: str, title: str, assessment_type: str | None) -> CoverageRecommendation | None:
    """The recommendation that Defender itself wrote: by its key or, where the type says that it is built in, by its title."""
    if is_written_by_others(assessment_type):
        return None
    return find_recommendation(key, title if "builtin" in (assessment_type or "").lower() else "")


def scope_of_assessment(id: str) -> str:
    """The resource that an assessment hangs on, by its own id in whatever case; empty where the id has none."""
    at = id.lower().find(_PROVIDER)
    return id[: max(at, 0)].strip().rstrip("/")


def names_another(resource: str, named: str | None) -> bool:
    """Whether an assessment names another resource of Azure than the one that it hangs on."""
    lowered = (named or "").strip().rstrip("/").lower()
    return lowered.startswith("/subscriptions/") and lowered != resource.lower()


def find_missing_rung(kind: Kind, type: str, title: str) -> Rung | None:
    """The rung that a finding says is missing, by its kind, type and title; None where it is about no rung.

    The type of a recommendation is its assessment key; that of a finding of our own is the rung itself.
    """
    if kind is Kind.COVERAGE:
        return Rung(type) if type in _RUNGS else None
    known = find_recommendation(type, title) if kind is Kind.RECOMMENDATION else None
    return known.rung if known is not None and not known.is_deprecated else None


_RUNGS = frozenset(Rung)


@cache
def _indexes() -> tuple[Mapping[str, CoverageRecommendation], Mapping[str, CoverageRecommendation]]:
    by_key = {one.key: one for one in RECOMMENDATIONS if one.key is not None}
    by_title = {_plain(one.title): one for one in RECOMMENDATIONS if one.has_official_title}
    return by_key, by_title


def _plain(title: str) -> str:
    """A title without what changes when a preview ends, the word itself, capitals, blanks and unprintable characters."""
    title = title[:_LONGEST]
    if not title.isprintable():
        title = "".join(one for one in title if one.isprintable() or one.isspace())
    return " ".join(_PREVIEW.sub(" ", title).lower().split()).rstrip(".")
