"""rules/coverage.yaml: what Defender must watch, what need not be so for a time, and the problems beyond its form."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import NamedTuple

from router.coverage.expected.form import ANY, CoverageForm, ExpectationForm, ExportForm, SelectingForm
from router.coverage.expected.manifest import (
    DEFAULT_RUNGS,
    FILE,
    HEARD_WITHIN,
    NO_MANIFEST,
    SPOKEN_OF_RUNGS,
    CoverageManifest,
    Excuse,
    Expectation,
    ExpectedExport,
    SelectorIndex,
    WorkloadSelector,
)
from router.coverage.judges import judged_rungs
from router.coverage.plans.table import PLAN_OF_KIND, PLANS, DefenderPlan, plan_names
from router.coverage.verdicts import CoverageException
from router.domain.coverage import Rung, WorkloadKind
from router.domain.patterns import is_glob
from router.domain.readable import timestamp
from router.domain.values import Value
from router.rulebook.clauses import SEVERITIES
from router.rulebook.folder import Folder
from router.rulebook.patterns import SUBSCRIPTION, may_meet
from router.rulebook.policy_form import timedelta_for
from router.rulebook.problems import INVALID, KeyPath, Level, Problem
from router.rulebook.validation_messages import complaints_of, find_sound, hint

_MISSING: Mapping[str, tuple[str, str]] = {
    "ends": ("is missing: an exception must end", "no-end"),
    "owner": ("is missing: somebody must answer for an exception", "no-owner"),
}
"""The messages and codes of keys that an exception lacks."""


class CoverageFile(Value, kw_only=True):
    """A coverage.yaml as it was read: its manifest, None if a problem stops it, and problems and warnings by line."""

    manifest: CoverageManifest | None
    problems: tuple[Problem, ...] = ()


def read_coverage(rules: Path, now: datetime) -> CoverageFile:
    """Read the coverage.yaml of a rules directory; the manifest is NO_MANIFEST if there is none.

    It is read by itself: what is expected of Defender changes no decision, and so not the hash of any rules.
    """
    folder = Folder(rules)
    if not folder.has(FILE):
        return CoverageFile(manifest=NO_MANIFEST)
    manifest = _read(folder, now)
    return CoverageFile(manifest=manifest, problems=folder.problems)


def _read(folder: Folder, now: datetime) -> CoverageManifest | None:
    """Return the manifest, unless a problem stops it; problems are noted in the folder."""
    if (document := folder.read(FILE)) is None:
        return None
    for path, message, code in complaints_of(CoverageForm, document.value):
        missing = _MISSING.get(str(path[-1])) if code == "missing-key" else None
        if kind := find_kind_hint(document.value, path):
            message = message.partition("; did you mean")[0] + kind
        text, sort = missing or (message, code)
        folder.note(document, path, text, code=sort)
    if (form := find_sound(CoverageForm, document.value)) is None:
        return None
    for doubt in find_doubts(form, now):
        folder.note(document, doubt.path, doubt.message, doubt.level, doubt.code)
    if not folder.is_sound:
        return None
    manifest = build_manifest(form)
    for doubt in find_overlaps(manifest):
        folder.note(document, doubt.path, doubt.message, doubt.level, doubt.code)
    return manifest


def build_manifest(form: CoverageForm) -> CoverageManifest:
    """Return the manifest of a form without a problem."""
    within, export = timedelta_for(form.heard_within), form.export
    if form.expect is None:
        expectations = tuple(replace(one, heard_within=within) for one in NO_MANIFEST.expectations)
    else:
        expectations = tuple(_expectation(entry, within, number) for number, entry in enumerate(form.expect, 1))
    return CoverageManifest(
        expectations=expectations,
        excuses=tuple(
            Excuse(
                selects=one.selector,
                rungs=frozenset(one.rungs or ()),
                exception=CoverageException(owner=one.owner.strip(), reason=one.reason.strip(), ends=one.ends),
                number=number,
            )
            for number, one in enumerate(form.exceptions, 1)
        ),
        export=ExpectedExport(
            alerts=export.alerts,
            posture=export.posture,
            severities=frozenset(SEVERITIES[name] for name in export.severities),
        )
        if export is not None
        else None,
        expects_posture=form.posture,
        is_given=True,
    )


def _expectation(form: ExpectationForm, within: timedelta, number: int) -> Expectation:
    plans = [(PLANS[name.lower()], sub_plan) for name, sub_plan in (form.plans or {}).items()]
    spelled = {name.lower(): name for name in known_extensions(form)}
    return Expectation(
        selects=form.selector,
        rungs=frozenset(form.rungs) if form.rungs is not None else None,
        plans={plan.name: found.name if (found := plan.find_sub_plan(sub_plan)) else None for plan, sub_plan in plans},
        extensions=frozenset(spelled.get(name.lower(), name) for name in form.extensions or ()),
        heard_within=timedelta_for(form.heard_within) if form.heard_within is not None else within,
        number=number,
    )


LONGEST = timedelta(days=366)
"""How far away an exception may end: people look at it again once a year, and a leap year is one."""

SHORTEST_SILENCE, LONGEST_SILENCE = timedelta(days=1), timedelta(days=90)
"""How long a source may be allowed to be silent: when it was last heard of is forgotten after that."""

_WITH_ALL_PLANS = frozenset({WorkloadKind.SUBSCRIPTION, WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT})
"""The kinds that hold all other kinds, so that every plan is one of theirs."""

_HUB = re.compile(
    r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/Microsoft\.EventHub/namespaces/[^/\s]+(/eventhubs/[^/\s]+)?",
    re.IGNORECASE,
)
_SECRET = re.compile(r"SharedAccess|Endpoint\s*=|AccountKey", re.IGNORECASE)

_OTHER_NAMES: Mapping[WorkloadKind, str] = {
    WorkloadKind.MACHINE: "vm vms vmss virtualmachine virtualmachines server servers arcserver",
    WorkloadKind.CLUSTER: "aks eks gke k8s kubernetes managedcluster managedclusters",
    WorkloadKind.REGISTRY: "acr acrs containerregistry containerregistries",
    WorkloadKind.SQL_SERVER: "sql azuresql sqldb sqldatabase",
    WorkloadKind.SQL_ON_MACHINE: "sqlvm sqlonvm sqliaas",
    WorkloadKind.COSMOS_DB: "cosmos documentdb",
    WorkloadKind.OPEN_SOURCE_DATABASE: "postgres postgresql mysql mariadb",
    WorkloadKind.STORAGE_ACCOUNT: "storage blob blobs",
    WorkloadKind.SUBSCRIPTION: "sub subs",
    WorkloadKind.AWS_ACCOUNT: "aws",
    WorkloadKind.GCP_PROJECT: "gcp",
}
"""What people write for a kind."""

_KINDS = {word: kind for kind, words in _OTHER_NAMES.items() for word in words.split()}


class Doubt(NamedTuple):
    """A problem with the value at a path, what to do about it, and whether it stops the manifest."""

    path: KeyPath
    message: str
    code: str
    level: Level = "problem"


def find_kind_hint(document: object, path: KeyPath) -> str:
    """Return which kind a word at a path that is none was meant to be, as the end of a sentence; else an empty text."""
    if "kind" not in path[-2:]:
        return ""
    value = document
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and isinstance(step, int) and step < len(value):
            value = value[step]
    word = "".join(filter(str.isalnum, value.lower())) if isinstance(value, str) else ""
    return f"; did you mean {_KINDS[word].value!r}?" if word in _KINDS else ""


def find_doubts(form: CoverageForm, now: datetime) -> Iterator[Doubt]:
    """Yield the problems of values that have the right shape, and mean nothing that exists."""
    if form.export is not None:
        yield from _hub_doubts(form.export)
    yield from _silence_doubts(form.heard_within, ())
    for number, entry in enumerate(form.expect or ()):
        at: KeyPath = ("expect", number)
        yield from _selector_doubts(entry, at)
        yield from _plan_doubts(entry, at)
        known = known_extensions(entry)
        for position, name in enumerate(entry.extensions or ()):
            if name.lower() not in map(str.lower, known):
                message = f"{name!r} is no extension that is known of these plans{hint(name, known)}"
                yield Doubt((*at, "extensions", position), message, "unknown-extension", "warning")
        if entry.heard_within is not None:
            yield from _silence_doubts(entry.heard_within, at)
        if entry.kind is None or len(set(entry.kind)) > 1:
            message = (
                "names one workload, so `kind` must say what it is: without that nobody knows what to expect of it"
            )
            named = (position for position, name in enumerate(entry.name) if not is_glob(name))
            yield from (Doubt((*at, "name", position), message, "kind-not-said") for position in named)
    for number, exception in enumerate(form.exceptions):
        at = ("exceptions", number)
        yield from _selector_doubts(exception, at)
        if exception.ends - now > LONGEST:
            latest = timestamp(now + LONGEST)
            message = f"is too far away: somebody looks at an exception again once a year; give at most {latest}"
            yield Doubt((*at, "ends"), message, "end-too-far")
        elif exception.ends <= now:
            message = (
                f"has passed; the exception excuses nothing since {timestamp(exception.ends)}. Renew it, or remove it"
            )
            yield Doubt((*at, "ends"), message, "ended", "warning")


def known_extensions(entry: ExpectationForm) -> list[str]:
    """Return the extensions of the plans that an entry names; if it names none, those of the plans of its kinds."""
    named = [plan for name in entry.plans or () if (plan := PLANS.get(name.lower())) is not None]
    plans = named or [plan for plan in PLANS.values() if _is_for(plan, entry.kind)]
    return [extension for plan in plans for extension in plan.extensions]


def _is_for(plan: DefenderPlan, kinds: Collection[WorkloadKind] | None) -> bool:
    return not kinds or any(kind in _WITH_ALL_PLANS or PLAN_OF_KIND[kind] == plan for kind in kinds)


def _hub_doubts(form: ExportForm) -> Iterator[Doubt]:
    for key, hub in (("alerts", form.alerts), ("posture", form.posture)):
        path = ("export", key)
        if hub is None:
            continue
        if _SECRET.search(hub):
            message = "is a connection string, and a secret never stands in rules; write the ARM id of the event hub"
            yield Doubt(path, message, "literal-secret")
        elif (found := _HUB.fullmatch(hub)) is None:
            message = (
                "is no ARM id of an event hub, which is /subscriptions/ID/resourceGroups/GROUP/providers/"
                "Microsoft.EventHub/namespaces/NAMESPACE/eventhubs/HUB"
            )
            yield Doubt(path, message, "no-event-hub")
        elif found[1] is None:
            yield Doubt(path, "names a namespace only; say which event hub in it: .../eventhubs/HUB", "no-event-hub")


def _selector_doubts(entry: SelectingForm, at: KeyPath) -> Iterator[Doubt]:
    for position, subscription in enumerate(entry.subscription):
        if not is_glob(subscription) and not re.fullmatch(SUBSCRIPTION, subscription):
            message = "is neither the id of a subscription nor a glob of ids"
            yield Doubt((*at, "subscription", position), message, INVALID)
    kinds = list(dict.fromkeys(entry.kind or WorkloadKind))
    judged = [rung for rung in Rung if any(rung in judged_rungs(kind) for kind in kinds)]
    for position, rung in enumerate(entry.rungs or ()):
        if rung not in judged:
            of = " or ".join(kinds) if entry.kind else "any kind"
            message = f"{rung} is no rung of {of}; name one of {', '.join(judged) or 'another kind'}"
            yield Doubt((*at, "rungs", position), message, "wrong-rung")


def _plan_doubts(entry: ExpectationForm, at: KeyPath) -> Iterator[Doubt]:
    seen: set[str] = set()
    for name, sub_plan in (entry.plans or {}).items():
        path = (*at, "plans", name)
        plan = PLANS.get(name.lower())
        if plan is None:
            known = [one.name for one in PLANS.values() if one.successor is None]
            yield Doubt(path, f"is no plan of Defender{hint(name, known)}", "unknown-plan")
        elif name.lower() in seen:
            yield Doubt(path, "is given twice; plans are the same whatever their case", "duplicate-key")
        elif plan.successor is not None:
            message = f"can no longer be enabled, since {plan.successor} took its stead; expect that one"
            yield Doubt(path, message, "replaced-plan")
        elif not _is_for(plan, entry.kind):
            plans = [one for one in PLANS.values() if one.successor is None and _is_for(one, entry.kind)]
            others = f"; {plan_names(plans)} {'does' if len(plans) == 1 else 'do'}" if plans else ""
            of = " or ".join(dict.fromkeys(entry.kind or ()))
            yield Doubt(path, f"protects nothing of kind {of}{others}", "plan-in-vain")
        elif sub_plan.lower() != ANY and (found := plan.find_sub_plan(sub_plan)) is None:
            offered = ", ".join(one.name for one in plan.sub_plans if one.is_offered)
            known_to = (
                f"no sub-plan of that name: write {offered} or {ANY}" if offered else f"no sub-plans; write {ANY}"
            )
            yield Doubt(path, f"has {known_to}", "unknown-sub-plan")
        elif sub_plan.lower() != ANY and found is not None and not found.is_offered:
            newer = plan.sub_plans[0].name
            message = f"{found.name} can no longer be enabled, since {newer} took its stead; expect that one, or {ANY}"
            yield Doubt(path, message, "replaced-plan")
        seen.add(name.lower())


def _silence_doubts(written: str, at: KeyPath) -> Iterator[Doubt]:
    path, within = (*at, "heard_within"), timedelta_for(written)
    if not SHORTEST_SILENCE <= within <= LONGEST_SILENCE:
        message = "must be from 1d to 90d: a source is looked for every few minutes, and forgotten after 90 days"
        yield Doubt(path, message, "impossible-silence")
    elif within < HEARD_WITHIN:
        message = "is shorter than the week between two snapshots, so what did not change in between is told as silent; give 8d"
        yield Doubt(path, message, "short-silence", "warning")


def find_overlaps(manifest: CoverageManifest) -> Iterator[Doubt]:
    """Yield a warning for each entry that those above it cover, and for each exception that no entry needs."""
    above = SelectorIndex()
    for entry in manifest.expectations:
        selects = entry.selects
        if by := above.find_covering(_kinds(selects), selects.names, selects.subscriptions):
            numbers = " and ".join(f"expect[{position}]" for position in sorted(by))
            fits = "fits" if len(by) == 1 else "fit"
            message = f"is never reached: {numbers} above {fits} all that it fits; move it up, or remove it"
            yield Doubt(("expect", entry.number - 1), message, "covered-entry", "warning")
        above.add(selects)
    # Thousands of entries may name one workload each.
    with_globs = [entry for entry in manifest.expectations if entry.selects.globs]
    by_text: dict[str, list[Expectation]] = defaultdict(list)
    for entry in manifest.expectations:
        for text in {text for name in entry.selects.named for text in _texts(name)}:
            by_text[text].append(entry)
    for excuse in manifest.excuses:
        near = [
            *with_globs,
            *(entry for name in excuse.selects.names for text in _texts(name) for entry in by_text[text]),
        ]
        candidates = manifest.expectations if excuse.selects.globs else near
        if not any(_is_needed(excuse, entry) for entry in candidates):
            message = "excuses nothing: no entry expects such a workload on such a rung"
            yield Doubt(("exceptions", excuse.number - 1), message, "exception-in-vain", "warning")


def _is_needed(excuse: Excuse, entry: Expectation) -> bool:
    expected = entry.rungs if entry.rungs is not None else DEFAULT_RUNGS | SPOKEN_OF_RUNGS
    judged = {rung for kind in _kinds(excuse.selects) & _kinds(entry.selects) for rung in judged_rungs(kind)}
    return (
        not judged.isdisjoint(expected & excuse.rungs if excuse.rungs else expected)
        and _may_meet(excuse.selects.names, entry.selects.names)
        and _may_meet(excuse.selects.subscriptions, entry.selects.subscriptions)
    )


def _may_meet(some: Iterable[str], others: Collection[str]) -> bool:
    """Return whether something may fit one of some globs and one of others, be it by its name or by its id."""
    pairs = (
        (here, there) for one, other in product(some, others) for here, there in product(_texts(one), _texts(other))
    )
    return any(may_meet(here, there) for here, there in pairs)


def _texts(name: str) -> tuple[str, ...]:
    """Return a name in lower case; of an id also the name that it ends in."""
    lowered = name.lower()
    return (lowered, lowered.rpartition("/")[2]) if "/" in lowered else (lowered,)


def _kinds(selector: WorkloadSelector) -> frozenset[WorkloadKind]:
    return selector.kinds or frozenset(WorkloadKind)
