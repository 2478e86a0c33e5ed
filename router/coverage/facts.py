"""What documents say, as facts found by their subject, and the case that a judge is asked about. Pure.

The classes of facts stand beside their readers; these are those that several judges ask for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import cast

from msgspec.structs import force_setattr

from router.coverage.documents import Item
from router.coverage.expected.manifest import CoverageManifest, Expectation
from router.coverage.fields import parse_time
from router.coverage.verdicts import CoverageEvidence, Workload
from router.domain.clocks import is_plausible, is_possible
from router.domain.coverage import WorkloadKind
from router.domain.readable import counted
from router.domain.recommendations import CoverageRecommendation
from router.domain.values import Value

_IN_A_STATE = re.compile(r"(stream \(.*?\)) .*", re.ASCII | re.DOTALL)
_WHERE_IN_IT = re.compile(r" [\w.$]*\[\d+\][\w.$\[\]]*$", re.ASCII)
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


class Source(Value, kw_only=True):
    """Where a fact stands.

    Attributes:
        document: the document as it was named, and where in it.
        is_whole: whether the list around it says that it is whole, so that what is absent from it is not there.
        time: when it was so, where the document says it.
        known_at: the instant, as text, at which it was asked or a message said it; None for a file, whose age is not known.
    """

    document: str
    is_whole: bool = False
    time: str | None = None
    known_at: str | None = None

    @property
    def file(self) -> str:
        """The document as it was named."""
        return document_name(self.document)

    def is_recent(self, now: datetime, longest: timedelta) -> bool:
        """Whether it says a time that is not to come, and is no longer ago than that."""
        seen = parse_time(self.time) if self.time else None
        return seen is not None and is_plausible(seen, now) and now - seen <= longest

    def is_stale(self, now: datetime, longest: timedelta) -> bool:
        """Whether it was known longer ago than that, or at no instant that can be; what a file says has no age."""
        if self.known_at is None:
            return False
        known = parse_time(self.known_at)
        return known is None or not is_possible(known, now) or now - known > longest

    def shows(self, field: str, value: object) -> CoverageEvidence:
        """The evidence that a field of it is."""
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return CoverageEvidence(self.document, field, text, self.time, self.known_at)


def name_of_state(shown: str) -> str:
    """What the documents of a state are called, by which `document_name` knows them again."""
    return f"stream ({shown})"


def document_name(document: str) -> str:
    """The document as it was named, of what says besides where in it something stands."""
    of_state = _IN_A_STATE.fullmatch(document)
    return of_state[1] if of_state is not None else _WHERE_IN_IT.sub("", document)


def item_source(item: Item, time: str | None = None) -> Source:
    """Where what an object says stands."""
    return Source(document=item.document, is_whole=item.is_whole, time=time, known_at=item.known_at)


def age_words(instant: datetime, now: datetime) -> str:
    """How old something of an instant is, in words: `9 days`."""
    seconds = int((now - instant).total_seconds())
    for unit, length in _UNITS:
        if seconds >= length:
            return counted(seconds // length, unit)
    return "less than a minute"


class CoverageFact(Value, kw_only=True):
    """What a document says of one subject.

    Attributes:
        subject: the ARM id in lower case, `/subscriptions/ID`, or the name that was given for a cluster; None where the
            document does not tell, so that the fact is about nothing that can be judged.
    """

    subject: str | None
    source: Source


class ResourceFact(CoverageFact, kw_only=True):
    """That a workload exists, as its own document says; None for what the document does not say.

    Attributes:
        system: `linux` or `windows`.
    """

    subject: str = ""  # always the workload's
    workload: Workload
    tags: Mapping[str, str] | None = None
    is_stopped: bool | None = None
    system: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "subject", self.workload.subject)


class RecommendationFact(CoverageFact, kw_only=True):
    """What an assessment of Defender says of a resource. https://learn.microsoft.com/rest/api/defenderforcloud/assessments

    Attributes:
        recommendation: its assessment key, a GUID in lower case.
        known: the recommendation on coverage that it is; None where it is none, or where nothing proves that Defender wrote it.
        code: `healthy`, `unhealthy` or `notapplicable`.
        cause: why it does not apply, such as `exempt`; empty where nothing is said.
    """

    subject: str
    recommendation: str
    known: CoverageRecommendation | None
    title: str
    code: str
    cause: str


class Facts(Value):
    """All facts by their class and their subject, and the kinds of the workloads in each subscription."""

    by_class: Mapping[type, Mapping[str, tuple[CoverageFact, ...]]]
    kinds: Mapping[str, frozenset[WorkloadKind]] = {}

    @classmethod
    def of(cls, facts: Iterable[CoverageFact]) -> Facts:
        """All of them that have a subject, in the order in which they were read."""
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
        """The facts of a class about one subject."""
        return cast("tuple[F, ...]", self.by_class.get(kind, {}).get(subject, ())) if subject is not None else ()

    def every[F: CoverageFact](self, kind: type[F]) -> Iterator[F]:
        """Every fact of a class."""
        for some in self.by_class.get(kind, {}).values():
            yield from cast("tuple[F, ...]", some)


def subscription_subject(subscription: str) -> str:
    """What facts about a subscription are found under."""
    return f"/subscriptions/{subscription.lower()}"


class CoverageCase(Value, kw_only=True):
    """What a judge is asked: one workload, what is expected of it and of all, and all facts."""

    workload: Workload
    expectation: Expectation
    manifest: CoverageManifest
    facts: Facts
    now: datetime

    @property
    def id(self) -> str:
        """The id of the workload; what its facts are found under where no id is known."""
        return self.workload.id or self.workload.subject

    @property
    def subscription(self) -> str:
        """The id of the workload's subscription; the name of one of which no id is known."""
        return self.workload.subscription or self.workload.name

    def about[F: CoverageFact](self, kind: type[F]) -> tuple[F, ...]:
        """The facts of a class about the workload itself."""
        return self.facts.about(kind, self.workload.subject)

    def of_subscription[F: CoverageFact](self, kind: type[F]) -> tuple[F, ...]:
        """The facts of a class about the workload's subscription."""
        subscription = self.workload.subscription
        return self.facts.about(kind, subscription_subject(subscription) if subscription else None)
