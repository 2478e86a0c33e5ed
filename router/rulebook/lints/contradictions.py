"""What the keys of a route's `when` ask in vain: what no signal that gets as far as the routes can have.

A contradiction is said only where it is certain from how messages are read and decided. A missing or unknown severity is above
every floor, whatever else a route asks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from router.domain.catalogue import Catalogue
from router.domain.patterns import is_glob
from router.domain.resources import parse_resource_id
from router.domain.rulebook import Floor
from router.domain.severity import Severity
from router.domain.signals import Kind, Stream
from router.rulebook.clauses import NOBODY, SEVERITIES, may_be_about_coverage, status_word
from router.rulebook.globs import compile_globs, may_meet
from router.rulebook.lints.impossible_globs import NamedIds
from router.rulebook.lints.known_types import KnownTypes
from router.rulebook.lints.type_messages import about_unknown_glob, about_unknown_type
from router.rulebook.problems import KeyPath
from router.rulebook.when_form import STATUSES, WhenForm

_SCORES = frozenset({Kind.SECURE_SCORE, Kind.SECURE_SCORE_CONTROL, Kind.COMPLIANCE})
"""The kinds that have no severity, ever."""

_OVER = {Stream.CWPP: {"resolved", "dismissed"}, Stream.CSPM: {"healthy", "notapplicable"}}
"""The statuses of what is over, in small letters; what is over is told as such and never gets as far as the routes."""

_NOTHING = "so the route matches nothing"


class Contradiction(NamedTuple):
    """Something that a `when` asks in vain.

    Attributes:
        path: where in the `when` it is.
        message: why nothing can have it, and what to do.
        code: the sort of problem.
        is_fatal: whether the route can match nothing for that alone.
    """

    path: KeyPath
    message: str
    code: str
    is_fatal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a route of a stream is judged against.

    Attributes:
        stream: the stream.
        floor: its floor.
        coverage_severity: how grave the policy makes what is about coverage.
        types: the alert types that are known.
        catalogue: what is known of them.
        owners: the groups and services that owners.yaml gives; None where they are not all known.
        is_all_owned: whether everything has an owner.
        names: what owners.yaml calls subscriptions and accounts.
    """

    stream: Stream
    floor: Floor
    types: KnownTypes
    catalogue: Catalogue
    owners: Collection[str] | None = None
    is_all_owned: bool = False
    names: NamedIds
    coverage_severity: Severity = Severity.HIGH


def find_contradictions(when: WhenForm, around: Surroundings) -> Iterator[Contradiction]:
    """Everything that a `when` asks in vain."""
    yield from _of_severity(when, around)
    yield from _of_kind(when, around.stream)
    if around.stream is Stream.CSPM:
        yield from _of_coverage(when, around.coverage_severity)
    yield from _of_status(when, around.stream)
    yield from _of_ids(when, around.names)
    yield from _of_resource(when)
    yield from _of_owner(when, around)
    if around.stream is Stream.CWPP:
        yield from _of_alert_type(when, around)


def _of_severity(when: WhenForm, around: Surroundings) -> Iterator[Contradiction]:
    if when.severity is None:
        return
    levels = {SEVERITIES.get(label) for label in when.severity}
    # A finding that gives none has that of its CVEs, or is Medium.
    if around.stream is Stream.CSPM and when.kind and _SCORES.isdisjoint(when.kind):
        levels.discard(None)
        if not levels:
            yield _fatal(
                ("severity",), f"asks for `unknown`, which findings that give none are not, {_NOTHING}; write Medium"
            )
            return
    known = {level for level in levels if level is not None}
    if when.at_least is not None:
        known = {level for level in known if level >= SEVERITIES[when.at_least]}
        if not known and None not in levels:
            yield _fatal(("at_least",), f"is above all that `severity` names, {_NOTHING}; leave one of the two out")
            return
    if None in levels:
        return
    if when.kind and _SCORES.issuperset(when.kind):
        yield _fatal(("severity",), f"is nothing that scores and compliance have, {_NOTHING}; leave it out")
        return
    # What is about coverage passes every floor, and has the severity that the policy gives it.
    may_pass = around.stream is Stream.CSPM and may_be_about_coverage(when) and around.coverage_severity in known
    lowest = _lowest_floor(when, around)
    if not may_pass and max(known) < lowest:
        remedy = "lower the floor, or remove the route"
        yield _fatal(("severity",), f"is below the floor, {lowest.label}, {_NOTHING}; {remedy}")


def _of_coverage(when: WhenForm, severity: Severity) -> Iterator[Contradiction]:
    kinds = frozenset(when.kind or ())
    if when.coverage is True and not may_be_about_coverage(when):
        said = "asks for what is about coverage, which is a recommendation or of kind coverage, and `kind` for others"
        yield _fatal(("coverage",), f"{said}, {_NOTHING}; leave one of the two out")
    elif when.coverage is False and kinds == {Kind.COVERAGE}:
        said = "asks for what is not about coverage, and `kind` for what always is"
        yield _fatal(("coverage",), f"{said}, {_NOTHING}; leave one of the two out")
    elif when.coverage is True or kinds == {Kind.COVERAGE}:
        given = f"{severity.label}, which the policy makes all that is about coverage, {_NOTHING}"
        if when.severity is not None and severity.label not in when.severity:
            yield _fatal(("severity",), f"does not name {given}; name it, or leave `severity` out")
        if when.at_least is not None and severity < SEVERITIES[when.at_least]:
            yield _fatal(("at_least",), f"is above {given}; leave it out")


def _lowest_floor(when: WhenForm, around: Surroundings) -> Severity:
    """The lowest floor of the plans that a route can match."""
    floor = around.floor
    floors = {floor.default, *floor.by_plan.values()}
    if when.plan and not any(map(is_glob, when.plan)):
        by_plan = {plan.lower(): severity for plan, severity in floor.by_plan.items()}
        floors = {by_plan.get(plan.lower(), floor.default) for plan in when.plan}
    return min(floors)


def _of_kind(when: WhenForm, stream: Stream) -> Iterator[Contradiction]:
    if when.incident is None or stream is not Stream.CWPP or not when.kind:
        return
    kinds = {kind for kind in when.kind if kind.stream is stream}
    if kinds and kinds == ({Kind.ALERT} if when.incident else {Kind.INCIDENT}):
        word = "asks for incidents" if when.incident else "asks for no incidents"
        yield _fatal(("incident",), f"{word}, and `kind` for the opposite, {_NOTHING}; leave one of the two out")


def _of_status(when: WhenForm, stream: Stream) -> Iterator[Contradiction]:
    here = frozenset(map(status_word, STATUSES[stream]))
    said: dict[int, str] = {}
    for number, status in enumerate(map(str.casefold, when.status or ())):
        if status in _OVER[stream]:
            ended = "is the status of a signal that has ended, which no route takes"
            said[number] = f"{ended}; `always` hears of that, and who was told"
        elif status_word(status) not in here:
            said[number] = f"is a status that no {stream} signal has"
    for number, message in said.items():
        yield _dead_value("status", number, message, len(said) == len(when.status or ()))


def _of_ids(when: WhenForm, names: NamedIds) -> Iterator[Contradiction]:
    for key, globs in (("subscription", when.subscription), ("account", when.account), ("resource", when.resource)):
        found = [(number, one) for number, glob in enumerate(globs or ()) for one in names.find_in_vain({key: glob})]
        for number, one in found:
            yield _dead_value(key, number, one.message, len(found) == len(globs or ()))


def _of_resource(when: WhenForm) -> Iterator[Contradiction]:
    types = when.resource_type or ()
    bare = [number for number, type in enumerate(types) if "/" not in type and not is_glob(type)]
    for number in bare:
        message = "is no resource type, which has a provider, as in Microsoft.Compute/virtualMachines"
        yield _dead_value("resource_type", number, message, len(bare) == len(types))
    # A name in another cloud stands for a resource whose id, with its own type, is a connector's.
    if not when.resource or not all(id.startswith("/subscriptions/") and not is_glob(id) for id in when.resource):
        return
    named = [parse_resource_id(id) for id in when.resource]
    for key, parts in (
        ("resource_type", [one.type for one in named]),
        ("subscription", [one.subscription for one in named]),
    ):
        globs = getattr(when, key)
        if globs and not any(map(compile_globs(globs), parts)):
            yield _fatal((key,), f"fits none of the ids in `resource`, {_NOTHING}; leave one of the two out")


def _of_owner(when: WhenForm, around: Surroundings) -> Iterator[Contradiction]:
    owners = around.owners
    if when.owner is None or owners is None:
        return
    said: dict[int, str] = {}
    for number, glob in enumerate(when.owner):
        if not any(map(compile_globs([glob]), owners)):
            if glob.lower() != NOBODY:
                said[number] = "fits no group and no service in owners.yaml"
            elif around.is_all_owned:
                said[number] = "stands for what has no owner, and by owners.yaml everything has one"
    for number, message in said.items():
        yield _dead_value("owner", number, message, len(said) == len(when.owner))


def _of_alert_type(when: WhenForm, around: Surroundings) -> Iterator[Contradiction]:
    known = around.types
    for number, glob in enumerate(when.alert_type or ()):
        if is_glob(glob):
            if not any(known.fitting(glob)) and not _may_be_declared(glob, known):
                yield Contradiction(("alert_type", number), about_unknown_glob(glob), "unknown-alert-type", False)
        elif not known.has(glob):
            yield Contradiction(("alert_type", number), *about_unknown_type(glob, known), False)
    yield from _of_plan(when, around)


def _of_plan(when: WhenForm, around: Surroundings) -> Iterator[Contradiction]:
    """What to say of a plan where each alert type that a route names is of another one."""
    if not when.plan or not when.alert_type or any(_may_be_declared(glob, around.types) for glob in when.alert_type):
        return
    types = [type for glob in when.alert_type for type in around.types.fitting(glob)]
    plans = {around.catalogue.find_plan(None, type) for type in types}
    if not types or None in plans or any(map(compile_globs(when.plan), plans)):
        return
    named = ", ".join(sorted(filter(None, plans)))
    yield Contradiction(
        ("plan",), f"is the plan of no alert type in `alert_type`; they are of {named}", "wrong-plan", False
    )


def _may_be_declared(glob: str, known: KnownTypes) -> bool:
    return any(may_meet(glob.lower(), declared.lower()) for declared in known.declared)


def _fatal(path: KeyPath, message: str) -> Contradiction:
    return Contradiction(path, message, "dead-route", True)


def _dead_value(key: str, number: int, message: str, is_fatal: bool) -> Contradiction:
    words = f"{message}; {_NOTHING[3:]}" if is_fatal else message
    return Contradiction((key, number), words, "dead-route" if is_fatal else "dead-value", is_fatal)
