"""Verdicts that say the same of several workloads, said once: also where only the names in them differ. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from router.cli.printing import plain
from router.coverage.assess import Assessed
from router.coverage.report.summary import ago
from router.coverage.sources import ReportedSource
from router.coverage.verdicts import CoverageEvidence, CoverageException, CoverageState, Verdict, Workload, covered
from router.destinations.wording.masking import masked
from router.domain.coverage import Rung
from router.domain.source_turns import RUNGS
from router.domain.texts import counted, timestamp

_GROUP = re.compile(r"/resourcegroups/([^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class VerdictGroup:
    """Workloads of which the same is known on the same rungs, for the same reason.

    Attributes:
        rungs: the rungs, from the bottom up; at least one.
        state: what is known.
        reason: why, as it is said of the first of them.
        exception: who answers for it, where it is excused.
        is_unknown: whether nobody knows, so that its remedies are questions.
        workloads: the workloads; at least one.
        remedies: the commands that mend it or answer it, once each; several where each workload has its own, or needs
            several; empty where nothing does.
        remarks: what else is to be said, once each, as of the first workload of which it is.
        evidence: what the verdicts rest on, once each.
    """

    rungs: tuple[Rung, ...]
    state: CoverageState
    reason: str
    exception: CoverageException | None
    is_unknown: bool
    workloads: tuple[Workload, ...]
    remedies: tuple[str, ...]
    remarks: tuple[str, ...]
    evidence: tuple[CoverageEvidence, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """A verdict, and what it says without the names of its workload.

    Attributes:
        workload: the workload.
        rung: the rung.
        verdict: the verdict.
        key: its reason, its remedy, its exception and what that excuses, with what is the workload's own left out.
        remarks: its remarks, by what is left of each without those names.
    """

    workload: Workload
    rung: Rung
    verdict: Verdict
    key: tuple[str, str | None, CoverageException | None, CoverageState | None]
    remarks: dict[str, str]


def groups_in(assessed: Assessed, state: CoverageState) -> Iterator[VerdictGroup]:
    """What is in that state, by rung from the bottom up; within a rung, what most workloads share comes first."""
    return _groups_of(one for one in assessed.verdicts() if one[2].state is state)


def limits_in(assessed: Assessed) -> Iterator[VerdictGroup]:
    """What passes although it is covered, as the reason of each, in the same order."""
    return _groups_of(
        (workload, rung, covered("; ".join(verdict.limits)))
        for workload, rung, verdict in assessed.verdicts()
        if verdict.state is CoverageState.COVERED and verdict.limits
    )


def _groups_of(verdicts: Iterable[tuple[Workload, Rung, Verdict]]) -> Iterator[VerdictGroup]:
    alike: dict[tuple[Rung, object], list[_Said]] = {}
    for workload, of_one in groupby(verdicts, key=lambda one: one[0]):
        own_words = _own_words_of(workload)
        for _, rung, verdict in of_one:
            said = _said(workload, rung, verdict, own_words)
            alike.setdefault((rung, said.key), []).append(said)
    joined: dict[object, list[_Said]] = {}
    for (_, key), some in alike.items():
        joined.setdefault((key, tuple(one.workload.key for one in some)), []).extend(some)
    rungs = list(Rung)
    groups = [_group(some, sorted({one.rung for one in some}, key=rungs.index)) for some in joined.values()]
    yield from sorted(groups, key=lambda group: (rungs.index(group.rungs[0]), -len(group.workloads)))


def _group(some: list[_Said], rungs: Iterable[Rung]) -> VerdictGroup:
    first = some[0].verdict
    remarks: dict[str, str] = {}
    for one in some:
        remarks = one.remarks | remarks
    return VerdictGroup(
        rungs=tuple(rungs),
        state=first.state,
        reason=first.reason,
        exception=first.exception,
        is_unknown=first.is_unknown,
        workloads=tuple({one.workload.key: one.workload for one in some}.values()),
        remedies=tuple(dict.fromkeys(line for one in some for line in (one.verdict.remedy or "").split("\n") if line)),
        remarks=tuple(remarks.values()),
        evidence=tuple(dict.fromkeys(piece for one in some for piece in one.verdict.evidence)),
    )


def _said(workload: Workload, rung: Rung, verdict: Verdict, own_words: re.Pattern[str]) -> _Said:
    remedy = own_words.sub("", verdict.remedy) if verdict.remedy is not None else None
    return _Said(
        workload=workload,
        rung=rung,
        verdict=verdict,
        key=(own_words.sub("", verdict.reason), remedy, verdict.exception, verdict.excused),
        remarks={own_words.sub("", remark): remark for remark in verdict.remarks},
    )


def _own_words_of(workload: Workload) -> re.Pattern[str]:
    """What names a workload and where it is: its name, its resource group and its subscription, as whole words."""
    group = _GROUP.search(workload.id or "")
    words = {workload.name, workload.subscription or "", group[1] if group else ""} - {""}
    longest_first = "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
    return re.compile(rf"(?<![\w-])(?:{longest_first})(?![\w-])" if words else r"(?!)", re.IGNORECASE)


_SOON = timedelta(days=1)
"""How long before a source is silent for too long it is named."""

_MOST = 20
"""How many sources are named; JSON has all of them."""


def source_name(source: ReportedSource) -> str:
    """What people call a source."""
    plan = source.heard.source.plan
    return f"plan {plan} of {source.name}" if plan else f"{source.heard.source.kind} {source.name}"


def silence_lines(sources: Sequence[ReportedSource], now: datetime) -> Iterator[str]:
    """A line for each expected source that is silent for too long, then for each that soon will be, with who answers for it."""
    expected = [one for one in sources if one.is_expected]
    silent = [one for one in expected if one.is_silent]
    soon = [one for one in expected if one.is_silent is False and _is_soon(one, now)]
    named = [*silent, *soon]
    for one in named[:_MOST]:
        yield f"  {_line(one, now)}"
        yield from (f"      {line}" for line in _below(one))
    if (more := len(named) - _MOST) > 0:
        yield f"  {more:,} more in --format json"
    if others := sum(bool(one.is_silent) and not one.is_expected for one in sources):
        yield f"  {counted(others, 'source')} that nothing expects: in --format json; nobody is told of their silence"


def _is_soon(one: ReportedSource, now: datetime) -> bool:
    last, within = one.heard.posture, one.within
    return last is not None and within is not None and within - (now - last) < _SOON


def _line(one: ReportedSource, now: datetime) -> str:
    last = one.heard.posture
    heard = f"last recommendation {ago(last, now)}" if last is not None else "no recommendation ever"
    within = f", and it may be silent for {counted(one.within.days, 'day')}" if one.within is not None else ""
    state = "silent for too long" if one.is_silent else "soon silent for too long"
    return f"{plain(masked(source_name(one)))}: {state}: {heard}{within}"


def _below(one: ReportedSource) -> Iterator[str]:
    rung = RUNGS[one.heard.source.kind]
    if one.exception is not None:
        excuse = one.exception
        yield plain(masked(f"until  {timestamp(excuse.ends)}, {excuse.owner}: {excuse.reason}"))
    elif one.is_silent:
        yield f"note   where that is known, an exception in coverage.yaml with rungs: [{rung}] excuses it"
