"""Whom a drill is going to call: every known alert type of its plan, decided by the rules, silences and holds as they stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from router.app.rules import lanes_of
from router.decide import decide
from router.decide.attack import attack_of
from router.deliver.destination_holds import HoldReader
from router.domain import samples
from router.domain.catalogue import Catalogue
from router.domain.decisions import Decision, Outcome
from router.domain.destination_holds import words_of_hold
from router.domain.holders import holder_words
from router.domain.owners import find_owner_of
from router.domain.rulebook import Rulebook
from router.domain.severity import severity_named
from router.domain.signals import DEFENDER, Alert, Kind
from router.domain.silences import NO_SILENCES, Silences
from router.domain.suppression import NO_SUPPRESSIONS
from router.drill.expected import DrillForecast, ExpectedDestination
from router.drill.subjects import DrillSubject
from router.ingest.silence_reader import SilenceReader
from router.store.store import Store


async def read_forecast(store: Store, book: Rulebook, subject: DrillSubject, now: datetime) -> DrillForecast:
    """Whom a drill is going to call, as rules, silences and holds stand; raises StoreError."""
    silences = await SilenceReader(store, book.silences.longest).silences(book.stream.value, now)
    held = await HoldReader(store, lanes_of([book])).held_in(book.stream.value, now)
    holds = {name: f"it is {words_of_hold(one)}" for name, one in held.items()}
    return forecast(book, silences, subject, now, holds)


def forecast(
    book: Rulebook, silences: Silences, subject: DrillSubject, now: datetime, holds: dict[str, str]
) -> DrillForecast:
    """The same of silences and holds that were read; `holds` says in words who holds a destination, by its name."""
    reached: defaultdict[str, set[str]] = defaultdict(set)
    held_back: defaultdict[str, set[str]] = defaultdict(set)
    for_real: set[str] = set()
    owners: set[str] = set()
    unheld = replace(book, suppressions=NO_SUPPRESSIONS)
    for type, alert in _alerts_of(book.catalogue, subject):
        decision = decide(alert, book, now, silences)
        for name in _routed(decision):
            reached[name].add(type)
        owners |= _paged_owners(book, alert)
        if decision.suppressed_by is not None:
            for name in _routed(decide(alert, unheld, now, NO_SILENCES)):
                held_back[name].add(holder_words(decision.suppressed_by))
        if alert.sample:
            for_real |= _routed(decide(replace(alert, sample=False), unheld, now, NO_SILENCES))
    names = sorted(reached.keys() | held_back.keys() | for_real)
    expected = [_expected(book, name, reached[name], held_back[name], holds.get(name)) for name in names]
    return DrillForecast(
        rulebook=book.hash,
        expected=[
            replace(one, owners=tuple(sorted(owners))) if one.kind == _PAGER and one.is_called else one
            for one in expected
        ],
        possible=_possible(book, subject),
    )


def _possible(book: Rulebook, subject: DrillSubject) -> frozenset[str]:
    """Where rules may lead what a drill raises, whatever it says beside what is certain: its plan, and that it is a sample."""
    alert = next((alert for _, alert in _alerts_of(book.catalogue, subject)), None)
    if alert is None:
        return frozenset(book.destinations)
    certain = _CERTAIN if subject.bundle is not None else _CERTAIN - {"plan"}
    attack = attack_of(alert, book)
    led = (
        name
        for route in book.routes
        if all(clause.holds(alert, attack) for clause in route.when if clause.key in certain)
        for name in route.to
    )
    return frozenset(led).union(book.always, book.otherwise)


def _paged_owners(book: Rulebook, alert: Alert) -> set[str]:
    owner = find_owner_of(alert, book.owners)
    return {owner.name or owner.pager} if owner is not None and owner.pager is not None else set()


_CERTAIN = frozenset({"sample", "plan", "coverage"})
"""The keys of a route's `when` of which it is certain what they come to before anything is raised."""

_PAGER = "pagerduty"
"""The kind that pages the owner of a resource by a key of the owner's, where there is one."""


def _expected(book: Rulebook, name: str, types: set[str], holders: set[str], hold: str | None) -> ExpectedDestination:
    spec = book.destinations[name]
    hindrance = hold
    if not types:
        hindrance = (
            f"{' and '.join(sorted(holders))} would hold all of it" if holders else "the rules keep samples from it"
        )
    return ExpectedDestination(name=name, lane=spec.lane, kind=spec.kind, types=len(types), hindrance=hindrance)


def _routed(decision: Decision) -> set[str]:
    return set(decision.destinations) if decision.outcome is Outcome.ROUTED else set()


def _alerts_of(catalogue: Catalogue, subject: DrillSubject) -> Iterator[tuple[str, Alert]]:
    """An alert of each known type of the plan, as a drill brings it; of samples, which bear a prefix or do not, both."""
    for name, known in catalogue.types.items():
        if known.plan != subject.plan or known.deprecation is not None:
            continue
        if subject.cluster is not None and not name.startswith("k8s"):
            continue
        for type in (name,) if subject.is_real else (name, f"{samples.TYPE}{name}"):
            severity = known.severity
            yield (
                name,
                Alert(
                    kind=Kind.ALERT,
                    id=f"drill-{type}",
                    type=type,
                    title=known.title if subject.is_real else f"{samples.TITLE} {known.title}",
                    severity=severity_named(severity),
                    severity_written=severity,
                    resource=_resource(catalogue, subject),
                    plan=subject.plan,
                    sample=not subject.is_real,
                    product=DEFENDER,
                ),
            )


def _resource(catalogue: Catalogue, subject: DrillSubject) -> str:
    """The resource that an alert of the drill is about, as far as anybody knows it before."""
    named = subject.cluster or subject.machine
    if named is not None and named.startswith("/"):
        return named
    types = (type for type, plan in catalogue.resource_plans.items() if plan == subject.plan and "/" in type)
    group = f"/subscriptions/{subject.subscription}/resourceGroups/Sample-RG"
    return f"{group}/providers/{next(types, 'Microsoft.Security/resources')}/{named or 'Sample-VM'}"
