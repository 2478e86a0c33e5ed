"""Whether a grave alert of each plan reaches a person: the rules themselves are asked about made-up alerts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from router.decide import decide
from router.domain.rulebook import BY_TAG, Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Alert, Kind
from router.rulebook import Loaded, Problem, load_catalogue

_OF_MACHINES = frozenset({"webhook"})
"""Kinds of destination that tell a program, though not in rows."""
_UNKNOWN = frozenset(
    {
        "subscription", "resource", "resource_group", "account", "project", "cluster", "namespace", "connector", "owner",
        "techniques",
    }
)  # fmt: skip
"""The keys of `when` that ask where something is, or what messages alone say. Any of them may hold of a real alert."""
_GROUP = "/subscriptions/2f9d4c17-b86e-4035-a7d1-5c0e9b3f6a82/resourceGroups/made-up"


def find_unheard_plans(loaded: Loaded, now: datetime) -> Iterator[Problem]:
    """A warning where no High alert of a plan reaches a person by the rules of cwpp."""
    policy = loaded.policy.document
    if loaded.rulebook is None or policy is None:
        return
    book = _without_unknown_keys(loaded.rulebook)
    people = {
        name for name, spec in book.destinations.items() if spec.lane is not Lane.ROWS and spec.kind not in _OF_MACHINES
    }
    heard = dict[str, bool]()
    for alert in _alerts():
        plan = alert.plan or ""
        heard[plan] = heard.get(plan, False) or not people.isdisjoint(decide(alert, book, now).people)
    unheard = sorted(plan for plan, is_heard in heard.items() if not is_heard)
    if unheard:
        which = "any plan" if len(unheard) == len(heard) else " or ".join(unheard)
        words = (
            f"no High alert of {which} reaches a person: name a destination for pages, tickets, a chat or mail here, "
            "or in a route that takes such alerts"
        )
        yield policy.problem(("otherwise",), words, "warning", "calls-nobody")


def _without_unknown_keys(book: Rulebook) -> Rulebook:
    def is_known(key: str) -> bool:
        return key not in _UNKNOWN and not key.startswith(BY_TAG)

    routes = (replace(one, when=tuple(clause for clause in one.when if is_known(clause.key))) for one in book.routes)
    return replace(book, routes=tuple(routes))


def _alerts() -> Iterator[Alert]:
    """A High alert of each type of the catalogue on each type of resource that its plan watches."""
    catalogue = load_catalogue()
    resources: dict[str, list[str]] = {}
    for type, plan in catalogue.resource_plans.items():
        resources.setdefault(plan, []).append(type)
    for name, known in catalogue.types.items():
        if known.plan is not None and known.deprecation is None:
            for resource_type in resources.get(known.plan, ["microsoft.compute/virtualmachines"]):
                yield Alert(
                    kind=Kind.ALERT,
                    id="made-up",
                    type=name,
                    title=known.title,
                    severity=Severity.HIGH,
                    status="New",
                    resource=f"{_GROUP}/providers/{resource_type}/made-up",
                    plan=known.plan,
                )
