"""Routes that nothing can match, and destinations that nothing but such routes would reach."""

from __future__ import annotations

from collections.abc import Iterator

from router.rulebook.catalogue import load_catalogue
from router.rulebook.clauses import is_for_other_stream
from router.rulebook.documents import Document
from router.rulebook.lints.contradictions import Surroundings, find_contradictions
from router.rulebook.lints.subject import Subject
from router.rulebook.policy_form import RouteForm
from router.rulebook.problems import Problem
from router.rulebook.validation_messages import find_sound

_TAG = "{tag."
"""How an owner begins that is the value of a tag, of which there is no list."""

_OF_OWNERS = frozenset({"group", "service", "pager"})
"""What an entry of owners.yaml says of owners; every other key says what the entry matches."""


def find_dead_routes(subject: Subject) -> Iterator[Problem]:
    """A warning for everything that a route asks in vain, and for each destination that only dead routes name."""
    if subject.policy is None or subject.loaded.rulebook is None:
        return
    around = _surroundings(subject)
    alive, dead = set(subject.loaded.policy.always) | set(subject.loaded.policy.otherwise), {}
    for number, route in routes_in(subject.policy):
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


def routes_in(policy: Document) -> Iterator[tuple[int, RouteForm]]:
    """The routes of a policy that are well formed, each with its number in the list."""
    routes = policy.value.get("routes") if isinstance(policy.value, dict) else None
    for number, entry in enumerate(routes if isinstance(routes, list) else ()):
        if (route := find_sound(RouteForm, entry)) is not None:
            yield number, route


def _surroundings(subject: Subject) -> Surroundings:
    owners = subject.owners.value if subject.owners is not None else {}
    written = owners.get("owners") if isinstance(owners, dict) else None
    entries = [entry for entry in written or () if isinstance(entry, dict)]
    named = {str(entry[key]) for entry in entries for key in ("group", "service") if key in entry}
    scopes = subject.loaded.rulebook.scopes.subscriptions if subject.loaded.rulebook is not None else {}
    return Surroundings(
        stream=subject.stream,
        floor=subject.loaded.policy.floor,
        types=subject.types,
        catalogue=load_catalogue(),
        owners=None if any(_TAG in name for name in named) else named,
        is_all_owned=any(entry and _OF_OWNERS.issuperset(entry) and _TAG not in str(entry) for entry in entries),
        subscriptions={scope.name.lower(): id for id, scope in scopes.items() if scope.name is not None},
    )
