"""What is known beforehand about Defender's alert types. It helps; it is never an allow-list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class AlertType(NamedTuple):
    """What Microsoft's alert reference says about one alert type.

    Attributes:
        plan: the Defender plan that raises it.
        tactics: the tactics that it stands for.
        severity: its usual severity.
        title: its title.
    """

    plan: str | None
    tactics: tuple[str, ...]
    severity: str | None
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Alert types, and how to tell a Defender plan from what a message says.

    Attributes:
        types: what is known of each alert type, by its name in lower case.
        plan_names: the plan of each component, by its name in lower case.
        prefixes: beginnings of alert types in lower case, the longest first, each with its plan.
    """

    types: Mapping[str, AlertType] = field(default_factory=dict)
    plan_names: Mapping[str, str] = field(default_factory=dict)
    prefixes: tuple[tuple[str, str], ...] = ()

    def find_type(self, type: str) -> AlertType | None:
        """The reference's entry of an alert type, simulated or not; None for one it does not list."""
        return self.types.get(type.lower().removeprefix("simulated_"))

    def find_plan(self, component: str | None, type: str) -> str | None:
        """The plan named by a message's component, else by its alert type; None where neither names one."""
        if component and (named := self.plan_names.get(component.lower())):
            return named
        bare = type.lower().removeprefix("simulated_")
        if (known := self.types.get(bare)) and known.plan:
            return known.plan
        return next((plan for prefix, plan in self.prefixes if bare.startswith(prefix)), None)
