"""Routes in vain: those that nothing can match, and quiet ones that keep nothing quiet.

A contradiction is said only where it is certain from how messages are read and decided. A missing or unknown severity is above
every floor, whatever else a route asks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from router.domain.owners import NamedScope
from router.domain.patterns import covers_glob, fixed_beginning, is_glob
from router.domain.rulebook import Floor
from router.domain.severity import Severity
from router.domain.signals import Kind, Stream
from router.domain.values import Value
from router.rulebook.clauses import NOBODY, SEVERITIES, is_for_other_stream, may_be_about_coverage, status_word
from router.rulebook.lints.linted_rules import Subject
from router.rulebook.lints.types import DECLARE, KnownTypes, about_unknown_type
from router.rulebook.owners import OF_OWNERS
from router.rulebook.patterns import compile_globs, may_meet
from router.rulebook.problems import KeyPath, Problem
from router.rulebook.when_form import STATUSES, WhenForm

_SCORES = frozenset({Kind.SECURE_SCORE, Kind.SECURE_SCORE_CONTROL, Kind.COMPLIANCE})
"""The kinds that have no severity, ever."""
_OVER = {Stream.CWPP: {"resolved", "dismissed"}, Stream.CSPM: {"healthy", "notapplicable"}}
"""The statuses of what has ended, in lower case; what has ended never gets as far as the routes."""
_NOTHING = "so the route matches nothing"

_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f-]*[*?][0-9a-f*?-]*", re.IGNORECASE)
_ACCOUNT = re.compile(r"[0-9]{12}|[0-9]*[*?][0-9*?]*|aws", re.IGNORECASE)
_BEGINNINGS = (
    "/subscriptions/", "/providers/", "/tenants/", "/repositories/", "/projects/", "projects/", "//", "arn:",
)  # fmt: skip
"""How the names of resources begin, but for those that begin with a service of Google's, as storage.googleapis.com/ does."""
_GOOGLE = re.compile(r"[a-z]+(?:\.[a-z.]*(?:/.*)?)?", re.DOTALL | re.IGNORECASE)

_LEVELS: frozenset[Severity | None] = frozenset({None, *Severity})
_GLOBS = frozenset(
    {
        "alert_type", "plan", "subscription", "resource", "resource_type", "resource_group", "account", "project", "cluster",
        "namespace", "connector", "category", "package", "cve",
    }
)  # fmt: skip
"""The keys that take globs, of which any may fit."""


class Contradiction(NamedTuple):
    """Something that a `when` asks in vain.

    Attributes:
        is_fatal: whether the route can match nothing for that alone.
    """

    path: KeyPath
    message: str
    code: str
    is_fatal: bool


class Surroundings(Value, kw_only=True):
    """What a route of a stream is judged against.

    Attributes:
        owners: the groups and services that owners.yaml gives; None where they are not all known.
        ids: the ids of subscriptions and accounts by the names that owners.yaml gives them, in lower case.
    """

    stream: Stream
    floor: Floor
    types: KnownTypes
    owners: Collection[str] | None = None
    is_all_owned: bool = False
    ids: Mapping[str, str] = {}
    coverage_severity: Severity = Severity.HIGH

    @classmethod
    def of(cls, subject: Subject) -> Surroundings:
        """Those of the routes of a stream."""
        form, policy = subject.loaded.owners.form, subject.loaded.policy
        entries = form.owners if form is not None else []
        named = {name for entry in entries for name in (entry.group, entry.service) if name is not None}
        return cls(
            stream=subject.stream,
            floor=policy.floor,
            coverage_severity=policy.coverage_severity,
            types=KnownTypes.of(policy.types),
            # There is no list of owners where one of them is the value of a tag.
            owners=None if any("{" in name for name in named) else named,
            is_all_owned=any(
                entry.model_fields_set and OF_OWNERS.issuperset(entry.model_fields_set) and not entry.has_values_of_tags
                for entry in entries
            ),
            ids=ids_by_name(subject),
        )


def find_dead_routes(subject: Subject) -> Iterator[Problem]:
    """A warning for everything that a route asks in vain, and for each destination that only dead routes name."""
    if subject.policy is None or subject.loaded.rulebook is None:
        return
    around, policy = Surroundings.of(subject), subject.loaded.policy
    alive, dead = {*policy.always, *policy.otherwise}, {}
    for number, route in policy.route_forms:
        found = list(find_contradictions(route.when, around))
        for one in found:
            yield subject.policy.problem(("routes", number, "when", *one.path), one.message, "warning", one.code)
        # Loading says what belongs to the other stream.
        if any(one.is_fatal for one in found) or is_for_other_stream(route.when, subject.stream):
            dead.update(dict.fromkeys(route.to, route.name))
        else:
            alive.update(route.to)
    for destination in dead.keys() - alive:
        words = f"is reached by nothing: route {dead[destination]!r} can match nothing, and no other one names it"
        yield subject.policy.problem(("destinations", destination), words, "warning", "unused-destination")


def find_quiet_routes_in_vain(subject: Subject) -> Iterator[Problem]:
    """A warning for each quiet route whose every signal another route tells: the order of routes never matters."""
    if subject.policy is None or subject.loaded.rulebook is None:
        return
    routes = subject.loaded.policy.route_forms
    for number, route in routes:
        wide = next((one for _, one in routes if one.to and takes_all_of(one.when, route.when)), None)
        if not route.to and wide is not None:
            words = (
                f"keeps nothing quiet: route {wide.name!r} takes all that it takes, and order never matters; "
                "narrow that one, or remove this one"
            )
            yield subject.policy.problem(("routes", number, "to"), words, "warning", "quiet-in-vain")


def find_contradictions(when: WhenForm, around: Surroundings) -> Iterator[Contradiction]:
    """Everything that a `when` asks in vain."""
    yield from _about_severity(when, around)
    if around.stream is Stream.CSPM:
        yield from _about_coverage(when, around.coverage_severity)
    else:
        yield from _about_incident(when)
        yield from _about_alert_type(when, around.types)
    yield from _about_status(when, around.stream)
    yield from _about_ids(when, around.ids)
    yield from _about_owner(when, around)


def _about_severity(when: WhenForm, around: Surroundings) -> Iterator[Contradiction]:
    if when.severity is None:
        return
    levels = {SEVERITIES.get(label) for label in when.severity}
    # A finding that gives none has that of its CVEs, or is Medium.
    if around.stream is Stream.CSPM and when.kind and _SCORES.isdisjoint(when.kind):
        levels.discard(None)
        if not levels:
            yield _fatal(
                "severity", f"asks for `unknown`, which findings that give none are not, {_NOTHING}; write Medium"
            )
            return
    known = {level for level in levels if level is not None}
    if when.at_least is not None:
        known = {level for level in known if level >= SEVERITIES[when.at_least]}
        if not known and None not in levels:
            yield _fatal("at_least", f"is above all that `severity` names, {_NOTHING}; leave one of the two out")
            return
    if None in levels:
        return
    if when.kind and _SCORES.issuperset(when.kind):
        yield _fatal("severity", f"is nothing that scores and compliance have, {_NOTHING}; leave it out")
        return
    # What is about coverage passes every floor, and has the severity that the policy gives it.
    may_pass = around.stream is Stream.CSPM and may_be_about_coverage(when) and around.coverage_severity in known
    lowest = _lowest_floor(when, around.floor)
    if not may_pass and max(known) < lowest:
        remedy = "lower the floor, or remove the route"
        yield _fatal("severity", f"is below the floor, {lowest.label}, {_NOTHING}; {remedy}")


def _lowest_floor(when: WhenForm, floor: Floor) -> Severity:
    """The lowest floor of the plans that a route can match."""
    floors = {floor.default, *floor.by_plan.values()}
    if when.plan and not any(map(is_glob, when.plan)):
        by_plan = {plan.lower(): severity for plan, severity in floor.by_plan.items()}
        floors = {by_plan.get(plan.lower(), floor.default) for plan in when.plan}
    return min(floors)


def _about_coverage(when: WhenForm, severity: Severity) -> Iterator[Contradiction]:
    is_all_coverage = when.coverage is True or set(when.kind or ()) == {Kind.COVERAGE}
    if when.coverage is True and not may_be_about_coverage(when):
        words = "asks for what is about coverage, which is a recommendation or of kind coverage, and `kind` for others"
        yield _fatal("coverage", f"{words}, {_NOTHING}; leave one of the two out")
    elif when.coverage is False and is_all_coverage:
        words = "asks for what is not about coverage, and `kind` for what always is"
        yield _fatal("coverage", f"{words}, {_NOTHING}; leave one of the two out")
    elif is_all_coverage:
        given = f"{severity.label}, which the policy makes all that is about coverage, {_NOTHING}"
        if when.severity is not None and severity.label not in when.severity:
            yield _fatal("severity", f"does not name {given}; name it, or leave `severity` out")
        if when.at_least is not None and severity < SEVERITIES[when.at_least]:
            yield _fatal("at_least", f"is above {given}; leave it out")


def _about_incident(when: WhenForm) -> Iterator[Contradiction]:
    kinds = {kind for kind in when.kind or () if kind.stream is Stream.CWPP}
    if when.incident is not None and kinds == {Kind.ALERT if when.incident else Kind.INCIDENT}:
        word = "asks for incidents" if when.incident else "asks for no incidents"
        yield _fatal("incident", f"{word}, and `kind` for the opposite, {_NOTHING}; leave one of the two out")


def _about_alert_type(when: WhenForm, known: KnownTypes) -> Iterator[Contradiction]:
    for number, glob in enumerate(when.alert_type or ()):
        if not is_glob(glob):
            if not known.has(glob):
                yield Contradiction(("alert_type", number), *about_unknown_type(glob, known), False)
        elif not known.is_fitted_by(glob) and not any(may_meet(glob.lower(), one.lower()) for one in known.declared):
            words = f"{glob!r} fits no alert type that is known; {DECLARE}"
            yield Contradiction(("alert_type", number), words, "unknown-alert-type", False)


def _about_status(when: WhenForm, stream: Stream) -> Iterator[Contradiction]:
    here = frozenset(map(status_word, STATUSES[stream]))
    faults: dict[int, str] = {}
    for number, status in enumerate(map(str.casefold, when.status or ())):
        if status in _OVER[stream]:
            ended = "is the status of a signal that has ended, which no route takes"
            faults[number] = f"{ended}; `always` hears of that, and who was told"
        elif status_word(status) not in here:
            faults[number] = f"is a status that no {stream} signal has"
    yield from _dead_values("status", faults, when.status)


def _about_ids(when: WhenForm, ids: Mapping[str, str]) -> Iterator[Contradiction]:
    for key, globs in (("subscription", when.subscription), ("account", when.account), ("resource", when.resource)):
        found = {number: about_impossible_glob(key, glob, ids) for number, glob in enumerate(globs or ())}
        yield from _dead_values(key, {number: words for number, words in found.items() if words is not None}, globs)
    message = "is no resource type, which has a provider, as in Microsoft.Compute/virtualMachines"
    types = enumerate(when.resource_type or ())
    bare = {number: message for number, type in types if "/" not in type and not is_glob(type)}
    yield from _dead_values("resource_type", bare, when.resource_type)


def _about_owner(when: WhenForm, around: Surroundings) -> Iterator[Contradiction]:
    owners, faults = around.owners, dict[int, str]()
    if owners is None:
        return
    for number, glob in enumerate(when.owner or ()):
        if not any(map(compile_globs([glob]), owners)):
            if glob.lower() != NOBODY:
                faults[number] = "fits no group and no service in owners.yaml"
            elif around.is_all_owned:
                faults[number] = "stands for what has no owner, and by owners.yaml everything has one"
    yield from _dead_values("owner", faults, when.owner)


def _fatal(key: str, message: str) -> Contradiction:
    return Contradiction((key,), message, "dead-route", True)


def _dead_values(key: str, faults: Mapping[int, str], values: Collection[str] | None) -> Iterator[Contradiction]:
    """What to say of some values of a key; where these are all of them, the route matches nothing."""
    is_fatal = len(faults) == len(values or ())
    for number, message in faults.items():
        words = f"{message}; {_NOTHING[3:]}" if is_fatal else message
        yield Contradiction((key, number), words, "dead-route" if is_fatal else "dead-value", is_fatal)


def about_impossible_glob(key: str, glob: str, ids: Mapping[str, str]) -> str | None:
    """Why a glob of a `subscription`, an `account` or a `resource` fits nothing; None where it may fit something."""
    id = ids.get(glob.lower())
    remedy = f"that of {glob!r} is {id}" if id else "write an id, or a glob of ids"
    if key == "subscription" and not _SUBSCRIPTION.fullmatch(glob):
        return f"fits no subscription's id, which is a GUID; {remedy}"
    if key == "account" and not _ACCOUNT.fullmatch(glob):
        return f"fits no AWS account's id, which has 12 digits; {remedy}"
    if key == "resource" and not _may_be_resource(glob):
        example = f"*/{glob.strip('*/')}"
        return f"fits no resource's id from its beginning to its end; write a glob such as {example} or {example}/*"
    return None


def _may_be_resource(glob: str) -> bool:
    fixed = fixed_beginning(glob).lower()
    begins_so = any(one.startswith(fixed) or fixed.startswith(one) for one in _BEGINNINGS) or _GOOGLE.fullmatch(fixed)
    return bool(begins_so) and (is_glob(glob) or "/" in glob or ":" in glob)


def ids_by_name(subject: Subject) -> Mapping[str, str]:
    """The ids of subscriptions and accounts by the names that owners.yaml gives them, in lower case."""
    scopes = subject.loaded.owners.scopes
    named: dict[str, NamedScope] = {**scopes.subscriptions, **scopes.accounts}
    return {scope.name.lower(): id for id, scope in named.items() if scope.name is not None}


def takes_all_of(wide: WhenForm, narrow: WhenForm) -> bool:
    """Whether a `when` surely holds wherever another one does."""
    return _levels(narrow) <= _levels(wide) and all(
        key in narrow.model_fields_set and _covers(key, getattr(wide, key), getattr(narrow, key))
        for key in wide.model_fields_set - {"severity", "at_least"}
    )


def _levels(when: WhenForm) -> frozenset[Severity | None]:
    """The levels that a `when` takes; None among them is a missing or unknown one."""
    levels = _LEVELS if when.severity is None else frozenset(SEVERITIES.get(label) for label in when.severity)
    lowest = SEVERITIES[when.at_least] if when.at_least is not None else Severity.INFORMATIONAL
    return frozenset(level for level in levels if level is None or level >= lowest)


def _covers(key: str, wide: object, narrow: object) -> bool:
    """Whether the value of a key holds wherever another value of it does."""
    if not isinstance(wide, list) or not isinstance(narrow, list):
        return wide == narrow
    if key not in _GLOBS:
        return {str(one).lower() for one in narrow} <= {str(one).lower() for one in wide}
    return all(any(covers_glob(glob, one) for glob in wide) for one in narrow)
