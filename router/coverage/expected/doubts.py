"""What is unclear in coverage.yaml, entry by entry: plans, rungs and hubs that do not exist, exceptions without a sound end."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from router.coverage.expected.form import ANY, CoverageForm, ExceptionForm, ExpectationForm, ExportForm, SelectingForm
from router.coverage.expected.manifest import HEARD_WITHIN
from router.coverage.plans.table import PLAN_OF_KIND, PLANS, DefenderPlan, names_of
from router.domain.coverage import Rung, WorkloadKind
from router.domain.patterns import is_glob
from router.domain.texts import timestamp
from router.rulebook.patterns import SUBSCRIPTION
from router.rulebook.policy_form import timedelta_for
from router.rulebook.problems import INVALID, KeyPath, Level
from router.rulebook.validation_messages import hint

LONGEST = timedelta(days=366)
"""How far away an exception may end: somebody looks at it again once a year, and a leap year is one."""

SHORTEST_SILENCE, LONGEST_SILENCE = timedelta(days=1), timedelta(days=90)
"""How long a source may be allowed to be silent: it is forgotten when it was last heard of."""

type RungsOf = Callable[[WorkloadKind], Collection[Rung]]
"""Which rungs a kind of workload has; the room that judges them says it."""

_OF_MANY_PLANS = frozenset({WorkloadKind.SUBSCRIPTION, WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT})
"""The kinds in which everything else is, so that every plan is one of theirs."""

_HUB = re.compile(
    r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/Microsoft\.EventHub/namespaces/[^/\s]+(/eventhubs/[^/\s]+)?",
    re.IGNORECASE,
)
_SECRET = re.compile(r"SharedAccess|Endpoint\s*=|AccountKey", re.IGNORECASE)


class Doubt(NamedTuple):
    """Something to say of one value.

    Attributes:
        path: where it is.
        message: what is wrong, and what to do.
        level: whether it stops the manifest.
        code: the sort of problem.
    """

    path: KeyPath
    message: str
    level: Level
    code: str


def unclear_parts(form: CoverageForm, rungs_of: RungsOf, now: datetime) -> Iterator[Doubt]:
    """What is to be said of each value that has the right shape, and is nothing that exists."""
    if form.export is not None:
        yield from _unclear_hubs(form.export)
    yield from _unclear_silence(form.heard_within, ())
    for number, entry in enumerate(form.expect or ()):
        at: KeyPath = ("expect", number)
        yield from _unclear_subscriptions(entry, at)
        yield from _unclear_rungs(entry, rungs_of, at)
        yield from _unclear_plans(entry, at)
        yield from _unclear_extensions(entry, at)
        if entry.heard_within is not None:
            yield from _unclear_silence(entry.heard_within, at)
        if entry.kind is None or len(set(entry.kind)) > 1:
            for position, name in enumerate(entry.name):
                if not is_glob(name):
                    said = "names one workload, so `kind` must say what it is: without that nobody knows what to expect of it"
                    yield Doubt((*at, "name", position), said, "problem", "kind-not-said")
    for number, exception in enumerate(form.exceptions):
        at = ("exceptions", number)
        yield from _unclear_subscriptions(exception, at)
        yield from _unclear_rungs(exception, rungs_of, at)
        yield from _unclear_end(exception, now, at)


def known_extensions(entry: ExpectationForm) -> list[str]:
    """The extensions of the plans that an entry names; where it names none, those of the plans of its kinds."""
    named = [plan for name in entry.plans or () if (plan := PLANS.get(name.lower())) is not None]
    plans = named or [plan for plan in PLANS.values() if _is_for(plan, entry.kind)]
    return [extension for plan in plans for extension in plan.extensions]


def _is_for(plan: DefenderPlan, kinds: Collection[WorkloadKind] | None) -> bool:
    """Whether a plan protects something of some kinds."""
    return not kinds or any(kind in _OF_MANY_PLANS or PLAN_OF_KIND[kind] == plan for kind in kinds)


def _unclear_hubs(form: ExportForm) -> Iterator[Doubt]:
    for key, hub in (("alerts", form.alerts), ("posture", form.posture)):
        if hub is None:
            continue
        found = _HUB.fullmatch(hub)
        if _SECRET.search(hub):
            said = "is a connection string, and a secret never stands in rules; write the ARM id of the event hub"
            yield Doubt(("export", key), said, "problem", "literal-secret")
        elif found is None:
            said = (
                "is no ARM id of an event hub, which is /subscriptions/ID/resourceGroups/GROUP/providers/"
                "Microsoft.EventHub/namespaces/NAMESPACE/eventhubs/HUB"
            )
            yield Doubt(("export", key), said, "problem", "no-event-hub")
        elif found[1] is None:
            said = "names a namespace only; say which event hub in it: .../eventhubs/HUB"
            yield Doubt(("export", key), said, "problem", "no-event-hub")


def _unclear_subscriptions(entry: SelectingForm, at: KeyPath) -> Iterator[Doubt]:
    for position, subscription in enumerate(entry.subscription):
        if not is_glob(subscription) and not re.fullmatch(SUBSCRIPTION, subscription):
            said = "is neither the id of a subscription nor a glob of ids"
            yield Doubt((*at, "subscription", position), said, "problem", INVALID)


def _unclear_rungs(entry: SelectingForm, rungs_of: RungsOf, at: KeyPath) -> Iterator[Doubt]:
    kinds = list(dict.fromkeys(entry.kind or WorkloadKind))
    had = [rung for rung in Rung if any(rung in rungs_of(kind) for kind in kinds)]
    for position, rung in enumerate(entry.rungs or ()):
        if rung not in had:
            of = " or ".join(kinds) if entry.kind else "any kind"
            said = f"{rung} is no rung of {of}; name one of {', '.join(had) or 'another kind'}"
            yield Doubt((*at, "rungs", position), said, "problem", "wrong-rung")


def _unclear_plans(entry: ExpectationForm, at: KeyPath) -> Iterator[Doubt]:
    seen: set[str] = set()
    for name, sub_plan in (entry.plans or {}).items():
        path = (*at, "plans", name)
        plan = PLANS.get(name.lower())
        if plan is None:
            known = [one.name for one in PLANS.values() if one.successor is None]
            yield Doubt(path, f"is no plan of Defender{hint(name, known)}", "problem", "unknown-plan")
        elif name.lower() in seen:
            yield Doubt(path, "is given twice; plans are the same whatever their case", "problem", "duplicate-key")
        elif plan.successor is not None:
            said = f"can no longer be enabled, since {plan.successor} took its stead; expect that one"
            yield Doubt(path, said, "problem", "replaced-plan")
        elif not _is_for(plan, entry.kind):
            of = " or ".join(dict.fromkeys(entry.kind or ()))
            yield Doubt(path, f"protects nothing of kind {of}{_plans_for(entry.kind)}", "problem", "plan-in-vain")
        else:
            yield from _unclear_sub_plan(plan, sub_plan, path)
        seen.add(name.lower())


def _plans_for(kinds: Collection[WorkloadKind] | None) -> str:
    plans = [plan for plan in PLANS.values() if plan.successor is None and _is_for(plan, kinds)]
    return f"; {names_of(plans)} {'does' if len(plans) == 1 else 'do'}" if plans else ""


def _unclear_sub_plan(plan: DefenderPlan, written: str, path: KeyPath) -> Iterator[Doubt]:
    if written.lower() == ANY:
        return
    found = plan.find_sub_plan(written)
    if found is None:
        there = ", ".join(one.name for one in plan.sub_plans if one.is_offered)
        said = f"has no sub-plan of that name: write {there} or {ANY}" if there else f"has no sub-plans; write {ANY}"
        yield Doubt(path, said, "problem", "unknown-sub-plan")
    elif not found.is_offered:
        successor = plan.sub_plans[0].name
        said = f"{found.name} can no longer be enabled, since {successor} took its stead; expect that one, or {ANY}"
        yield Doubt(path, said, "problem", "replaced-plan")


def _unclear_extensions(entry: ExpectationForm, at: KeyPath) -> Iterator[Doubt]:
    known = known_extensions(entry)
    for position, name in enumerate(entry.extensions or ()):
        if name.lower() not in map(str.lower, known):
            said = f"{name!r} is no extension that is known of these plans{hint(name, known)}"
            yield Doubt((*at, "extensions", position), said, "warning", "unknown-extension")


def _unclear_silence(written: str, at: KeyPath) -> Iterator[Doubt]:
    path, within = (*at, "heard_within"), timedelta_for(written)
    if not SHORTEST_SILENCE <= within <= LONGEST_SILENCE:
        said = "must be from 1d to 90d: a source is looked for every few minutes, and forgotten after 90 days"
        yield Doubt(path, said, "problem", "impossible-silence")
    elif within < HEARD_WITHIN:
        said = "is shorter than the week between two snapshots, so what did not change in between is told as silent; give 8d"
        yield Doubt(path, said, "warning", "short-silence")


def _unclear_end(exception: ExceptionForm, now: datetime, at: KeyPath) -> Iterator[Doubt]:
    path = (*at, "ends")
    ends = exception.ends
    if ends - now > LONGEST:
        latest = timestamp(now + LONGEST)
        said = f"is too far away: somebody looks at an exception again once a year; give at most {latest}"
        yield Doubt(path, said, "problem", "end-too-far")
    elif ends <= now:
        said = f"has passed; the exception excuses nothing since {timestamp(ends)}. Renew it, or remove it"
        yield Doubt(path, said, "warning", "ended")
