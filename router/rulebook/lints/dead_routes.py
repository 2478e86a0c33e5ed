"""Routes that nothing can match, and destinations that nothing but such routes would reach."""

from __future__ import annotations

from collections.abc import Iterator

from router.rulebook.catalogue import load_catalogue
from router.rulebook.clauses import is_for_other_stream
from router.rulebook.lints.contradictions import Surroundings, find_contradictions
from router.rulebook.lints.impossible_globs import NamedIds
from router.rulebook.lints.subject import Subject
from router.rulebook.owners import OF_OWNERS
from router.rulebook.problems import Problem


def find_dead_routes(subject: Subject) -> Iterator[Problem]:
    """A warning for everything that a route asks in vain, and for each destination that only dead routes name."""
    if subject.policy is None or subject.loaded.rulebook is None:
        return
    around = _surroundings(subject)
    alive, dead = set(subject.loaded.policy.always) | set(subject.loaded.policy.otherwise), {}
    for number, route in subject.loaded.policy.route_forms:
        found = list(find_contradictions(route.when, around))
        for one in found:
            yield subject.policy.problem(("routes", number, "when", *one.path), one.message, "warning", one.code)
        # What belongs to the other stream was said when the rules were loaded.
        if any(one.is_fatal for one in found) or is_for_other_stream(route.when, subject.stream):
            dead.update(dict.fromkeys(route.to, route.name))
        else:
            alive.update(route.to)
    for destination in dead.keys() - alive:
        said = f"is reached by nothing: route {dead[destination]!r} can match nothing, and no other one names it"
        yield subject.policy.problem(("destinations", destination), said, "warning", code="unused-destination")


def _surroundings(subject: Subject) -> Surroundings:
    form = subject.loaded.owners.form
    entries = form.owners if form is not None else []
    named = {name for entry in entries for name in (entry.group, entry.service) if name is not None}
    return Surroundings(
        stream=subject.stream,
        floor=subject.loaded.policy.floor,
        coverage_severity=subject.loaded.policy.coverage_severity,
        types=subject.types,
        catalogue=load_catalogue(),
        # There is no list of owners where one of them is the value of a tag.
        owners=None if any("{" in name for name in named) else named,
        is_all_owned=any(
            entry.model_fields_set and OF_OWNERS.issuperset(entry.model_fields_set) and not entry.has_values_of_tags
            for entry in entries
        ),
        names=NamedIds.of(subject.loaded.owners.scopes),
    )
