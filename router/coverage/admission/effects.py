"""The objects of one cluster as gates ask for them, what a gate does, and the verdicts of its parts as one. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import replace
from enum import IntEnum

from router.coverage.admission.namespaces import REACHED, GatedNamespace, worst_of
from router.coverage.kubernetes.commands import joint_asks
from router.coverage.readers.kubernetes import KubernetesFact, refusals_in
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, covered, gap, unknown
from router.domain.values import Value

_OF_GATES = (
    "Pod",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "SecurityArtifactPolicy",
)
"""The kinds of what gates consist of, beside constraints, which have kinds of their own."""

_CONSTRAINTS = "constraints.gatekeeper.sh"


class AdmissionEffect(IntEnum):
    """What a gate, or a rule of it, does with a pod that breaks the rule; each does what the ones before it do."""

    NOTHING = 0
    AUDITS = 1
    DENIES = 2

    @property
    def verb(self) -> str:
        """As a sentence says it of a gate."""
        return ("does nothing", "audits", "denies")[self]

    @property
    def verb_of_many(self) -> str:
        """As a sentence says it of several rules."""
        return ("do nothing", "audit", "deny")[self]


class GateAnswer(Value, kw_only=True):
    """What is known of one gate.

    Attributes:
        is_there: whether any object of it was seen, so that it was put there.
        verdict: whether it does what is needed, in whichever namespace.
        reach: whether it looks at the new pods of a namespace.
        namespaces: those of its own parts, which it may leave out.
    """

    name: str
    is_there: bool
    verdict: Verdict
    reach: Callable[[GatedNamespace], Verdict]
    namespaces: frozenset[str] = frozenset()


type Copies = tuple[KubernetesFact, ...]
"""One object of a cluster, as often as documents show it, at least once. Those that differ prove no more than the worst."""


class ClusterObjects(Value):
    """The objects of one cluster by kind, each once, and whether a kind was asked for at all."""

    by_kind: Mapping[str, tuple[Copies, ...]]

    @classmethod
    def of(cls, facts: Iterable[KubernetesFact]) -> ClusterObjects:
        """The objects that facts about one cluster show."""
        copies: dict[str, dict[tuple[str, str, str], list[KubernetesFact]]] = defaultdict(lambda: defaultdict(list))
        for fact in facts:
            copies[fact.kind][fact.group, fact.namespace, fact.name].append(fact)
        return cls({kind: tuple(map(tuple, some.values())) for kind, some in copies.items()})

    def find(self, kind: str) -> tuple[Copies, ...]:
        """The objects of a kind."""
        return self.by_kind.get(kind, ())

    def find_one(self, kind: str, namespace: str, name: str) -> Copies:
        """The object of a kind, a namespace and a name; an empty tuple if no document shows it."""
        return next((one for one in self.find(kind) if (one[0].namespace, one[0].name) == (namespace, name)), ())

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why the cluster did not answer, where it was asked."""
        return refusals_in(copy for one in self.find("") for copy in one)

    @property
    def constraints(self) -> tuple[Copies, ...]:
        """The constraints of Gatekeeper, each of whose templates makes a kind of its own."""
        return tuple(one for some in self.by_kind.values() for one in some if one[0].group == _CONSTRAINTS)

    @property
    def lists(self) -> tuple[str, ...]:
        """The files that hold a whole list, an empty one, too."""
        copies = (one for some in self.by_kind.values() for objects in some for one in objects)
        return tuple(dict.fromkeys(one.source.file for one in copies if one.source.is_whole))

    def was_asked(self, kind: str) -> bool:
        """Whether a list that says it is whole answers a kind, so that what is absent from it is not there."""
        return is_whole(self.find(kind)) or f"{kind}List" in self.by_kind or self.has_empty_list

    def lists_all(self, namespace: str, kind: str) -> bool:
        """Whether all objects of a kind in a namespace were listed: some of it, or of several namespaces, stand in a list."""
        namespaces = {one[0].namespace for one in self.find(kind) if is_whole([one])}
        return f"{kind}List" in self.by_kind or namespace in namespaces or len(namespaces) > 1

    @property
    def has_empty_list(self) -> bool:
        """Whether an empty `List` may be the answer: it does not say what was asked, and alone it answers nothing."""
        parts = (self.constraints, *map(self.find, _OF_GATES))
        return "List" in self.by_kind and any(map(is_whole, parts))


def is_whole(objects: Sequence[Copies]) -> bool:
    """Whether objects stand in a list that says of itself that it is whole."""
    return any(copy.source.is_whole for one in objects for copy in one)


def join_parts(parts: Sequence[Verdict]) -> Verdict:
    """The verdict on something that needs all its parts: one gap is a gap, else one unknown part leaves it unknown."""
    state = next(
        (state for state in (CoverageState.GAP, CoverageState.UNKNOWN) if any(one.state is state for one in parts)),
        CoverageState.COVERED,
    )
    decisive = [one for one in parts if one.state is state]
    return Verdict(
        state=state,
        reason="; ".join(one.reason for one in decisive),
        evidence=tuple(evidence for one in decisive for evidence in one.evidence),
        remedy=join_remedies(decisive),
        remarks=tuple(remark for one in parts for remark in one.remarks),
        limits=tuple(limit for one in parts for limit in one.limits),
    )


def join_remedies(decisive: Sequence[Verdict]) -> str | None:
    """What mends the first of some gaps, or all that is to be asked where they are unknown, so that it is asked at once."""
    remedies = [one.remedy for one in decisive if one.remedy]
    if any(one.state is CoverageState.GAP for one in decisive):
        return next(iter(remedies), None)
    return joint_asks(remedies)


class GateRule(Value, kw_only=True):
    """A rule of a gate: what it does, in its own words, what looks at a namespace, and what passes it all the same."""

    title: str
    effect: AdmissionEffect
    action: str
    shown: CoverageEvidence
    reach: Callable[[GatedNamespace], Verdict] = lambda namespace: REACHED
    limits: tuple[str, ...] = ()

    @classmethod
    def worst(cls, copies: Iterable[GateRule]) -> GateRule:
        """A rule as the worst of its documents shows it; it looks at a namespace where each of them says so."""
        every = list(copies)
        reach = every[0].reach if len(every) == 1 else lambda one: worst_of(copy.reach(one) for copy in every)
        weakest = min(every, key=lambda one: one.effect)
        return replace(weakest, reach=reach)


def judge_rules(what: str, rules: Sequence[GateRule], needed: AdmissionEffect, ask: str, *, is_whole: bool) -> Verdict:
    """Return whether one of a gate's rules does what is needed; `ask` is the line that answers whether there are more."""
    if not rules:
        return gap(f"it has no {what}") if is_whole else unknown(f"nobody asked for its {what}", remedy=ask)
    if enough := [one for one in rules if one.effect >= needed]:
        titles = listed([one.title for one in enough])
        lax = [one for one in rules if one.effect < AdmissionEffect.DENIES]
        refusing = (f"{len(lax)} of {len(rules)} {what} refuse nothing: {_counted_actions(lax)}",) if lax else ()
        return covered(
            f"{len(enough)} of {len(rules)} {what} {needed.verb_of_many}: {titles}",
            *(one.shown for one in enough[:3]),
            limits=tuple(dict.fromkeys((*refusing, *(limit for one in enough for limit in one.limits)))),
        )
    reason = f"none of {len(rules)} {what} {needed.verb}: {_counted_actions(rules)}"
    evidence = [one.shown for one in rules[:3]]
    if is_whole:
        return gap(reason, *evidence)
    return unknown(f"{reason}, and these may not be all", *evidence, remedy=ask)


def _counted_actions(rules: Iterable[GateRule]) -> str:
    counts = Counter(one.action for one in rules)
    return ", ".join(f"{count} {action}" for action, count in sorted(counts.items()))


def listed(names: Sequence[object], most: int = 3) -> str:
    """Some names as a sentence lists them: the first few, and how many more there are."""
    more = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {more} more" if more > 0 else "")
