"""The meaning of a route's `when`: each key that is given becomes a clause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import attrgetter
from typing import Any

from router.domain.catalogue import Attack, AttackTable, Catalogue
from router.domain.locations import location_of, names_of, resource_group_of
from router.domain.owners import Owners, find_owner_of
from router.domain.resources import parse_resource_id
from router.domain.rulebook import BY_TAG, Clause, Holds
from router.domain.severity import Severity
from router.domain.signals import Alert, Finding, Kind, Signal, Stream
from router.rulebook.patterns import compile_globs
from router.rulebook.problems import KeyPath, Level
from router.rulebook.validation_messages import hint
from router.rulebook.when_form import WhenForm

SEVERITIES = {severity.label: severity for severity in Severity}

NOBODY = "nobody"
"""What `owner` calls the owner of what has none."""

_ONLY_IN = dict.fromkeys(("plan", "incident", "sample"), Stream.CWPP) | dict.fromkeys(
    ("coverage", "category", "package", "cve", "risk"), Stream.CSPM
)


def clauses_for(when: WhenForm, attack: AttackTable, owners: Owners) -> tuple[Clause, ...]:
    """The clauses of a route, in the order in which they are written."""
    # Validation sets the fields in their own order; the set of given ones does not keep the writer's.
    given = [key for key in WhenForm.model_fields if key in when.model_fields_set]
    return tuple(clause for key in given for clause in _clauses_of(key, when, attack, owners))


def doubts_about(
    when: WhenForm, stream: Stream, attack: AttackTable, catalogue: Catalogue
) -> Iterator[tuple[KeyPath, str, Level, str]]:
    """What a `when` names that does not exist, is gone, or no signal of this stream has: path, message, level, code."""
    for number, word in enumerate(when.tactics or ()):
        if not attack.tactics_for(word):
            known = [*attack.tactics, *attack.tactics.values()]
            yield ("tactics", number), f"names no tactic {word!r}{hint(word, known)}", "problem", "unknown-tactic"
    plans = plans_of(catalogue)
    for number, plan in enumerate(when.plan or ()):
        if plan.lower() not in plans:
            yield ("plan", number), unknown_plan(plan, catalogue), "warning", "unknown-plan"
    for key, owner in _ONLY_IN.items():
        if key in when.model_fields_set and stream is not owner:
            yield (key,), f"is known of {owner} signals only; no {stream} signal has it", "warning", "wrong-stream"
    for number, kind in enumerate(when.kind or ()):
        if kind.stream is not stream:
            words = f"{kind} belongs to {kind.stream}; no {stream} signal is one"
            yield ("kind", number), words, "warning", "wrong-stream"


def is_for_other_stream(when: WhenForm, stream: Stream) -> bool:
    """Whether a `when` asks for what no signal of a stream has, so that it holds for none."""
    if when.kind and all(kind.stream is not stream for kind in when.kind):
        return True
    # `sample: false` and `incident: false` hold for every finding, and `coverage: false` for every alert.
    return any(getattr(when, key) not in (None, False) for key, owner in _ONLY_IN.items() if owner is not stream)


def may_be_about_coverage(when: WhenForm) -> bool:
    """Whether anything that a `when` takes may be about coverage, by what it says of that and of kinds."""
    return when.coverage is not False and (not when.kind or not _ON_COVERAGE.isdisjoint(when.kind))


_ON_COVERAGE = frozenset({Kind.RECOMMENDATION, Kind.COVERAGE})
"""The kinds of which some or all are about coverage."""


def plans_of(catalogue: Catalogue) -> dict[str, str]:
    """The plans that rules may name, by their names in lower case."""
    return {plan.lower(): plan for plan in catalogue.plan_names.values()}


def unknown_plan(plan: str, catalogue: Catalogue) -> str:
    """What to say of a plan that is not called so."""
    called = catalogue.plan_names.get(plan.lower())
    remedy = f"; Defender calls it {called}" if called else hint(plan, set(catalogue.plan_names.values()))
    return f"names no known plan {plan!r}{remedy}"


def _clauses_of(key: str, when: WhenForm, attack: AttackTable, owners: Owners) -> Iterator[Clause]:
    value = getattr(when, key)
    if key == "tag":
        for name, globs in value.items():
            yield _owned(f"{BY_TAG}{name}", globs, partial(_tag, name, compile_globs(globs)), owners)
    elif key == "owner":
        yield _owned(key, value, partial(_owner, value), owners)
    else:
        yield Clause(key, _written(value), _holds_for(key, value, attack))


def _owned(key: str, value: object, holds_by: Callable[[Owners], Holds], owners: Owners) -> Clause:
    """A clause that asks for owners or tags."""
    return Clause(key, _written(value), holds_by(owners), holds_by)


def _holds_for(key: str, value: Any, attack: AttackTable) -> Holds:
    match key:
        case "at_least":
            # In doubt the router is loud: what has no known severity is at least anything.
            floor = SEVERITIES[value]
            return lambda signal, _: (level := signal.level) is None or level >= floor
        case "tactics":
            tactics = frozenset(id for word in value for id in attack.tactics_for(word))
            return lambda _, found: not tactics.isdisjoint(found.tactics)
        case "techniques":
            return _techniques(frozenset(value), attack)
        case key if key in _VALUES:
            of, read = _VALUES[key]
            wanted = frozenset(map(read, value if isinstance(value, list) else [value]))
            return lambda signal, _: of(signal) in wanted
        case key if key in _MANY:
            texts_of, fits = _MANY[key], compile_globs(value)
            return lambda signal, _: any(map(fits, texts_of(signal)))
        case _:
            text_of, fits = _TEXTS[key], compile_globs(value)
            return lambda signal, _: fits(text_of(signal))


def status_word(status: str) -> str:
    """A status in small letters as routes compare it: what is active is new."""
    caseless = status.casefold()
    return "new" if caseless == "active" else caseless


def _risk_of(signal: Signal) -> object:
    """The level of a finding's risk, None where it has none; an alert has not even that."""
    return (signal.risk.level if signal.risk else None) if isinstance(signal, Finding) else _NO_RISK


_NO_RISK = object()

_VALUES: dict[str, tuple[Callable[[Signal], object], Callable[[Any], object]]] = {
    "severity": (attrgetter("level"), SEVERITIES.get),
    "incident": (lambda signal: signal.kind is Kind.INCIDENT, bool),
    "sample": (lambda signal: isinstance(signal, Alert) and signal.sample, bool),
    "coverage": (lambda signal: isinstance(signal, Finding) and signal.is_about_coverage, bool),
    "kind": (attrgetter("kind"), Kind),
    "status": (lambda signal: status_word(signal.status or ""), status_word),
    "risk": (_risk_of, SEVERITIES.get),
}
"""What a signal has under a key that is compared as a whole, and what reads a value that is written there."""

_TEXTS: dict[str, Callable[[Signal], str | None]] = {
    "alert_type": attrgetter("type"),
    "plan": lambda signal: signal.plan if isinstance(signal, Alert) else None,
    "package": lambda signal: signal.package.name if isinstance(signal, Finding) and signal.package else None,
    "subscription": lambda signal: parse_resource_id(signal.resource).subscription,
    "resource_group": resource_group_of,
    "account": lambda signal: location_of(signal).account,
    "cluster": lambda signal: location_of(signal).cluster,
    "resource_type": lambda signal: parse_resource_id(signal.resource).type,
}

_MANY: dict[str, Callable[[Signal], Iterable[str | None]]] = {
    "resource": names_of,
    "project": lambda signal: location_of(signal).projects,
    "namespace": lambda signal: location_of(signal).namespaces,
    "connector": lambda signal: location_of(signal).connectors,
    # Those of the metadata (Compute, Data, ...), and the recommendation's own (SoftwareUpdate, ...).
    "category": lambda signal: (signal.category, *signal.categories) if isinstance(signal, Finding) else (),
    "cve": lambda signal: signal.cves.ids if isinstance(signal, Finding) and signal.cves else (),
}
"""What finds the texts of a signal of which any will do."""


def _tag(name: str, fits: Callable[[str | None], bool], owners: Owners) -> Holds:
    tags = owners.tags
    return lambda signal, _: fits(tags.find(signal.resource, name))


def _techniques(ids: frozenset[str], table: AttackTable) -> Holds:
    # A signal's techniques are current ones, so what a rule names is brought up to date too, sub-techniques included.
    below = tuple(f"{id}." for id in ids)
    heirs = {heir for old, heir in table.successors.items() if old in ids or old.startswith(below)}
    wanted = ids | heirs
    parents = tuple(f"{id}." for id in wanted)
    return lambda _, attack: any(id in wanted or id.startswith(parents) for id in attack.techniques)


def _owner(globs: list[str], owners: Owners) -> Holds:
    fits, takes_unowned = compile_globs(globs), NOBODY in map(str.lower, globs)

    def holds(signal: Signal, _: Attack) -> bool:
        owner = find_owner_of(signal, owners)
        return takes_unowned if owner is None else fits(owner.group) or fits(owner.service)

    return holds


def _written(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
