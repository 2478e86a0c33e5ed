"""What the rules themselves answer when they are asked about made-up signals: whether a grave alert reaches a person, and which
suppression rules hold a whole type in effect.

`rules check` asks and a start does not. Whatever the rules say, they are judged by what comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path

from router.decide import decide
from router.decide.suppression import covers
from router.domain.owners import NO_OWNERS
from router.domain.rulebook import BY_TAG, Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Alert, Kind, Stream
from router.domain.suppression import SuppressionRule
from router.rulebook import Loaded, Problem, in_order, load_catalogue
from router.rulebook.catalogue import load_spellings
from router.rulebook.lints import Subject
from router.rulebook.made_up_signals import sets_for

_OF_MACHINES = frozenset({"webhook"})
"""Kinds of destination that tell a program, though not in rows."""

_WHERE = frozenset(
    {"subscription", "resource", "resource_group", "account", "project", "cluster", "namespace", "connector", "owner"}
)
"""The keys of `when` that ask where something is. Any of them may hold of a resource that nobody made up."""

_SAID_BY_MESSAGES = frozenset({"techniques"})
"""The keys that ask what messages alone say."""


def ask_rules(rules: Path, stream: Stream, loaded: Loaded, now: datetime) -> tuple[Problem, ...]:
    """The warnings about a stream's rules as they were loaded at `now`, by file and line."""
    subject = Subject.of(rules, stream, loaded, now)
    return in_order([*_find_unheard(subject), *_find_broad_rules(subject)])


def _find_unheard(subject: Subject) -> Iterator[Problem]:
    """A warning where no High alert of a plan reaches a person."""
    book = subject.loaded.rulebook
    if book is None or subject.policy is None or subject.stream is not Stream.CWPP:
        return
    alerts = _alerts_by_plan()
    everywhere = _asking_nothing_of_where(book)
    unheard = [plan for plan, some in alerts.items() if not _reaches_a_person(some, everywhere, subject.now)]
    if unheard:
        which = "any plan" if len(unheard) == len(alerts) else " or ".join(sorted(unheard))
        yield subject.policy.problem(
            ("otherwise",),
            f"no High alert of {which} reaches a person: name a destination for pages, tickets, a chat or mail here, "
            "or in a route that takes such alerts",
            "warning",
            "calls-nobody",
        )


def _asking_nothing_of_where(book: Rulebook) -> Rulebook:
    routes = [
        replace(
            route,
            when=tuple(
                one
                for one in route.when
                if one.key not in _WHERE | _SAID_BY_MESSAGES and not one.key.startswith(BY_TAG)
            ),
        )
        for route in book.routes
    ]
    return replace(book, routes=tuple(routes))


def _reaches_a_person(alerts: tuple[Alert, ...], book: Rulebook, now: datetime) -> bool:
    people = {
        name for name, spec in book.destinations.items() if spec.lane is not Lane.ROWS and spec.kind not in _OF_MACHINES
    }
    return any(not people.isdisjoint(decide(alert, book, now).people) for alert in alerts)


@cache
def _alerts_by_plan() -> Mapping[str, tuple[Alert, ...]]:
    """A High alert of each type of the catalogue on each type of resource that its plan watches, by plan."""
    catalogue, spellings = load_catalogue(), load_spellings()
    resources: dict[str, list[str]] = {}
    for type, plan in catalogue.resource_plans.items():
        resources.setdefault(plan, []).append(type)
    by_plan: dict[str, list[Alert]] = {}
    for name, known in catalogue.types.items():
        if known.plan is None or known.deprecation is not None:
            continue
        for resource_type in resources.get(known.plan, ["microsoft.compute/virtualmachines"]):
            by_plan.setdefault(known.plan, []).append(
                Alert(
                    kind=Kind.ALERT,
                    id="made-up",
                    type=spellings[name],
                    title=known.title,
                    severity=Severity.HIGH,
                    status="New",
                    resource=f"{_GROUP}/providers/{resource_type}/made-up",
                    plan=known.plan,
                )
            )
    return {plan: tuple(alerts) for plan, alerts in by_plan.items()}


_GROUP = "/subscriptions/2f9d4c17-b86e-4035-a7d1-5c0e9b3f6a82/resourceGroups/made-up"


def _find_broad_rules(subject: Subject) -> Iterator[Problem]:
    """A warning for each suppression rule that holds more than half of a set of signals of its type."""
    for rule in (*subject.rules, *subject.shadows):
        if (held := _find_most_held(rule, subject.stream)) is not None:
            yield subject.warning(
                rule,
                ("properties", "suppressionAlertsScope"),
                f"is a whole alert type in effect: it holds {held} made-up signals that differ in all that rules look at; "
                "name what is to be held, such as one host, one resource group or one address",
                "holds-most",
            )


def _find_most_held(rule: SuppressionRule, stream: Stream) -> str | None:
    """How many signals of a set a rule holds, such as `9 of 12`, where that is more than half."""
    for signals in sets_for(rule, stream):
        held = sum(covers(rule, signal, NO_OWNERS) for signal in signals)
        if held * 2 > len(signals):
            return f"{held} of {len(signals)}"
    return None
