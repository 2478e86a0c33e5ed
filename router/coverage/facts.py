"""What documents say, as facts, each found by what it is about. Pure.

Every fact has a `subject`: the ARM id in lower case of what it is about, or the name that was given for a cluster. It is None
where the document does not tell. New sorts of facts stand beside their readers; these are those that several judges ask for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, cast

from router.coverage.documents import Item
from router.coverage.fields import time_of
from router.coverage.verdicts import CoverageEvidence, Workload
from router.domain.clocks import is_plausible, is_possible
from router.domain.coverage import WorkloadKind
from router.domain.recommendation_table import CoverageRecommendation


class CoverageFact(Protocol):
    """Anything that a document says of one subject."""

    @property
    def subject(self) -> str | None:
        """What it is about."""
        ...

    @property
    def source(self) -> Source:
        """Where it stands."""
        ...


_IN_A_STATE = re.compile(r"(stream \(.*?\)) .*", re.ASCII | re.DOTALL)
_WHERE_IN_IT = re.compile(r" [\w.$]*\[\d+\][\w.$\[\]]*$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a fact stands.

    Attributes:
        document: the document as it was named, and where in it.
        is_whole: whether the list that it stands in says that it is whole, so that what is absent from it is not there.
        time: when it was so, where the document says it.
        known_at: when whoever gave the document knew it so, as text; None for a file, of which nobody knows how old it is.
    """

    document: str
    is_whole: bool = False
    time: str | None = None
    known_at: str | None = None

    @property
    def file(self) -> str:
        """The document as it was named."""
        return file_of(self.document)

    def is_recent(self, now: datetime, longest: timedelta) -> bool:
        """Whether it says a time that is not to come, and is no longer ago than that."""
        seen = time_of(self.time) if self.time else None
        return seen is not None and is_plausible(seen, now) and now - seen <= longest

    def is_stale(self, now: datetime, longest: timedelta) -> bool:
        """Whether it was known longer ago than that, or at no instant that can be; what a file says has no age."""
        if self.known_at is None:
            return False
        known = time_of(self.known_at)
        return known is None or not is_possible(known, now) or now - known > longest

    def shows(self, field: str, value: object) -> CoverageEvidence:
        """The evidence that a field of it is."""
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return CoverageEvidence(self.document, field, text, self.time, self.known_at)


def name_of_state(shown: str) -> str:
    """What the documents of a state are called, by which `file_of` knows them again."""
    return f"stream ({shown})"


def file_of(document: str) -> str:
    """The document as it was named, of what says besides where in it something stands."""
    of_state = _IN_A_STATE.fullmatch(document)
    return of_state[1] if of_state is not None else _WHERE_IN_IT.sub("", document)


def source_of(item: Item, time: str | None = None) -> Source:
    """Where what an object says stands."""
    return Source(document=item.document, is_whole=item.is_whole, time=time, known_at=item.known_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFact:
    """What one answer of pricings says of a plan, at a subscription or at one resource.

    https://learn.microsoft.com/rest/api/defenderforcloud/pricings

    Attributes:
        subject: the subscription, as `/subscriptions/ID`, or the resource, in lower case; None where a projection left it out.
        plan: the plan's name, in lower case.
        name: the plan's name as it is written.
        tier: `free` or `standard` in lower case; None where the answer does not say it.
        sub_plan: such as P2; None where the answer does not say it.
        extensions: whether each extension is on, by its name in lower case; None where that is not said.
        coverage: `fullycovered`, `partiallycovered` or `notcovered` in lower case; only a subscription has it, and only since
            api-version 2024-01-01.
        is_inherited: whether a resource has it from its subscription; None where that is not said.
        inherited_from: what it has it from; None where that is not said.
        is_deprecated: whether the answer calls the plan deprecated.
        failures: what went wrong with an extension when it was switched on, by its name in lower case; only the answer to that
            request says it, and later ones show the extension as on.
        exclusions: the tags, as `KEY=VALUE`, with which a resource is left out by an extension, by its name in lower case.
        free_for: what remains of the free trial, as the answer writes it; None where nothing does, or nothing is said.
        is_enforced: whether no resource may differ from its subscription; None where that is not said.
        managed_by: what else manages the plan, such as a rule of Microsoft 365; None where nothing is said.
        shown: what shows the tier, where it is no answer of pricings; None where it is one.
        source: where it stands.
    """

    subject: str | None
    plan: str
    name: str
    tier: str | None
    sub_plan: str | None
    extensions: Mapping[str, bool | None]
    coverage: str | None = None
    is_inherited: bool | None = None
    inherited_from: str | None = None
    is_deprecated: bool = False
    failures: Mapping[str, str] = field(default_factory=dict)
    exclusions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    free_for: str | None = None
    is_enforced: bool | None = None
    managed_by: str | None = None
    shown: CoverageEvidence | None = None
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingFact:
    """What the settings of a subscription say of one integration, such as WDATP.

    https://learn.microsoft.com/rest/api/defenderforcloud/settings

    Attributes:
        subject: the subscription, as `/subscriptions/ID` in lower case.
        name: the setting's name in upper case.
        is_enabled: whether it is on; None where the answer does not say it.
        source: where it stands.
    """

    subject: str
    name: str
    is_enabled: bool | None
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFact:
    """That a workload exists, as its own document says.

    Attributes:
        workload: the workload.
        tags: its tags; None where the document does not say them.
        is_stopped: whether it is switched off; None where the document does not say it.
        system: `linux` or `windows`; None where the document does not say it.
        time: when it was made, where the document says it.
        source: where it stands.
    """

    workload: Workload
    tags: Mapping[str, str] | None = None
    is_stopped: bool | None = None
    system: str | None = None
    time: str | None = None
    source: Source

    @property
    def subject(self) -> str:
        """The workload."""
        return self.workload.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendationFact:
    """What an assessment of Defender says of a resource.

    https://learn.microsoft.com/rest/api/defenderforcloud/assessments

    Attributes:
        subject: the resource in lower case.
        recommendation: its assessment key, a GUID in lower case.
        known: the recommendation on coverage that it is; None where it is none, or where nothing proves that Defender wrote it.
        title: its title.
        code: `healthy`, `unhealthy` or `notapplicable`, in lower case.
        cause: why it does not apply, such as `exempt`, in lower case; empty where nothing is said.
        source: where it stands.
    """

    subject: str
    recommendation: str
    known: CoverageRecommendation | None
    title: str
    code: str
    cause: str
    source: Source


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts, found by their class and their subject.

    Attributes:
        by_class: the facts of each class, by their subjects, in the order in which they were read.
        kinds: the kinds of the workloads in each subscription, by what facts about it are found under.
    """

    by_class: Mapping[type, Mapping[str, tuple[CoverageFact, ...]]]
    kinds: Mapping[str, frozenset[WorkloadKind]] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Iterable[CoverageFact]) -> Facts:
        """All of them; those without a subject are about nothing that can be judged, and are left out."""
        found: dict[type, dict[str, list[CoverageFact]]] = defaultdict(lambda: defaultdict(list))
        kinds: dict[str, set[WorkloadKind]] = defaultdict(set)
        for fact in facts:
            if fact.subject is not None:
                found[type(fact)][fact.subject].append(fact)
            if isinstance(fact, ResourceFact) and fact.workload.subscription is not None:
                kinds[subscription_subject(fact.workload.subscription)].add(fact.workload.kind)
        return cls(
            {kind: {subject: tuple(some) for subject, some in those.items()} for kind, those in found.items()},
            {subject: frozenset(some) for subject, some in kinds.items()},
        )

    def about[F: CoverageFact](self, kind: type[F], subject: str | None) -> tuple[F, ...]:
        """The facts of a class about one subject; none where there are none."""
        return cast("tuple[F, ...]", self.by_class.get(kind, {}).get(subject, ())) if subject is not None else ()

    def every[F: CoverageFact](self, kind: type[F]) -> Iterator[F]:
        """Every fact of a class."""
        for some in self.by_class.get(kind, {}).values():
            yield from cast("tuple[F, ...]", some)


def subscription_subject(subscription: str) -> str:
    """What facts about a subscription are found under."""
    return f"/subscriptions/{subscription.lower()}"
