"""Routes that change nothing beside another one: quiet routes that keep nothing quiet, and routes that are there twice.

Every route that matches adds its destinations, whatever their order. Who comes from a list where the first match counts
writes a quiet route before a wider one, and everything is told all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from router.domain.patterns import covers_glob
from router.domain.severity import Severity
from router.rulebook.clauses import SEVERITIES
from router.rulebook.lints.subject import Subject
from router.rulebook.policy_form import RouteForm, timedelta_for
from router.rulebook.problems import Problem
from router.rulebook.when_form import WhenForm

_IN_CLOUDS = frozenset({"resource_group", "account", "project", "cluster", "namespace", "connector"})
_GLOBS = _IN_CLOUDS | {"alert_type", "plan", "subscription", "resource", "resource_type", "category", "package", "cve"}
"""The keys that take globs, of which any may fit."""

_LEVELS: frozenset[Severity | None] = frozenset({None, *Severity})


def find_covered_routes(subject: Subject) -> Iterator[Problem]:
    """A warning for each quiet route whose every signal another route tells, and for each route that another one repeats."""
    if subject.policy is None or subject.loaded.rulebook is None:
        return
    routes = subject.loaded.policy.route_forms
    loud = [route for _, route in routes if route.to]
    for place, (number, route) in enumerate(routes):
        if not route.to:
            wide = next((other for other in loud if takes_all_of(other.when, route.when)), None)
            if wide is not None:
                said = (
                    f"keeps nothing quiet: route {wide.name!r} takes all that it takes, and order never matters; "
                    "narrow that one, or remove this one"
                )
                yield subject.policy.problem(("routes", number, "to"), said, "warning", code="quiet-in-vain")
        elif twin := next((other for at, (_, other) in enumerate(routes) if _repeats(route, place, other, at)), None):
            said = f"takes what route {twin.name!r} takes, and tells nobody else; remove one"
            yield subject.policy.problem(("routes", number), said, "warning", code="route-twice")


def takes_all_of(wide: WhenForm, narrow: WhenForm) -> bool:
    """Whether a `when` surely holds wherever another one does."""
    return _levels(narrow) <= _levels(wide) and all(
        key in narrow.model_fields_set and _covers(key, getattr(wide, key), getattr(narrow, key))
        for key in wide.model_fields_set - {"severity", "at_least"}
    )


def _repeats(route: RouteForm, place: int, other: RouteForm, at: int) -> bool:
    """Whether a route adds nothing to another one that takes the same; of two that are alike, it is the later one."""
    if at == place or not (takes_all_of(other.when, route.when) and takes_all_of(route.when, other.when)):
        return False
    adds = _added_by(route, other)
    return not adds and (at < place or bool(_added_by(other, route)))


def _added_by(route: RouteForm, other: RouteForm) -> bool:
    """Whether a route tells somebody, or sooner, whom another one that takes the same does not."""
    if route.respond_within is None:
        sooner = False
    else:
        sooner = other.respond_within is None or timedelta_for(route.respond_within) < timedelta_for(
            other.respond_within
        )
    return sooner or not set(route.to) <= set(other.to)


def _levels(when: WhenForm) -> frozenset[Severity | None]:
    """The levels that a `when` takes; None among them is a missing or unknown one."""
    levels = _LEVELS if when.severity is None else frozenset(SEVERITIES.get(label) for label in when.severity)
    if when.at_least is None:
        return levels
    lowest = SEVERITIES[when.at_least]
    return frozenset(level for level in levels if level is None or level >= lowest)


def _covers(key: str, wide: object, narrow: object) -> bool:
    """Whether the value of a key holds wherever another value of it does."""
    if not isinstance(wide, list) or not isinstance(narrow, list):
        return wide == narrow
    if key not in _GLOBS:
        return {str(one).lower() for one in narrow} <= {str(one).lower() for one in wide}
    return all(any(covers_glob(glob, one) for glob in wide) for one in narrow)
