"""`alert-router drill`: whether a real alert would arrive, tried with one that is none."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from router.app.destination_readiness import readiness_of
from router.app.fields import duration_text
from router.app.settings import Settings
from router.app.signal_life import facts_of
from router.cli.open_state import is_shared, store_in
from router.cli.option_values import rules_given
from router.cli.printing import print_json, print_lines
from router.cli.stopping import Stop
from router.cli.streams import complain, is_wanted, refuse_unasked
from router.coverage.asking.kubeconfig import NamedContext, open_kubeconfig
from router.coverage.drill.azure import call_heartbeat, defender_over, heartbeat_in, read_cluster
from router.coverage.drill.results import (
    DestinationVerdict,
    DrillHop,
    DrillJudgement,
    DrillResult,
    DrillVerdict,
    result_object,
)
from router.coverage.drill.running import Drill, expected_destinations
from router.coverage.drill.subjects import CONTAINERS, MACHINES, NAMESPACE, DrillSubject, instructions, sample_drill
from router.coverage.drill.verdict import KEPT_FROM_SAMPLES, is_settled
from router.domain.errors import BadUsage, StoreError
from router.domain.readable import counted
from router.domain.resources import parse_resource_id
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store.store import Store

NOT_PASSED = 1
"""The exit code of a drill that failed, or did not prove all that it was to prove."""

GIVEN_UP = 2
"""The exit code if the person who is asked says no."""

WITHIN, REAL_WITHIN = timedelta(minutes=15), timedelta(hours=1)
"""How long a drill waits unless more or less is asked for: samples take a few minutes, real alerts up to half an hour."""

_SOONEST, _LATEST = timedelta(seconds=0.25), timedelta(seconds=5)
"""The wait between two looks, at first and later. The seconds that a drill prints come from the record, not from its looks."""

_DOES = {Lane.PAGE: "pages", Lane.TICKET: "opens a ticket at", Lane.ROWS: "writes rows to"}

_HOPS = {
    DrillHop.RAISED: "raised",
    DrillHop.DEFENDER: "listed by Defender",
    DrillHop.HUB: "in the hub",
    DrillHop.DECIDED: "decided",
}


def drill(options: Namespace) -> int:
    """Raise an alert, follow it, and say whether every destination took it."""
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
        drill = _planned(options, settings, subject, await stack.enter_async_context(store_in(options)))
        _say(options, [*_plan_lines(drill, options.within), *_instruction_lines(options, subject)])
        question = f"raise {subject.words}, which calls these destinations?"
        if subject.is_real:
            question = "wait for a real alert, which calls these people for real?"
        if not is_wanted(question, is_confirmed=options.yes):
            complain("nothing was raised")
            return GIVEN_UP
        if subject.bundle is not None and subject.subscription is not None:
            defender = defender_over(settings, subject.subscription, options.within)
            drill.defender = await stack.enter_async_context(defender)
        with Stop.heeded() as stop:
            await drill.prepare()
            if stop.is_asked:
                raise stop.interrupted("nothing was raised")
            result = await _run(drill, options, stop)
            if stop.is_asked:
                raise stop.interrupted("; ".join(("nothing is judged", *map(str.strip, _left_lines(result)))))
        is_told = await _tell(drill, result, settings, heartbeat)
    if options.format == "json":
        print_json(result_object(result))
    else:
        print_lines(_result_lines(result))
    return 0 if result.judgement.verdict is DrillVerdict.PASSED and is_told else NOT_PASSED


def _planned(options: Namespace, settings: Settings, subject: DrillSubject, store: Store) -> Drill:
    """Return the drill before it has begun; raises BadUsage if `--to` names a destination that it does not call."""
    rules = rules_given(options.rules, Stream.CWPP, store.now())
    book = rules.books[Stream.CWPP]
    called = expected_destinations(book, subject, store.now())
    for name in options.to:
        if name not in {one.name for one in called}:
            listed = ", ".join(one.name for one in called) or "none"
            raise BadUsage(f"--to: {name}: is no destination to which the rules lead such alerts; those are {listed}")
    return Drill(
        store=store,
        subject=subject,
        book=book,
        called=called,
        expected=[one for one in called if not options.to or one.name in options.to],
        # A shared state is served with settings of its own.
        facts=facts_of(rules, None if is_shared(options.state) else readiness_of(rules, settings).unready),
        read_cluster=_cluster_in(options, settings),
    )


async def _run(drill: Drill, options: Namespace, stop: Stop) -> DrillResult:
    """Run the drill from its first step to its last; its samples are dismissed whatever comes between."""
    dismissed, undismissed = None, None
    try:
        if await drill.raise_alerts():
            await _follow(drill, options, stop)
        judgement = await drill.look(is_last=True)
    finally:
        if not options.keep:
            dismissed, undismissed = await drill.dismiss()
    return await drill.result(judgement, dismissed, undismissed)


async def _follow(drill: Drill, options: Namespace, stop: Stop) -> None:
    """Look until every destination took an alert, or the time is over, or a person wants the end."""
    loop, printed = asyncio.get_running_loop(), set[str]()
    began = loop.time()
    while True:
        judgement = await drill.look()
        lines = _passed_lines(judgement)
        _say(options, [line for key, line in lines.items() if key not in printed])
        printed |= lines.keys()
        if stop.is_asked and drill.subject.bundle is not None and not options.keep:
            complain(
                "its samples are dismissed first; who asks once more leaves them in Defender, to be dismissed in the portal"
            )
        passed = timedelta(seconds=loop.time() - began)
        if is_settled(judgement, drill.expected) or passed >= options.within or stop.is_asked:
            return
        await stop.wait(min(max(passed / 6, _SOONEST), _LATEST, options.within - passed).total_seconds())


async def _tell(drill: Drill, result: DrillResult, settings: Settings, heartbeat: str | None) -> bool:
    """Write the result for the coverage gate, and send the heartbeat if the drill passed; return whether both were taken."""
    try:
        await drill.write(result)
    except StoreError as fault:
        complain(f"the result is not written down, and no heartbeat was sent: {fault}")
        return False
    if heartbeat is None or result.judgement.verdict is not DrillVerdict.PASSED:
        return True
    trouble = await call_heartbeat(settings, heartbeat, result.ended)
    if trouble is not None:
        complain(f"heartbeat: {trouble}; the drill has passed, and the dead man's switch does not know it")
    return trouble is None


def _subject_in(options: Namespace) -> DrillSubject:
    if options.bundle is not None:
        if options.subscription is None:
            raise BadUsage("--subscription: is missing; name the subscription whose sample alerts are raised")
        return sample_drill(options.subscription, options.bundle)
    named = options.machine if options.cluster is None else _cluster_named(options).name
    subscription = options.subscription or (parse_resource_id(named).subscription or "").lower() or None
    if options.machine is not None:
        if subscription is None or not named.startswith("/"):
            raise BadUsage(f"--machine: {named!r} is no resource id; az vm show --query id prints one")
        return DrillSubject(plan=MACHINES, subscription=subscription, machine=named)
    if not named:
        raise BadUsage("--cluster: is empty; kubectl config get-contexts -o name prints what clusters are called")
    return DrillSubject(plan=CONTAINERS, subscription=subscription, cluster=named)


def _cluster_named(options: Namespace) -> NamedContext:
    """Return the cluster, with its context, which is called as it is unless another name is given; raises BadUsage."""
    name, separator, context = (part.strip() for part in options.cluster.partition("="))
    if separator and not (name and context):
        raise BadUsage(f"--cluster {options.cluster}: has nothing on one side of =; write NAME=CONTEXT")
    return NamedContext(name, context or name)


def _cluster_in(options: Namespace, settings: Settings) -> Callable[[], Awaitable[None]] | None:
    """Return the read of the cluster, if it is wanted; raises BadUsage and BadFile."""
    if options.kubeconfig is None:
        return None
    if options.cluster is None:
        raise BadUsage("--kubeconfig: says where the context of --cluster is, which is missing")
    kubeconfig = open_kubeconfig(options.kubeconfig, settings)
    named = _cluster_named(options)
    if named.context not in kubeconfig.contexts:
        raise BadUsage(f"--cluster {named.context}: is no context in {options.kubeconfig}; write NAME=CONTEXT")
    return partial(read_cluster, named, kubeconfig, settings)


def _instruction_lines(options: Namespace, subject: DrillSubject) -> list[str]:
    if options.kubeconfig is not None:
        return [f"  asks the cluster {subject.cluster} for the pods of the namespace {NAMESPACE}, and for nothing else"]
    return instructions(subject, _cluster_named(options).context if options.cluster is not None else "")


def _say(options: Namespace, lines: Iterable[str]) -> None:
    """Print what happens on the way; to standard error if programs read standard output."""
    if options.format == "json":
        for line in lines:
            complain(line)
    else:
        print_lines(lines)
        sys.stdout.flush()


def _plan_lines(drill: Drill, within: timedelta) -> Iterator[str]:
    """Return what is going to happen: which destinations are called, also those that the drill is not to prove."""
    subject = drill.subject
    yield f"drill: {subject.words}, followed for {duration_text(within)} at most"
    if subject.is_real:
        yield "  REAL: these are real alerts, no samples: whom they page cannot see that it is a drill. Nothing is dismissed"
    for one in drill.called:
        more = "" if one in drill.expected else "; not to be proven"
        if (why := drill.facts.unready.get((Stream.CWPP.value, one.name))) is not None:
            more += f"; not yet: {why}, so that it takes nothing"
        where = f"{one.name} ({one.kind}, {one.lane} lane)"
        yield f"  {_DOES[one.lane]} {where}{more}" if one.takes_samples else f"  {where}: {KEPT_FROM_SAMPLES}{more}"
    if not drill.called:
        yield f"  the rules lead no alert of the plan {subject.plan} anywhere, so that nothing can be proven"


def _passed_lines(judgement: DrillJudgement) -> dict[str, str]:
    """Return a line for each hop and each destination that is known to have passed, by its name."""
    passed = [one for one in judgement.destinations if one.verdict is DrillVerdict.PASSED]
    hops = {
        f"hop {one.hop}": f"  {_HOPS[one.hop]:<20}{one.seconds:>8.1f} s"
        for one in judgement.hops
        if one.seconds is not None
    }
    return hops | {f"to {one.name}": _destination_line(one) for one in passed}


def _destination_line(one: DestinationVerdict) -> str:
    took = f"{one.seconds:>8.1f} s" if one.seconds is not None else f"{'-':>8}  "
    as_receipt = f" as {one.receipt}" if one.receipt else ""
    what = f"took it{as_receipt}" if one.verdict is DrillVerdict.PASSED else f"{one.verdict}: {one.reason}"
    return f"  {one.name:<20}{took}  {what}"


def _result_lines(result: DrillResult) -> Iterator[str]:
    """Return how it ended, and what it left behind."""
    judgement = result.judgement
    yield f"{judgement.verdict}: {judgement.reason}"
    yield from (_destination_line(one) for one in judgement.destinations if one.verdict is not DrillVerdict.PASSED)
    yield from _left_lines(result)


def _left_lines(result: DrillResult) -> Iterator[str]:
    if result.dismissed is not None:
        yield f"dismissed in Defender: {counted(result.dismissed, 'sample alert')}"
    if result.undismissed is not None:
        yield f"not dismissed: {result.undismissed}"
    if result.undecided:
        listed = counted(len(result.undecided), "sample alert")
        yield f"not decided by now: {listed} that Defender lists; whom they call is called later: {', '.join(result.undecided)}"
    if result.open is None:
        yield "still open: not known, as the state could not be read; alert-router explain shows it of each alert"
    if result.open:
        doubt = "whether Defender exports that a sample was dismissed is not confirmed, so "
        yield f"still open; {'' if result.subject.is_real else doubt}close what stays:"
        for one in result.open:
            where = " ".join(filter(None, (one.receipt, one.link))) or "without a reference"
            if one.on_its_way:
                where = "on its way there"
            if one.others:
                where += f", which is about {counted(one.others, 'other signal')} as well and is not to be closed for the drill"
            yield f"  {one.destination} ({one.lane}): {where}: {one.title}"
