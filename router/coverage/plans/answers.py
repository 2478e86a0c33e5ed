"""All answers about one plan at one subscription or resource, and the verdicts on parts of something, as one. Pure.

Where two answers differ in a field the worse one counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from router.coverage.facts import Facts
from router.coverage.fields import worst_truth
from router.coverage.plans.table import DefenderPlan
from router.coverage.readers.plans import PlanFact
from router.coverage.remedies import each_on_its_line
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict
from router.domain.values import Value

_COVERAGES = {"notcovered": "NotCovered", "partiallycovered": "PartiallyCovered", "fullycovered": "FullyCovered"}
"""What an answer says of the resources of a subscription, from worst to best, and how it is written."""

_NO_HOLES = ("mdedesignatedsubscription",)
"""Extensions that leave nothing unprotected when they are off, as they are at first."""

WORST_FIRST = (CoverageState.GAP, CoverageState.UNKNOWN, CoverageState.COVERED)


class PlanAnswers(Value):
    """What is said of one plan at one subscription or resource."""

    plan: DefenderPlan
    facts: tuple[PlanFact, ...]

    @property
    def is_on(self) -> bool | None:
        """Whether it is on: false where one answer says Free; None where one says no known tier, or none says any."""
        tiers = {one.tier for one in self.facts if one.tier is not None}
        return False if "free" in tiers else True if tiers == {"standard"} else None

    @property
    def sub_plans(self) -> tuple[str, ...]:
        """The sub-plans that are said, of which the worst counts."""
        return tuple(dict.fromkeys(one.sub_plan for one in self.facts if one.sub_plan))

    @property
    def coverage(self) -> str | None:
        """The worst that is said of how many resources have the plan; None where nothing is, as before 2024-01-01."""
        coverages = {one.coverage for one in self.facts}
        return next((one for one in _COVERAGES if one in coverages), None)

    @property
    def is_inherited(self) -> bool:
        """Whether every answer of a resource says that it has the plan from its subscription."""
        return bool(self.facts) and all(one.is_inherited is True for one in self.facts)

    @property
    def is_deprecated(self) -> bool:
        """Whether every answer calls the plan deprecated."""
        return bool(self.facts) and all(one.is_deprecated for one in self.facts)

    def find_extension(self, name: str) -> bool | None:
        """Whether answers call an extension on; False where one calls it off, None where none says anything."""
        return worst_truth(one.extensions.get(name.lower()) for one in self.facts)

    def find_failure(self, name: str) -> str | None:
        """What went wrong when an extension was switched on; None where nothing is said to have."""
        return next((text for one in self.facts if (text := one.failures.get(name.lower())) is not None), None)

    @property
    def extensions_on(self) -> tuple[str, ...]:
        """The extensions that are on, as the table of plans writes them where it has them."""
        names = dict.fromkeys(name for one in self.facts for name in one.extensions if self.find_extension(name))
        return tuple(self._written(name) for name in names)

    def evidence(self) -> Iterator[CoverageEvidence]:
        """What each answer says of the tier, the sub-plan and the coverage."""
        for one in self.facts:
            yield one.shown or one.source.shows(f"{one.name} pricingTier", one.tier)
            if one.sub_plan:
                yield one.source.shows(f"{one.name} subPlan", one.sub_plan)
            if one.is_inherited is not None:
                yield one.source.shows(f"{one.name} inherited", one.inherited_from if one.is_inherited else False)
            if one.coverage:
                status = _COVERAGES.get(one.coverage, one.coverage)
                yield one.source.shows(f"{one.name} resourcesCoverageStatus", status)

    def extension_evidence(self, name: str) -> Iterator[CoverageEvidence]:
        """What each answer says of an extension."""
        for one in self.facts:
            if (text := one.failures.get(name.lower())) is not None:
                yield one.source.shows(f"{one.name} extensions {name} operationStatus", f"Failed: {text}")
            elif name.lower() in one.extensions:
                yield one.source.shows(f"{one.name} extensions {name} isEnabled", one.extensions[name.lower()])

    def remarks(self) -> Iterator[str]:
        """What is to be said of the answers besides."""
        yield from self.failures()
        plan = self.plan.name
        for name in dict.fromkeys(name for one in self.facts for name in one.extensions):
            is_off = self.find_extension(name) is False and self.find_failure(name) is None
            if is_off and name not in _NO_HOLES:
                yield f"extension {self._written(name)} of {plan} is switched off"
        for name, tags in {item: None for one in self.facts for item in one.exclusions.items()}:
            yield f"extension {self._written(name)} of {plan} leaves out what has a tag {' or '.join(tags)}"
        for time in dict.fromkeys(one.free_for for one in self.facts if one.free_for):
            yield f"{plan} is in its free trial, of which {time} remains"

    def failures(self) -> Iterator[str]:
        """The extensions that look as if they were on and are not, each with the reason."""
        for name, text in {name: text for one in self.facts for name, text in one.failures.items()}.items():
            yield f"extension {self._written(name)} of {self.plan.name} failed to be switched on: {text}"

    def _written(self, extension: str) -> str:
        return next((one for one in self.plan.extensions if one.lower() == extension), extension)


def answers_about(facts: Facts, subject: str | None, plan: DefenderPlan) -> PlanAnswers:
    """What is said of a plan at a subscription or a resource."""
    name = plan.name.lower()
    return PlanAnswers(plan, tuple(one for one in facts.about(PlanFact, subject) if one.plan == name))


def joined(parts: Sequence[Verdict]) -> Verdict:
    """The verdict on the whole: it is covered where every part is, and a gap where one is; it needs at least one part."""
    state = next(one for one in WORST_FIRST if any(part.state is one for part in parts))
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
