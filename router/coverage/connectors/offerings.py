"""What the connectors of an account or a project say together: which offerings they have, and what is on in them. Pure.

Several documents of one connector: what the worst one says. Several connectors: it is enough that one of them has an offering.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.coverage.facts import Facts
from router.coverage.fields import find, find_text, find_truth
from router.coverage.machines.commands import ask_resource
from router.coverage.readers.connectors import ConnectorFact
from router.coverage.remedies import ASK_CONNECTORS
from router.coverage.verdicts import CoverageEvidence
from router.domain.resources import parse_resource_id

SENSOR_SWITCH = ("enableDefenderAgentAutoProvisioning",)
"""The switch of an offering for containers by which a connector brings the sensor to clusters."""

CONTAINER_OFFERINGS = ("DefenderForContainersAws", "DefenderForContainersGcp")
"""The offerings that protect clusters, one for each cloud."""


@dataclass(frozen=True, slots=True)
class ConnectorOfferings:
    """The connectors of one account or project whose offerings are known.

    Attributes:
        connectors: what their documents say.
    """

    connectors: tuple[ConnectorFact, ...]

    @classmethod
    def about(cls, facts: Facts, environment: str) -> ConnectorOfferings:
        """Those of an account or a project, which `environment_subject` names."""
        return cls(tuple(one for one in facts.about(ConnectorFact, environment) if one.offerings is not None))

    @property
    def ask(self) -> str | None:
        """The line that asks each of them by itself for what a list of connectors left out of it; None where there is none."""
        return "\n".join(map(ask_resource, dict.fromkeys(one.connector for one in self.connectors))) or None

    def names(self) -> list[str]:
        """The types of the offerings, in lower case: of connectors in several subscriptions those that are on in each."""
        first, *others = [dict.fromkeys(name for one in some for name in one) for some in self._by_subscription()] or [
            {}
        ]
        return [name for name in first if all(name in one for one in others)]

    def bodies(self, name: str) -> list[Mapping[str, object]]:
        """Everything that is said of one offering."""
        return [body for bodies in self._by_connector() for body in bodies.get(name, ())]

    def is_on(self, name: str, *switch: str) -> bool | None:
        """Whether a switch of an offering is on; None where nobody says it."""
        answers = [
            {find_truth(body, *switch) for body in bodies.get(name, ())} - {None} for bodies in self._by_connector()
        ]
        known = [some == {True} for some in answers if some]
        return (all if len(self._by_subscription()) > 1 else any)(known) if known else None

    def sub_plans(self, name: str) -> list[str]:
        """The sub-plans of an offering, such as P2: those on which the documents of a connector agree."""
        answers = [
            {plan for body in bodies.get(name, ()) if (plan := _sub_plan(body))} for bodies in self._by_connector()
        ]
        return sorted(plan for some in answers if len(some) == 1 for plan in some)

    def shows(self, name: str, *switch: str) -> Iterator[CoverageEvidence]:
        """The evidence of a switch."""
        for one in self.connectors:
            body = (one.offerings or {}).get(name)
            if body is not None and (on := find_truth(body, *switch)) is not None:
                yield one.source.shows(f"properties.offerings[{name}].{'.'.join(switch)}", on)

    def shows_types(self) -> list[CoverageEvidence]:
        """The evidence of which offerings there are."""
        field = "properties.offerings[].offeringType"
        return [one.source.shows(field, ", ".join(one.offerings or ())) for one in self.connectors]

    def _by_subscription(self) -> list[list[Mapping[str, list[Mapping[str, object]]]]]:
        """The same by the connectors' subscriptions: a connector in any of them may call itself one account's."""
        found: dict[str | None, list[Mapping[str, list[Mapping[str, object]]]]] = {}
        for connector, one in zip(
            dict.fromkeys(one.connector for one in self.connectors), self._by_connector(), strict=True
        ):
            found.setdefault(parse_resource_id(connector).subscription, []).append(one)
        return list(found.values())

    def _by_connector(self) -> list[Mapping[str, list[Mapping[str, object]]]]:
        """For each connector the offerings that all its documents have, each with what they say of it."""
        found: dict[str, list[Mapping[str, Mapping[str, object]]]] = {}
        for one in self.connectors:
            found.setdefault(one.connector, []).append(one.offerings or {})
        return [
            {name: [answer[name] for answer in answers] for name in answers[0] if all(name in one for one in answers)}
            for answers in found.values()
        ]


def find_connector_ask(facts: Facts) -> str | None:
    """The line that asks for every connector; None where it was answered, and all of them are of others."""
    is_answered = any(one.offerings is not None for one in facts.every(ConnectorFact))
    return None if is_answered else ASK_CONNECTORS


def _sub_plan(offering: Mapping[str, object]) -> str | None:
    """The sub-plan of an offering, which some versions of the API wrap."""
    return (find_text(offering, "subPlan") or find_text(find(offering, "subPlan"), "type") or "").upper() or None
