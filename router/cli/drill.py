"""`alert-router drill`: whether a real alert would arrive, tried with one that is none."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

from router.app.clock import Clock
from router.app.destination_readiness import readiness_of
from router.app.drill import Drill, DrillPlan
from router.app.drill_azure import Defender, defender_over
from router.app.drill_cluster import ClusterReader
from router.app.drill_forecast import read_forecast
from router.app.heartbeat import call_heartbeat, heartbeat_in
from router.app.kubeconfig_files import open_kubeconfig
from router.app.settings import Settings
from router.app.signal_life import facts_of
from router.cli.complaints import complain
from router.cli.confirmation import is_wanted, refuse_unasked
from router.cli.drill_commands import REAL_WITHIN, WITHIN
from router.cli.drill_text import DrillProgress, forecast_lines, result_lines
from router.cli.given import rules_given
from router.cli.opened_state import is_shared, store_in
from router.cli.printing import print_json, print_lines
from router.cli.stopping import Stop
from router.coverage.live.contexts import NamedContext
from router.domain.errors import BadUsage, StoreError
from router.domain.resources import parse_resource_id
from router.domain.signals import Stream
from router.drill.expected import ExpectedDestination
from router.drill.instructions import NAMESPACE, lines_for
from router.drill.results import DrillHop, DrillJudgement, DrillResult, result_object
from router.drill.subjects import CONTAINERS, MACHINES, DrillSubject, samples_of
from router.drill.verdict import is_settled
from router.store.store import Store

NOT_PASSED = 1
"""The exit code of a drill that failed, or that did not prove all that it was to prove."""

GIVEN_UP = 2
"""The exit code where the person who is asked says no."""

SOONEST, LATEST = timedelta(seconds=0.25), timedelta(seconds=5)
"""How long a drill waits between two looks, at first and later on. What it says of seconds is on record, and none of them."""


def drill(options: Namespace) -> int:
    """Raises an alert, follows it, and says whether every destination took it; 1 where not, 2 where nothing was raised."""
    settings = Settings()
    if settings.is_functions_app:
        raise BadUsage(
            "drill: this is a function app, whose identity may not raise alerts; run it by a workflow or a job of its own"
        )
    subject = _subject_in(options)
    options.within = options.within or (REAL_WITHIN if subject.is_real else WITHIN)
    heartbeat = heartbeat_in(settings) if options.heartbeat else None
    refuse_unasked("raise alerts", is_confirmed=options.yes)
    return asyncio.run(_drill(options, settings, subject, heartbeat))


async def _drill(options: Namespace, settings: Settings, subject: DrillSubject, heartbeat: str | None) -> int:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(store_in(options))
        clock = store.now
        plan, cluster = await _plan(options, settings, subject, store, clock), _cluster_in(options, settings)
        # Who is not signed in may know whom it is going to call, too.
        _say(options, [*forecast_lines(plan, options.within), *_instructions(options, subject)])
        if not is_wanted(_question(subject), is_confirmed=options.yes):
            complain("nothing was raised")
            return GIVEN_UP
        defender: Defender | None = None
        if subject.bundle is not None and subject.subscription is not None:
            defender = await stack.enter_async_context(defender_over(settings, subject.subscription, options.within))
        drill = Drill(plan, store, defender, clock, cluster)
        with Stop.heeded() as stop:
            async with drill.alone(options.within):
                await drill.prepare()
                if stop.is_asked:
                    raise stop.said("nothing was raised")
                result = await _run(drill, options, stop, clock)
            if stop.is_asked:
                raise stop.said(_words_of_stop(options, result))
        is_told = await _write(drill, result) and await _call(settings, heartbeat, result)
    if options.format == "json":
        print_json(result_object(result))
    else:
        print_lines(result_lines(result))
    return 0 if result.has_passed and is_told else NOT_PASSED


async def _plan(options: Namespace, settings: Settings, subject: DrillSubject, store: Store, clock: Clock) -> DrillPlan:
    """What the drill goes by; raises BadUsage where a destination that it is to prove is not expected."""
    rules = rules_given(options.rules, Stream.CWPP, clock())
    book = rules.books[Stream.CWPP]
    forecast = await read_forecast(store, book, subject, clock())
    return DrillPlan(
        subject=subject,
        expected=_meant(forecast.expected, options.to),
        forecast=forecast,
        catalogue=book.catalogue,
        # Who serves a shared state has settings of its own.
        facts=facts_of(rules, None if is_shared(options.state) else readiness_of(rules, settings)),
    )


async def _run(drill: Drill, options: Namespace, stop: Stop, clock: Clock) -> DrillResult:
    """The drill from its first step to its last; its samples are dismissed whatever comes between."""
    progress = DrillProgress(lambda line: _say(options, [line]))
    dismissed, undismissed = None, None
    try:
        judgement = drill.judgement
        if await drill.raise_alerts():
            judgement = await _follow(drill, options, stop, clock, progress)
        judgement = await drill.look_last() if drill.was_raised else drill.judgement
    finally:
        if not options.keep:
            dismissed, undismissed = await drill.dismiss()
    return await drill.result(judgement, dismissed, undismissed)


async def _follow(
    drill: Drill, options: Namespace, stop: Stop, clock: Clock, progress: DrillProgress
) -> DrillJudgement:
    """Looks until every destination took it, or the time is over, or somebody wants the end."""
    began = clock()
    while True:
        judgement = await drill.look()
        progress.show(judgement)
        passed = clock() - began
        if stop.is_asked and drill.plan.subject.bundle is not None and not options.keep:
            complain(
                "its samples are dismissed first; who asks once more leaves them in Defender, to be dismissed in the portal"
            )
        is_refused = judgement.failed_hop is DrillHop.RAISED
        if is_settled(judgement, drill.plan.expected) or is_refused or passed >= options.within or stop.is_asked:
            return judgement
        await stop.wait(min(max(passed / 6, SOONEST), LATEST, options.within - passed).total_seconds())


async def _write(drill: Drill, result: DrillResult) -> bool:
    """Whether the result is written down, where the gate of coverage looks for it."""
    try:
        await drill.write(result)
    except StoreError as fault:
        complain(f"the result is not written down, and nobody was called: {fault}")
        return False
    return True


async def _call(settings: Settings, heartbeat: str | None, result: DrillResult) -> bool:
    """Calls whoever waits for drills to pass, if this one did; whether that was not to be done, or is."""
    if heartbeat is None or not result.has_passed:
        return True
    trouble = await call_heartbeat(settings, heartbeat, result.ended)
    if trouble is not None:
        complain(f"heartbeat: {trouble}; the drill has passed, and whoever waits for that does not know it")
    return trouble is None


def _subject_in(options: Namespace) -> DrillSubject:
    if options.bundle is not None:
        if options.subscription is None:
            raise BadUsage("--subscription: is missing; name the subscription whose sample alerts are raised")
        return samples_of(options.subscription, options.bundle)
    named = _split_cluster(options.cluster)[0] if options.cluster is not None else options.machine
    subscription = options.subscription or (parse_resource_id(named).subscription or "").lower() or None
    if options.machine is not None:
        if subscription is None or not named.startswith("/"):
            raise BadUsage(f"--machine: {named!r} is no resource id; az vm show --query id prints one")
        return DrillSubject(plan=MACHINES, subscription=subscription, machine=named)
    if not named:
        raise BadUsage("--cluster: is empty; kubectl config get-contexts -o name prints what clusters are called")
    return DrillSubject(plan=CONTAINERS, subscription=subscription, cluster=named)


def _split_cluster(written: str) -> tuple[str, str | None]:
    """The cluster, and its context where that is named beside it; raises BadUsage."""
    name, separator, context = (part.strip() for part in written.partition("="))
    if separator and not (name and context):
        raise BadUsage(f"--cluster {written}: has nothing on one side of =; write NAME=CONTEXT")
    return name, context or None


def _cluster_in(options: Namespace, settings: Settings) -> ClusterReader | None:
    """What asks the cluster, where it is to be asked; raises BadUsage and BadFile."""
    if options.kubeconfig is None:
        return None
    if options.cluster is None:
        raise BadUsage("--kubeconfig: says where the context of --cluster is, which is missing")
    kubeconfig = open_kubeconfig(options.kubeconfig, settings)
    name, context = _split_cluster(options.cluster)
    if (context or name) not in kubeconfig.contexts:
        raise BadUsage(f"--cluster {context or name}: is no context in {options.kubeconfig}; write NAME=CONTEXT")
    return ClusterReader(NamedContext(name, context or name), kubeconfig, settings)


def _instructions(options: Namespace, subject: DrillSubject) -> Sequence[str]:
    if options.kubeconfig is not None:
        return [f"  asks the cluster {subject.cluster} for the pods of the namespace {NAMESPACE}, and for nothing else"]
    return lines_for(subject, _split_cluster(options.cluster)[1] if options.cluster is not None else None)


def _meant(expected: Sequence[ExpectedDestination], names: Sequence[str]) -> Sequence[ExpectedDestination]:
    """Those that a drill is to prove; raises BadUsage where one is named to which no alert of it is led."""
    known = {one.name for one in expected}
    for name in names:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise BadUsage(f"--to: {name}: is no destination to which the rules lead such alerts; those are {listed}")
    return [one for one in expected if one.name in names] if names else expected


def _question(subject: DrillSubject) -> str:
    if subject.is_real:
        return "wait for a real alert, which calls these people for real?"
    return f"raise {subject.words}, which calls these destinations?"


def _words_of_stop(options: Namespace, result: DrillResult) -> str:
    number = len(result.still_open) if result.still_open is not None else "an unknown number"
    left = f"{number} of its pages and tickets are open"
    if result.dismissed is None:
        return (
            f"nothing is judged; its alerts stand in Defender; {left}" if options.keep else f"nothing is judged; {left}"
        )
    why = f", others not: {result.undismissed}" if result.undismissed is not None else ""
    return f"nothing is judged; {result.dismissed} of its sample alerts are dismissed in Defender{why}; {left}"


def _say(options: Namespace, lines: Sequence[str]) -> None:
    """Says something on the way: beside what programs read, where it is they who read."""
    if options.format == "json":
        for line in lines:
            complain(line)
    else:
        print_lines(lines)
