"""The meaning of a route's `when`: each key that is given becomes a clause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

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

_ONLY_IN = {
    "plan": Stream.CWPP,
    "incident": Stream.CWPP,
    "sample": Stream.CWPP,
    "coverage": Stream.CSPM,
    "category": Stream.CSPM,
    "package": Stream.CSPM,
    "cve": Stream.CSPM,
    "risk": Stream.CSPM,
}


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
            yield (
                ("kind", number),
                f"{kind} belongs to {kind.stream}; no {stream} signal is one",
                "warning",
                "wrong-stream",
            )


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
    if key == "tag":
        for name, globs in (when.tag or {}).items():
            yield _owned(f"{BY_TAG}{name}", globs, partial(_tag, name, compile_globs(globs)), owners)
    elif key == "owner":
        yield _owned(key, when.owner, partial(_owner, when.owner or []), owners)
    else:
        yield Clause(key, _written(getattr(when, key)), _holds_for(key, when, attack))


def _owned(key: str, value: object, holds_by: Callable[[Owners], Holds], owners: Owners) -> Clause:
    """A clause that asks for owners or tags."""
    return Clause(key, _written(value), holds_by(owners), holds_by)


def _holds_for(key: str, when: WhenForm, attack: AttackTable) -> Holds:
    match key:
        case "severity":
            return _severity(frozenset(when.severity or ()))
        case "at_least":
            return _at_least(SEVERITIES[when.at_least or "Informational"])
        case "tactics":
            return _tactics(frozenset(id for word in when.tactics or () for id in attack.tactics_for(word)))
        case "techniques":
            return _techniques(frozenset(when.techniques or ()), attack)
        case "incident":
            return lambda signal, _: (signal.kind is Kind.INCIDENT) is when.incident
        case "sample":
            return lambda signal, _: (isinstance(signal, Alert) and signal.sample) is when.sample
        case "coverage":
            return lambda signal, _: (isinstance(signal, Finding) and signal.is_about_coverage) is when.coverage
        case "kind":
            return _kind(frozenset(when.kind or ()))
        case "status":
            return _status(frozenset(map(status_word, when.status or ())))
        case "category":
            return _category(compile_globs(when.category or ()))
        case "cve":
            return _cve(compile_globs(when.cve or ()))
        case "risk":
            return _risk(frozenset(when.risk or ()))
        case key if key in _MANY:
            return _any_text(_MANY[key], compile_globs(getattr(when, key)))
        case _:
            return _text(_TEXTS[key], compile_globs(getattr(when, key)))


_TEXTS: dict[str, Callable[[Signal], str | None]] = {
    "alert_type": lambda signal: signal.type,
    "plan": lambda signal: signal.plan if isinstance(signal, Alert) else None,
    "package": lambda signal: signal.package.name if isinstance(signal, Finding) and signal.package else None,
    "subscription": lambda signal: parse_resource_id(signal.resource).subscription,
    "resource_group": resource_group_of,
    "account": lambda signal: location_of(signal).account,
    "cluster": lambda signal: location_of(signal).cluster,
    "resource_type": lambda signal: parse_resource_id(signal.resource).type,
}


_MANY: dict[str, Callable[[Signal], Iterable[str]]] = {
    "resource": names_of,
    "project": lambda signal: location_of(signal).projects,
    "namespace": lambda signal: location_of(signal).namespaces,
    "connector": lambda signal: location_of(signal).connectors,
}
"""What finds the texts of a signal of which any will do."""


def _text(of: Callable[[Signal], str | None], fits: Callable[[str | None], bool]) -> Holds:
    return lambda signal, _: fits(of(signal))


def _any_text(of: Callable[[Signal], Iterable[str]], fits: Callable[[str | None], bool]) -> Holds:
    return lambda signal, _: any(map(fits, of(signal)))


def _tag(name: str, fits: Callable[[str | None], bool], owners: Owners) -> Holds:
    tags = owners.tags
    return lambda signal, _: fits(tags.find(signal.resource, name))


def _severity(labels: frozenset[str]) -> Holds:
    wanted: frozenset[Severity | None] = frozenset(SEVERITIES.get(label) for label in labels)
    return lambda signal, _: signal.level in wanted


def _at_least(floor: Severity) -> Holds:
    # In doubt the router is loud: what has no known severity is at least anything.
    return lambda signal, _: (level := signal.level) is None or level >= floor


def _tactics(wanted: frozenset[str]) -> Holds:
    return lambda _, attack: not wanted.isdisjoint(attack.tactics)


def _techniques(ids: frozenset[str], table: AttackTable) -> Holds:
    # A signal's techniques are current ones, so what a rule names is brought up to date too, sub-techniques included.
    below = tuple(f"{id}." for id in ids)
    heirs = {heir for old, heir in table.successors.items() if old in ids or old.startswith(below)}
    wanted = ids | heirs
    parents = tuple(f"{id}." for id in wanted)
    return lambda _, attack: any(id in wanted or id.startswith(parents) for id in attack.techniques)


def _kind(wanted: frozenset[Kind]) -> Holds:
    return lambda signal, _: signal.kind in wanted


def _status(wanted: frozenset[str]) -> Holds:
    return lambda signal, _: signal.status is not None and status_word(signal.status) in wanted


def status_word(status: str) -> str:
    """A status in small letters as routes compare it: what is active is new."""
    caseless = status.casefold()
    return "new" if caseless == "active" else caseless


def _category(fits: Callable[[str | None], bool]) -> Holds:
    # Those of the metadata (Compute, Data, ...), and the recommendation's own (SoftwareUpdate, ...).
    return lambda signal, _: (
        isinstance(signal, Finding) and (fits(signal.category) or any(map(fits, signal.categories)))
    )


def _cve(fits: Callable[[str | None], bool]) -> Holds:
    return lambda signal, _: isinstance(signal, Finding) and signal.cves is not None and any(map(fits, signal.cves.ids))


def _risk(labels: frozenset[str]) -> Holds:
    wanted: frozenset[Severity | None] = frozenset(SEVERITIES.get(label) for label in labels)
    return lambda signal, _: (
        isinstance(signal, Finding) and (signal.risk.level if signal.risk is not None else None) in wanted
    )


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
