"""Defender's plans: what their sub-plans leave out, their extensions, and which of them can still be enabled. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from router.domain.coverage import WorkloadKind
from router.domain.values import Value


def read_toml(table: str) -> dict[str, Any]:
    """What a table of data beside these rooms holds."""
    return tomllib.loads(files("router.coverage").joinpath(table).read_text(encoding="utf-8"))


class DefenderSubPlan(NamedTuple):
    """One of the forms in which a plan is sold, what it leaves out of the plan, and whether it can still be enabled."""

    name: str
    leaves_out: tuple[str, ...]
    is_offered: bool


class DefenderPlan(Value, kw_only=True):
    """One plan, and the extensions that were seen of it; the first of its sub-plans is what should be enabled.

    Attributes:
        successor: the plan that is to be enabled in its stead; None where it can still be enabled itself.
        is_posture: whether it looks at posture and protects no workload.
        protects: the ARM types that it protects, in lower case; empty where that is the subscription itself, or not known.
    """

    name: str
    sub_plans: tuple[DefenderSubPlan, ...] = ()
    extensions: tuple[str, ...] = ()
    successor: str | None = None
    is_posture: bool = False
    protects: frozenset[str] = frozenset()

    def find_sub_plan(self, name: str) -> DefenderSubPlan | None:
        """The sub-plan of that name, in any case."""
        return next((one for one in self.sub_plans if one.name.lower() == name.lower()), None)

    def has_extension(self, name: str) -> bool:
        """Whether an extension of that name, in any case, is known to be one of its own."""
        return name.lower() in (one.lower() for one in self.extensions)


_ROWS = read_toml("plans.toml")["plan"]

PLANS: Mapping[str, DefenderPlan] = {
    row["name"].lower(): DefenderPlan(
        name=row["name"],
        sub_plans=tuple(
            DefenderSubPlan(one["name"], tuple(one.get("leaves_out", ())), one.get("is_offered", True))
            for one in row.get("sub_plans", ())
        ),
        extensions=tuple(row.get("extensions", ())),
        successor=row.get("successor"),
        is_posture=row.get("is_posture", False),
        protects=frozenset(row.get("types", ())),
    )
    for row in _ROWS
}
"""Each plan, by its name in lower case."""

PROTECTING_PLANS = tuple(one for one in PLANS.values() if not one.is_posture and one.successor is None)
"""The plans that protect workloads and can be enabled today."""

PLAN_OF_KIND, OLD_PLAN_OF_KIND = (
    {
        WorkloadKind(kind): PLANS[row["name"].lower()]
        for row in _ROWS
        if ("successor" in row) is is_deprecated
        for kind in row.get("kinds", ())
    }
    for is_deprecated in (False, True)
)
"""Which plan protects a kind of workload, and which deprecated one, where it was on before it was deprecated."""


def plan_named(name: str) -> DefenderPlan:
    """The plan of that name, in any case; one of which nothing is known where the table does not have it."""
    return PLANS.get(name.lower()) or DefenderPlan(name=name)


def find_lacking(plan: DefenderPlan, said: str, needed: str) -> tuple[str, ...] | None:
    """What one sub-plan leaves out that another one, which is needed, includes; None where the table does not know them."""
    if said.lower() == needed.lower():
        return ()
    has, needs = plan.find_sub_plan(said), plan.find_sub_plan(needed)
    if has is None or needs is None:
        return None
    return tuple(one for one in has.leaves_out if one not in needs.leaves_out)


def plan_names(plans: Iterable[DefenderPlan]) -> str:
    """Their names, one after the other."""
    return ", ".join(one.name for one in plans)
